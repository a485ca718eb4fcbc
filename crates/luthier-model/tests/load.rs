//! Weights in: what matches, what may differ, and what is refused by name.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::SEED;
use luthier_model::{ARCHS, Model, ModelError, arch_name};
use luthier_recipe::Arch;
use luthier_weights::{Dtype, RawTensor, Weights};
use miette::Diagnostic;
use tch::{Device, Kind, Tensor};

fn new(arch: Arch, classes: u64) -> Model {
    Model::build(&common::spec(arch, classes), SEED, Device::Cpu).unwrap()
}

/// A tensor as it would lie in a file.
fn raw(tensor: &Tensor) -> RawTensor {
    let tensor = tensor.detach().contiguous();
    let (dtype, size) = if tensor.kind() == Kind::Int64 { (Dtype::I64, 8) } else { (Dtype::F32, 4) };
    let mut bytes = vec![0; tensor.numel() * size];
    tensor.copy_data_u8(&mut bytes, tensor.numel());
    let shape = tensor.size().iter().map(|&extent| usize::try_from(extent).unwrap()).collect();
    RawTensor { dtype, shape, bytes: bytes.into() }
}

/// The formula's weights of an architecture, as a file would have them.
fn file(arch: Arch, classes: u64) -> Weights {
    let model = new(arch, classes);
    common::fill(&model);
    let tensors = model.state().iter().map(|(name, tensor)| (name.clone(), raw(tensor))).collect();
    Weights { origin: "weights.pth".to_owned(), tensors, ..Weights::default() }
}

fn patterns(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
}

/// Every tensor of the model as it is now.
fn snapshot(model: &Model) -> Vec<Tensor> {
    model.state().iter().map(|(_, tensor)| tensor.copy()).collect()
}

#[test]
fn a_head_for_other_classes_stays_random() {
    for arch in ARCHS {
        let model = new(arch, 3);
        let random = model.store.get(&format!("{}.weight", model.head)).unwrap().tensor.copy();
        let report = model.load(&file(arch, 7), &[]).unwrap();
        let names: Vec<_> = ["weight", "bias"].map(|name| format!("{}.{name}", model.head)).into();
        let head: Vec<_> = names.into_iter().filter(|name| model.store.get(name).is_some()).collect();
        assert_eq!(report.head, head);
        assert_eq!(report.matched + head.len(), model.store.entries().len());
        assert!(report.missing.is_empty() && report.unexpected.is_empty() && report.wrong_shape.is_empty());
        for (name, tensor) in model.state() {
            if !name.starts_with(model.head.as_str()) {
                assert_eq!(tensor, common::value(&name, &tensor.size()), "{arch:?} {name}");
            }
        }
        assert_eq!(model.store.get(&format!("{}.weight", model.head)).unwrap().tensor, random);
        assert!(model.parameters().all(|entry| entry.tensor.requires_grad()), "still wants gradients");
    }
}

#[test]
fn a_head_that_fits_is_taken() {
    let model = new(Arch::Resnet18, 3);
    let report = model.load(&file(Arch::Resnet18, 3), &[]).unwrap();
    assert_eq!((report.matched, report.head.len()), (122, 0));
    assert_eq!(model.load_strict(&file(Arch::Resnet18, 3)).unwrap().matched, 122);
    let error = model.load_strict(&file(Arch::Resnet18, 4)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the weights do not fit `resnet18`: 2 tensors are of another shape (`fc.weight` is [4, 512] in the file, \
         [3, 512] in the model, `fc.bias` is [4] in the file, [3] in the model)"
    );
}

#[test]
fn weights_of_another_architecture_are_recognised() {
    for (wanted, given) in [
        (Arch::Resnet18, Arch::Resnet50),
        (Arch::Resnet18, Arch::Resnet34),
        (Arch::Resnet34, Arch::Resnet18),
        (Arch::Resnet50, Arch::EfficientnetLite0),
        (Arch::EfficientnetLite0, Arch::Resnet34),
        (Arch::Gpt2, Arch::Resnet18),
    ] {
        let model = new(wanted, 3);
        let before = snapshot(&model);
        let error = model.load(&file(given, 3), &[]).unwrap_err();
        let start = format!("the weights do not fit `{}`: ", arch_name(wanted));
        assert!(error.to_string().starts_with(&start), "{error}");
        assert!(error.to_string().len() < 1200, "lists a few, counts the rest: {error}");
        let help = error.help().unwrap().to_string();
        assert_eq!(help, format!("these look like the weights of `{}`", arch_name(given)));
        assert_eq!(snapshot(&model), before, "nothing was copied");
    }
}

#[test]
fn what_does_not_match_is_named_unless_allowed() {
    let mut weights = file(Arch::Resnet18, 3);
    weights.tensors.shift_remove("layer1.0.conv1.weight");
    weights.tensors.insert("extra.weight".to_owned(), raw(&Tensor::zeros([2], (Kind::Float, Device::Cpu))));
    weights.tensors.insert("bn1.bias".to_owned(), raw(&Tensor::zeros([65], (Kind::Float, Device::Cpu))));
    let model = new(Arch::Resnet18, 3);
    let error = model.load(&weights, &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the weights do not fit `resnet18`: 1 tensor is missing (`layer1.0.conv1.weight`); 1 tensor is unexpected \
         (`extra.weight`); 1 tensor is of another shape (`bn1.bias` is [65] in the file, [64] in the model)"
    );
    assert!(error.help().unwrap().to_string().contains("`model.allow_unmatched`"));

    let error = model.load(&weights, &patterns(&["extra.*", "bn1.bias"])).unwrap_err();
    let ModelError::Unmatched { unmatched, .. } = error else { panic!("{error}") };
    assert_eq!(unmatched.0.missing, ["layer1.0.conv1.weight"]);
    assert!(unmatched.0.unexpected.is_empty() && unmatched.0.wrong_shape.is_empty());

    let report = model.load(&weights, &patterns(&["extra.*", "bn1.bias", "layer1.0.*"])).unwrap();
    assert_eq!((report.missing.len(), report.unexpected.len(), report.wrong_shape.len()), (1, 1, 1));
    assert!(matches!(model.load(&weights, &patterns(&["[x"])), Err(ModelError::Pattern(_))));
}

#[test]
fn old_files_count_no_batches() {
    let mut weights = file(Arch::Resnet18, 3);
    weights.tensors.retain(|name, _| !name.ends_with("num_batches_tracked"));
    let report = new(Arch::Resnet18, 3).load(&weights, &[]).unwrap();
    assert_eq!((report.matched, report.missing.len()), (102, 0));
}

#[test]
fn a_file_of_nothing_fits_nothing() {
    let error = new(Arch::Resnet18, 3).load(&Weights::default(), &[]).unwrap_err();
    assert!(error.to_string().contains("100 tensors are missing (`conv1.weight`, "), "{error}");
}

#[test]
fn half_precision_is_widened() {
    let mut weights = file(Arch::Resnet18, 3);
    let bits = |value: f32| u16::try_from(value.to_bits() >> 16).unwrap().to_le_bytes();
    let bytes: Vec<u8> = (0..64_i16).flat_map(|index| bits(f32::from(index))).collect();
    let tensor = RawTensor { dtype: Dtype::BF16, shape: vec![64], bytes: bytes.into() };
    weights.tensors.insert("bn1.bias".to_owned(), tensor);
    let model = new(Arch::Resnet18, 3);
    model.load(&weights, &[]).unwrap();
    let expected = Tensor::arange(64, (Kind::Float, Device::Cpu));
    assert_eq!(model.store.get("bn1.bias").unwrap().tensor.detach(), expected);
}

#[test]
fn bytes_that_contradict_the_shape_are_refused() {
    let mut weights = file(Arch::Resnet18, 3);
    let short = RawTensor { dtype: Dtype::F32, shape: vec![64], bytes: vec![0; 255].into() };
    weights.tensors.insert("bn1.bias".to_owned(), short);
    let model = new(Arch::Resnet18, 3);
    let before = snapshot(&model);
    let error = model.load(&weights, &[]).unwrap_err();
    assert!(matches!(&error, ModelError::Tensor { name, .. } if name == "bn1.bias"), "{error}");
    assert_eq!(snapshot(&model), before);
}

#[test]
fn channels_last_models_load_row_by_row_files() {
    let model = new(Arch::Resnet18, 3);
    model.to_channels_last().unwrap();
    model.load(&file(Arch::Resnet18, 3), &[]).unwrap();
    let tensor = &model.store.get("conv1.weight").unwrap().tensor;
    assert_eq!(tensor.stride()[1], 1);
    assert_eq!(tensor.detach(), common::value("conv1.weight", &tensor.size()));
}
