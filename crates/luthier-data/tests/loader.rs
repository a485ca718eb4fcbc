//! Batches are the same whatever the threads, the cache and the point where an epoch begins.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use std::{path::Path, sync::Arc};

use luthier_data::{
    Batch, Chain, DataError, EpochOptions, Limits, Loader, LoaderOptions, Source, epoch_order,
};
use luthier_recipe::{OnError, Size, Transform};

mod common;

/// Twelve pictures of several kinds and sizes; `broken` of them are cut short.
fn source(dir: &Path, broken: &[usize]) -> Arc<Source> {
    let names = ["baseline-420.jpg", "rgba.png", "palette.png", "lossy.webp", "exif-6.jpg", "cmyk.jpg"];
    let samples: Vec<_> = (0..12)
        .map(|i| {
            let name = format!("{i}-{}", names[i % names.len()]);
            let mut bytes = common::fixture(&format!("pictures/{}", names[i % names.len()]));
            if broken.contains(&i) {
                bytes.truncate(bytes.len() / 2);
            }
            std::fs::write(dir.join(&name), bytes).unwrap();
            (name, (i % 3) as u32)
        })
        .collect();
    Arc::new(Source { root: dir.to_owned(), samples: Box::new(samples), limits: Limits::default() })
}

fn training() -> Chain {
    Chain::new(&[
        Transform::Resize { size: Size::One(40) },
        Transform::RandomResizedCrop { size: Size::One(24), scale: [0.2, 1.0], ratio: [0.75, 4.0 / 3.0] },
        Transform::RandomHorizontalFlip { p: 0.5 },
        Transform::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, p: 0.8 },
        Transform::GaussianBlur { kernel_size: 5, sigma: [0.1, 2.0], p: 0.5 },
        Transform::Normalize { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    ])
    .unwrap()
}

/// A chain of which a sample needs a part of its picture only.
fn cropping() -> Chain {
    Chain::new(&[
        Transform::RandomResizedCrop { size: Size::One(24), scale: [0.02, 0.5], ratio: [0.75, 4.0 / 3.0] },
        Transform::RandomHorizontalFlip { p: 0.5 },
        Transform::RandomGrayscale { p: 0.5 },
    ])
    .unwrap()
}

fn loader(
    source: &Arc<Source>,
    chain: Chain,
    threads: usize,
    cache_bytes: usize,
    on_error: OnError,
) -> Loader {
    let options = LoaderOptions { threads, prefetch_batches: 2, cache_bytes, seed: 5, on_error };
    Loader::new(Arc::clone(source), chain, options).unwrap()
}

fn epoch(epoch: u64) -> EpochOptions {
    EpochOptions { epoch, batch_size: 5, skip_batches: 0, drop_last: false, views: 1 }
}

/// What can be compared of a batch: every bit of its pixels, its labels and its samples.
fn facts(batch: &Batch) -> (Vec<u32>, Vec<i64>, Vec<u32>) {
    (batch.pixels.iter().map(|v| v.to_bits()).collect(), batch.labels.clone(), batch.indices.clone())
}

fn run(loader: &Loader, options: EpochOptions) -> Vec<(Vec<u32>, Vec<i64>, Vec<u32>)> {
    let order = epoch_order(12, 5, options.epoch, true);
    loader.epoch(order, options).map(|batch| facts(&batch.unwrap())).collect()
}

#[test]
fn threads_and_cache_change_no_bit() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[]);
    for chain in [training(), cropping()] {
        let plain = loader(&source, chain.clone(), 1, 0, OnError::Fail);
        let expected: Vec<_> = (0..3).map(|e| run(&plain, epoch(e))).collect();
        assert_eq!(expected[0].iter().map(|b| b.1.len()).collect::<Vec<_>>(), [5, 5, 2]);
        assert_eq!(expected[0][0].0.len(), 5 * 24 * 24 * 3);
        assert_ne!(expected[0], expected[1], "each epoch draws anew");
        assert_eq!(plain.cached_bytes(), 0);
        for threads in [1, 2, 4] {
            // no cache, one that holds a part of the pictures, one that holds all
            for cache in [0, 20_000, 1 << 30] {
                let other = loader(&source, chain.clone(), threads, cache, OnError::Fail);
                let got: Vec<_> = (0..3).map(|e| run(&other, epoch(e))).collect();
                assert!(got == expected, "{threads} threads, {cache} bytes of cache");
                assert!(other.cached_bytes() <= cache && (cache == 0 || other.cached_bytes() > 0));
            }
        }
        // a loader that begins with a later epoch, as a resumed run does
        let resumed = loader(&source, chain, 2, 0, OnError::Fail);
        assert!(run(&resumed, epoch(2)) == expected[2]);
    }
}

#[test]
fn whether_a_picture_is_broken_does_not_depend_on_the_part_that_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[]);
    // broken in its last lines, which most crops don't reach
    let path = dir.path().join("0-baseline-420.jpg");
    let mut bytes = std::fs::read(&path).unwrap();
    let tail = bytes.len() - 40;
    bytes[tail..tail + 30].fill(0xFE);
    std::fs::write(&path, bytes).unwrap();
    for cache in [0, 1 << 30] {
        let loader = loader(&source, cropping(), 2, cache, OnError::Skip);
        for number in 0..12 {
            let skipped: Vec<u32> = loader
                .epoch((0..12).collect(), epoch(number))
                .flat_map(|batch| batch.unwrap().skipped.into_iter().map(|(index, _)| index))
                .collect();
            assert_eq!(skipped, [0], "epoch {number}, {cache} bytes of cache");
        }
    }
}

#[test]
fn an_epoch_begun_in_the_middle_is_the_tail_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[]);
    let loader = loader(&source, training(), 2, 1 << 30, OnError::Fail);
    let whole = run(&loader, epoch(4));
    for skip in 0..5 {
        let tail = run(&loader, EpochOptions { skip_batches: skip, ..epoch(4) });
        assert!(tail == whole[skip.min(3)..], "{skip}");
    }
    let full_only = run(&loader, EpochOptions { drop_last: true, ..epoch(4) });
    assert!(full_only == whole[..2]);
}

#[test]
fn evaluation_is_the_same_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[]);
    let chain = Chain::new(&[
        Transform::Resize { size: Size::One(32) },
        Transform::CenterCrop { size: Size::One(24) },
    ])
    .unwrap();
    let loader = loader(&source, chain, 2, 1 << 30, OnError::Fail);
    let batches =
        |n| loader.epoch((0..12).collect(), epoch(n)).map(|b| facts(&b.unwrap())).collect::<Vec<_>>();
    assert!(batches(0) == batches(1));
    // what is kept is what the chain makes, not what the file holds
    assert_eq!(loader.cached_bytes(), 12 * 24 * 24 * 3);
}

#[test]
fn a_broken_sample_is_left_out_and_named_or_ends_the_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[1, 7]);
    let skipping = loader(&source, training(), 2, 1 << 30, OnError::Skip);
    let batches: Vec<Batch> = skipping.epoch((0..12).collect(), epoch(0)).map(Result::unwrap).collect();
    assert_eq!(batches[0].indices, [0, 2, 3, 4]);
    assert_eq!(batches[0].labels, [0, 2, 0, 1]);
    assert_eq!(batches[0].pixels.len(), 4 * 24 * 24 * 3);
    assert_eq!(batches[0].skipped.len(), 1);
    let (index, why) = &batches[1].skipped[0];
    assert_eq!((*index, why.starts_with("`7-rgba.png` is")), (7, true), "{why}");
    // a sample's pixels are the same whether its neighbours are there or not
    let dir = tempfile::tempdir().unwrap();
    let intact = self::source(dir.path(), &[]);
    let whole = loader(&intact, training(), 2, 0, OnError::Fail);
    let first = whole.epoch((0..12).collect(), epoch(0)).next().unwrap().unwrap();
    assert_eq!(batches[0].pixels[24 * 24 * 3..], first.pixels[2 * 24 * 24 * 3..]);

    let failing = loader(&source, training(), 2, 1 << 30, OnError::Fail);
    let mut batches = failing.epoch((0..12).collect(), epoch(0));
    let error = batches.next().unwrap().unwrap_err();
    assert!(matches!(&error, DataError::Picture { path, .. } if path == "1-rgba.png"), "{error}");
    assert!(batches.next().is_none(), "an epoch ends with its error");
}

#[test]
fn a_picture_that_vanishes_or_grows_during_the_run_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[]);
    std::fs::remove_file(dir.path().join("0-baseline-420.jpg")).unwrap();
    let loader = loader(&source, training(), 1, 0, OnError::Fail);
    let error = loader.epoch(vec![0], epoch(0)).next().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("`0-baseline-420.jpg` can't be read: No such file"), "{error}");
    let error = loader.epoch(vec![99], epoch(0)).next().unwrap().unwrap_err();
    assert!(matches!(error, DataError::NoSuchSample { index: 99 }));
}

#[test]
fn an_iterator_dropped_early_hangs_nothing_and_the_next_epoch_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let source = source(dir.path(), &[]);
    let loader = loader(&source, training(), 2, 1 << 30, OnError::Fail);
    let expected = run(&loader, epoch(1));
    for taken in 0..3 {
        let mut batches = loader.epoch((0..12).cycle().take(600).collect(), epoch(1));
        assert_eq!(batches.by_ref().take(taken).count(), taken);
        drop(batches);
        assert!(run(&loader, epoch(1)) == expected);
    }
    // the loader may go before its epoch
    let batches = loader.epoch(epoch_order(12, 5, 1, true), epoch(1));
    drop(loader);
    assert_eq!(batches.count(), 3);
}

#[test]
fn a_chain_without_a_fixed_size_makes_no_loader() {
    let source = Arc::new(Source {
        root: "x".into(),
        samples: Box::new(Vec::<(String, u32)>::new()),
        limits: Limits::default(),
    });
    let chain = Chain::new(&[Transform::Resize { size: Size::One(9) }]).unwrap();
    let error = Loader::new(source, chain, LoaderOptions::default()).err().unwrap();
    assert!(miette::Diagnostic::help(&error).unwrap().to_string().contains("CenterCrop"));
}

#[test]
fn an_empty_order_is_an_empty_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let loader = loader(&source(dir.path(), &[]), training(), 1, 0, OnError::Fail);
    assert_eq!(loader.epoch(vec![], epoch(0)).count(), 0);
}

#[test]
fn views_are_drawn_apart_and_the_first_is_what_a_loader_of_one_gives() {
    let dir = tempfile::tempdir().unwrap();
    for broken in [&[][..], &[2, 7][..]] {
        let source = source(dir.path(), broken);
        for (threads, cache) in [(1, 0), (3, 0), (2, 1 << 30)] {
            let loader = loader(&source, training(), threads, cache, OnError::Skip);
            let one = run(&loader, epoch(1));
            let two = run(&loader, EpochOptions { views: 2, ..epoch(1) });
            assert_eq!(one.len(), two.len());
            for (one, two) in one.iter().zip(&two) {
                assert_eq!((&one.1, &one.2), (&two.1, &two.2), "a broken sample is left out of both views");
                let (first, second) = two.0.split_at(one.0.len());
                assert!(first == one.0 && second.len() == first.len() && second != first);
            }
        }
    }
}

#[test]
fn pictures_that_wait_in_a_file_are_the_same_and_are_read_once() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = source(dir.path(), &[]);
    let options = LoaderOptions { threads: 2, cache_bytes: 1 << 30, seed: 5, ..LoaderOptions::default() };
    let filed = |bytes: usize, folder: &Path| {
        let options = LoaderOptions { cache_bytes: bytes, ..options };
        Loader::keeping_in(folder, Arc::clone(&source), training(), options).unwrap()
    };
    let expected = [0, 1].map(|at| run(&loader(&source, training(), 2, 1 << 30, OnError::Fail), epoch(at)));
    let whole = filed(1 << 30, &folder.path().join("not/there/yet"));
    assert!(run(&whole, epoch(0)) == expected[0]);
    // room for some of them, none at all, and a folder that cannot be
    let part = whole.cached_bytes() / 2;
    let blocked = dir.path().join("0-baseline-420.jpg");
    for (bytes, folder) in [(part, folder.path()), (0, folder.path()), (1 << 30, blocked.as_path())] {
        let loader = filed(bytes, folder);
        for (at, expected) in [0, 1].into_iter().zip(&expected) {
            assert!(run(&loader, epoch(at)) == *expected, "{bytes} bytes below {}", folder.display());
        }
        assert!(loader.cached_bytes() <= bytes);
    }
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(run(&whole, epoch(1)) == expected[1], "no picture is decoded again");
    assert!(
        std::fs::read_dir(folder.path().join("not/there/yet")).unwrap().next().is_none(),
        "no file has a name"
    );
}
