//! What kept activations depend on, as one number.

use luthier_model::Model;
use luthier_plan::{Plan, SplitPlan};
use tch::Tensor;
use xxhash_rust::xxh3::Xxh3;

use crate::TrainError;

/// Raise it when the arithmetic of a network, or the order of what is kept, changes.
const CODE: &str = concat!(env!("CARGO_PKG_VERSION"), "/1");

/// A key over the weights of the leading `parts`, the samples and the code.
pub(super) fn key(
    plan: &Plan,
    model: &Model,
    parts: usize,
    samples: &mut dyn FnMut(&mut Xxh3),
) -> Result<String, TrainError> {
    let mut hash = Xxh3::new();
    hash.update(CODE.as_bytes());
    let about =
        format!("{} {parts} {:?} {} {}", plan.model.arch, plan.precision, plan.device, plan.memory_format);
    hash.update(about.as_bytes());
    for (entry, planned) in model.store.entries().iter().zip(&plan.model.tensors) {
        if planned.part < parts {
            hash.update(entry.name.as_bytes());
            hash.update(&bytes(&entry.tensor)?);
        }
    }
    samples(&mut hash);
    Ok(format!("{:032x}", hash.digest128()))
}

fn bytes(tensor: &Tensor) -> Result<Vec<u8>, TrainError> {
    let dense = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0u8; dense.numel() * dense.kind().elt_size_in_bytes()];
    dense.f_copy_data_u8(&mut bytes, dense.numel())?;
    Ok(bytes)
}

/// The pictures of a split: names, sizes and times of change, and what is done to them.
pub(super) fn pictures(plan: &Plan, split: &SplitPlan, chain: &str, hash: &mut Xxh3) {
    hash.update(chain.as_bytes());
    let root = std::path::Path::new(&plan.base).join(&split.root);
    for path in split.samples.paths() {
        let path = root.join(path);
        hash.update(path.to_string_lossy().as_bytes());
        if let Ok(about) = std::fs::metadata(&path) {
            hash.update(&about.len().to_le_bytes());
            let since = about.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            hash.update(&since.map_or(0, |since| since.as_nanos()).to_le_bytes());
        }
    }
}
