//! Transforms do to a picture what torchvision's do on Pillow pictures.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use luthier_data::{
    Chain, Limits, Picture, SampleKey,
    picture::decode,
    transforms::{CropBox, Scratch, Step},
};
use luthier_recipe::{Size, Transform};
use serde_json::Value;

mod common;

fn png(name: &str) -> Picture {
    decode(&common::fixture(&format!("torchvision/transforms/{name}.png")), Limits::default()).unwrap()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
}

fn step(value: &Value) -> Step {
    let (name, argument) = value.as_object().unwrap().iter().next().unwrap();
    let pair = || <[u32; 2]>::try_from(numbers(argument)).unwrap();
    match name.as_str() {
        "ResizeShorter" => Step::ResizeShorter(argument.as_u64().unwrap() as u32),
        "Resize" => Step::Resize(pair()),
        "CenterCrop" => Step::CenterCrop(pair()),
        "ResizedCrop" => {
            let n = numbers(argument);
            Step::ResizedCrop(CropBox { top: n[0], left: n[1], height: n[2], width: n[3] }, [n[4], n[5]])
        }
        "Flip" => Step::Flip,
        "Brightness" => Step::Brightness(argument.as_f64().unwrap()),
        "Contrast" => Step::Contrast(argument.as_f64().unwrap()),
        "Saturation" => Step::Saturation(argument.as_f64().unwrap()),
        "Hue" => Step::Hue(argument.as_f64().unwrap()),
        "Grayscale" => Step::Grayscale,
        "Blur" => Step::Blur(argument[0].as_u64().unwrap() as u32, argument[1].as_f64().unwrap()),
        other => panic!("no step {other}"),
    }
}

#[test]
fn every_step_does_what_torchvisions_does() {
    let facts: Value = serde_json::from_slice(&common::fixture("torchvision/transforms.json")).unwrap();
    let mut scratch = Scratch::default();
    let mut worst = std::collections::BTreeMap::<String, (f64, u8)>::new();
    for row in facts["steps"].as_array().unwrap() {
        let source = row["source"].as_str().unwrap();
        let number = |key: &str| row[key].as_u64().unwrap() as usize;
        let step = step(&row["step"]);
        let ours = scratch.run(&png(source), std::slice::from_ref(&step));
        assert_eq!((ours.width as usize, ours.height as usize), (number("width"), number("height")), "{row}");
        let strip = png(&format!("{source}-results"));
        let stride = strip.width as usize * 3;
        let theirs = strip.rgb.chunks_exact(stride).skip(number("at")).take(number("height"));
        let diffs: Vec<u8> = theirs
            .flat_map(|line| &line[..number("width") * 3])
            .zip(&ours.rgb)
            .map(|(a, b)| a.abs_diff(*b))
            .collect();
        assert_eq!(diffs.len(), ours.rgb.len());
        let mean = diffs.iter().map(|d| f64::from(*d)).sum::<f64>() / diffs.len() as f64;
        let max = diffs.iter().copied().max().unwrap();
        let name = row["step"].as_object().unwrap().keys().next().unwrap().clone();
        let entry = worst.entry(name).or_default();
        *entry = (entry.0.max(mean), entry.1.max(max));
        let exact =
            matches!(step, Step::CenterCrop(_) | Step::Flip | Step::Brightness(_) | Step::Contrast(_))
                || matches!(step, Step::Saturation(_) | Step::Hue(_) | Step::Grayscale);
        assert!(if exact { max == 0 } else { mean < 0.5 && max <= 1 }, "{row}: mean {mean}, max {max}");
    }
    for (name, (mean, max)) in worst {
        eprintln!("{name:14} worst mean {mean:.4}, max {max}");
    }
}

#[test]
fn floats_are_torchvisions_to_the_bit() {
    let facts: Value = serde_json::from_slice(&common::fixture("torchvision/transforms.json")).unwrap();
    let three = |v: &Value| -> [f32; 3] { serde_json::from_value(v.clone()).unwrap() };
    let (mean, std) = (three(&facts["normalize"]["mean"]), three(&facts["normalize"]["std"]));
    let every_byte = Picture { width: 256, height: 1, rgb: (0..=255).flat_map(|v| [v; 3]).collect() };
    let mut out = vec![0.0; 256 * 3];
    let key = SampleKey { seed: 0, epoch: 0, index: 0, view: 0 };
    let chain = Chain::new(&[Transform::Normalize { mean, std }]).unwrap();
    chain.apply(&every_byte, key, &mut Scratch::default(), &mut out).unwrap();
    for c in 0..3 {
        let ours: Vec<u32> = out.iter().skip(c).step_by(3).map(|v| v.to_bits()).collect();
        assert_eq!(ours, numbers(&facts["normalize"]["bits"][c]), "channel {c}");
    }
    Chain::new(&[]).unwrap().apply(&every_byte, key, &mut Scratch::default(), &mut out).unwrap();
    let ours: Vec<u32> = out.iter().step_by(3).map(|v| v.to_bits()).collect();
    assert_eq!(ours, numbers(&facts["to_tensor_bits"]));
}

fn crop() -> Transform {
    Transform::RandomResizedCrop { size: Size::One(8), scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] }
}

fn drawn(op: Transform, size: (u32, u32), count: u64) -> Vec<Vec<Step>> {
    let chain = Chain::new(&[op]).unwrap();
    (0..count).map(|index| chain.steps(size, SampleKey { seed: 1, epoch: 0, index, view: 0 })).collect()
}

/// Share of the draws below a number.
fn share(values: &[f64], below: f64) -> f64 {
    values.iter().filter(|v| **v < below).count() as f64 / values.len() as f64
}

/// The shares were measured on 200,000 draws of torchvision's `RandomResizedCrop.get_params`, by `crops.py`.
#[test]
fn random_crops_are_spread_as_torchvisions() {
    let facts: Value = serde_json::from_slice(&common::fixture("torchvision/crops.json")).unwrap();
    for row in facts.as_array().unwrap() {
        let (w, h) = (row["width"].as_u64().unwrap() as u32, row["height"].as_u64().unwrap() as u32);
        let mut seen: std::collections::BTreeMap<&str, Vec<f64>> = Default::default();
        for steps in drawn(crop(), (w, h), 20_000) {
            let [Step::ResizedCrop(b, [8, 8])] = steps[..] else { panic!("{steps:?}") };
            assert!(b.left + b.width <= w && b.top + b.height <= h && b.width > 0 && b.height > 0);
            let area = f64::from(b.width * b.height) / f64::from(w * h);
            seen.entry("area").or_default().push(area);
            seen.entry("ratio").or_default().push(f64::from(b.width) / f64::from(b.height));
            seen.entry("top").or_default().push(f64::from(b.top) / f64::from(h));
            seen.entry("left").or_default().push(f64::from(b.left) / f64::from(w));
        }
        for (name, values) in &seen {
            for (below, theirs) in row[*name].as_object().unwrap() {
                let ours = share(values, below.parse().unwrap());
                let theirs = theirs.as_f64().unwrap();
                // 20,000 draws: a standard error of at most 0.0035
                assert!((ours - theirs).abs() < 0.015, "{w}×{h}: {name} < {below}: {ours}, theirs {theirs}");
            }
        }
    }
}

#[test]
fn chances_and_factors_have_their_rates_and_ranges() {
    let flips = drawn(Transform::RandomHorizontalFlip { p: 0.3 }, (9, 9), 20_000);
    let rate = flips.iter().filter(|s| s.as_slice() == [Step::Flip]).count() as f64 / 20_000.0;
    assert!((rate - 0.3).abs() < 0.015, "{rate}");
    assert!(drawn(Transform::RandomHorizontalFlip { p: 0.0 }, (9, 9), 99).iter().all(Vec::is_empty));
    assert!(drawn(Transform::RandomGrayscale { p: 1.0 }, (9, 9), 99).iter().all(|s| s == &[Step::Grayscale]));

    let jitter = Transform::ColorJitter { brightness: 0.4, contrast: 1.5, saturation: 0.0, hue: 0.1, p: 0.8 };
    let all = drawn(jitter, (9, 9), 20_000);
    let changed: Vec<_> = all.iter().filter(|s| !s.is_empty()).collect();
    assert!((changed.len() as f64 / 20_000.0 - 0.8).abs() < 0.015);
    let mut firsts = [0; 3];
    for steps in &changed {
        assert_eq!(steps.len(), 3, "saturation is off: {steps:?}");
        for (place, step) in steps.iter().enumerate() {
            let which = match step {
                Step::Brightness(f) if (0.6..=1.4).contains(f) => 0,
                Step::Contrast(f) if (0.0..=2.5).contains(f) => 1,
                Step::Hue(f) if (-0.1..=0.1).contains(f) => 2,
                other => panic!("{other:?}"),
            };
            firsts[which] += usize::from(place == 0);
        }
    }
    assert!(
        firsts.iter().all(|n| (*n as f64 / changed.len() as f64 - 1.0 / 3.0).abs() < 0.015),
        "{firsts:?}"
    );
}

#[test]
fn a_key_decides_everything_and_each_part_of_it_counts() {
    let chain = Chain::new(&[crop(), Transform::RandomHorizontalFlip { p: 0.5 }]).unwrap();
    let key = SampleKey { seed: 7, epoch: 3, index: 11, view: 0 };
    let of = |key| chain.steps((640, 480), key);
    assert_eq!(of(key), of(key));
    for other in [
        SampleKey { seed: 8, ..key },
        SampleKey { epoch: 4, ..key },
        SampleKey { index: 12, ..key },
        SampleKey { view: 1, ..key },
    ] {
        assert_ne!(of(key), of(other), "{other:?}");
    }
}

#[test]
fn the_result_size_is_known_or_the_hint_says_how() {
    let resize = |size| Transform::Resize { size };
    let centre = |size| Transform::CenterCrop { size };
    type Row<'a> = (&'a [Transform], Option<(u32, u32)>, bool);
    let rows: [Row<'_>; 7] = [
        (&[], None, true),
        (&[resize(Size::One(64))], None, true),
        (&[resize(Size::Pair([64, 32]))], Some((64, 32)), true),
        (&[resize(Size::One(64)), centre(Size::One(56))], Some((56, 56)), true),
        (&[centre(Size::Pair([60, 40])), resize(Size::One(20))], Some((30, 20)), true),
        (&[crop()], Some((8, 8)), false),
        (&[resize(Size::Pair([9, 9])), Transform::RandomHorizontalFlip { p: 0.5 }], Some((9, 9)), false),
    ];
    for (transforms, size, deterministic) in rows {
        let chain = Chain::new(transforms).unwrap();
        assert_eq!(chain.output_size().ok(), size, "{transforms:?}");
        assert_eq!(chain.deterministic(), deterministic, "{transforms:?}");
    }
    let error = Chain::new(&[resize(Size::One(64))]).unwrap().output_size().unwrap_err();
    assert!(miette::Diagnostic::help(&error).unwrap().to_string().contains("CenterCrop"));
}

#[test]
fn impossible_arguments_are_refused_by_name() {
    let rows = [
        (Transform::Resize { size: Size::One(0) }, "`Resize`: `size` = 0"),
        (Transform::CenterCrop { size: Size::Pair([5, 99_999]) }, "`CenterCrop`: `size` = [5, 99999]"),
        (
            Transform::RandomResizedCrop { size: Size::One(8), scale: [0.5, 0.1], ratio: [1.0, 1.0] },
            "`RandomResizedCrop`: `scale` = [0.5, 0.1]",
        ),
        (
            Transform::RandomResizedCrop { size: Size::One(8), scale: [0.5, 1.0], ratio: [-1.0, f64::NAN] },
            "`RandomResizedCrop`: `ratio` = [-1, NaN]",
        ),
        (Transform::RandomHorizontalFlip { p: 1.5 }, "`RandomHorizontalFlip`: `p` = 1.5"),
        (
            Transform::ColorJitter { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.7, p: 1.0 },
            "`ColorJitter`: `hue` = 0.7",
        ),
        (
            Transform::GaussianBlur { kernel_size: 4, sigma: [1.0, 1.0], p: 1.0 },
            "`GaussianBlur`: `kernel_size` = 4",
        ),
        (
            Transform::GaussianBlur { kernel_size: 3, sigma: [0.0, 1.0], p: 1.0 },
            "`GaussianBlur`: `sigma` = [0, 1]",
        ),
        (
            Transform::Normalize { mean: [0.0; 3], std: [1.0, 0.0, 1.0] },
            "`Normalize`: `std` = [1.0, 0.0, 1.0]",
        ),
    ];
    for (op, says) in rows {
        let error = Chain::new(&[op]).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
        assert!(miette::Diagnostic::help(&error).is_some());
    }
    let normalize = Transform::Normalize { mean: [0.0; 3], std: [1.0; 3] };
    let error = Chain::new(&[normalize, crop()]).unwrap_err();
    assert_eq!(error.to_string(), "`Normalize` is not the last transform of its chain");
}

#[test]
fn pictures_smaller_than_the_crop_are_counted() {
    let chain = Chain::new(&[
        Transform::Resize { size: Size::One(64) },
        Transform::CenterCrop { size: Size::Pair([60, 80]) },
    ])
    .unwrap();
    assert_eq!(
        chain.notes(&[(640, 480), (50, 100), (64, 64)]),
        [
            "1 of 3 pictures are smaller than `Resize` to 64: they are enlarged",
            "2 of 3 pictures are smaller than `CenterCrop` of 60 × 80: they are padded with black",
        ]
    );
    let mut out = vec![0.0; 60 * 80 * 3];
    let key = SampleKey { seed: 0, epoch: 0, index: 0, view: 0 };
    let white = Picture { width: 50, height: 100, rgb: vec![255; 50 * 100 * 3] };
    chain.apply(&white, key, &mut Scratch::default(), &mut out).unwrap();
    assert_eq!((out[0], out[79 * 3], out[40 * 3]), (0.0, 0.0, 1.0), "black at both sides of a white middle");
}
