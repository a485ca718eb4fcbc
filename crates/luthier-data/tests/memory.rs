//! What a loader holds of each picture, counted at the allocator.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use luthier_data::{Chain, EpochOptions, Limits, Loader, LoaderOptions, Source, epoch_order};
use luthier_recipe::{Size, Transform};

mod common;

/// Bytes that are allocated.
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counted;

#[expect(unsafe_code, reason = "an allocator is; this one counts and leaves the work to the system's")]
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract, which is the same
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the same
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

const SIDE: u32 = 32;

/// Bytes for each picture more that a loader holds after an epoch, and those of pixels that it keeps for each.
fn held(folder: Option<&std::path::Path>) -> (f64, f64) {
    let pictures = tempfile::tempdir().unwrap();
    let bytes = common::fixture("pictures/rgba.png");
    std::fs::write(pictures.path().join("0.png"), bytes).unwrap();
    let chain = || Chain::new(&[Transform::Resize { size: Size::Pair([SIDE, SIDE]) }]).unwrap();
    let run = |count: usize| {
        let samples: Vec<(String, u32)> = vec![("0.png".to_owned(), 0); count];
        let source = Source {
            root: pictures.path().to_owned(),
            samples: Box::new(samples),
            limits: Limits::default(),
        };
        let before = HELD.load(Ordering::Relaxed);
        let options = LoaderOptions { threads: 2, ..LoaderOptions::default() };
        let loader = match folder {
            Some(folder) => Loader::keeping_in(folder, Arc::new(source), chain(), options).unwrap(),
            None => Loader::new(Arc::new(source), chain(), options).unwrap(),
        };
        // how many batches' memory is left over is a matter of luck: small ones weigh little
        let epoch = EpochOptions { epoch: 0, batch_size: 1, skip_batches: 0, drop_last: false, views: 1 };
        let read: usize = loader.epoch(epoch_order(count, 0, 0, true), epoch).map(|b| b.unwrap().len()).sum();
        assert_eq!(read, count);
        (HELD.load(Ordering::Relaxed) - before, loader.cached_bytes())
    };
    let ((few, few_pixels), (many, many_pixels)) = (run(200), run(1200));
    ((many - few) as f64 / 1000.0, (many_pixels - few_pixels) as f64 / 1000.0)
}

// one test: others in this program would be counted, too
#[test]
fn pictures_that_wait_in_a_file_take_no_memory() {
    let pixels = f64::from(SIDE * SIDE * 3);
    let folder = tempfile::tempdir().unwrap();
    let (held_each, kept_each) = held(Some(folder.path()));
    assert_eq!(kept_each, pixels, "all of them are kept");
    assert!(held_each < 200.0, "{held_each} bytes of memory a picture");
    let (held_each, kept_each) = held(None);
    assert_eq!(kept_each, pixels);
    assert!(held_each > pixels - 200.0, "{held_each} bytes: without a file, memory is where they are");
}
