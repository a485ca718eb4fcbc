//! Tensors to and from the bytes of a weight file.

use std::collections::BTreeMap;
use std::path::Path;

use luthier_torch::bytes_of;
use luthier_weights::{Dtype, View, Written, write_safetensors};
use tch::{Device, Kind, Tensor};

use crate::TrainError;

/// Writes named tensors as one safetensors file, whole or not at all.
pub fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<Written, TrainError> {
    let raw = tensors.iter().map(|(name, tensor)| dense(name, tensor)).collect::<Result<Vec<_>, _>>()?;
    let bytes =
        raw.iter().map(|(_, _, dense)| Ok(bytes_of(dense)?)).collect::<Result<Vec<_>, TrainError>>()?;
    let views = tensors
        .iter()
        .zip(raw.iter().zip(bytes))
        .map(|((name, _), ((dtype, shape, _), bytes))| (name.as_str(), View { dtype: *dtype, shape, bytes }));
    // `transformers` refuses a file that does not say this
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    Ok(write_safetensors(path, views, &metadata)?)
}

/// A tensor as it lies in files: on the CPU, row by row. No copy is made of one that lies so already.
fn dense(name: &str, tensor: &Tensor) -> Result<(Dtype, Vec<usize>, Tensor), TrainError> {
    let dtype = match tensor.kind() {
        Kind::Float => Dtype::F32,
        Kind::Int64 => Dtype::I64,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Half => Dtype::F16,
        other => {
            return Err(TrainError::State(format!("`{name}` is {other:?}, which is not written to files")));
        }
    };
    let dense = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let shape: Vec<usize> = dense.size().iter().map(|extent| usize::try_from(*extent).unwrap_or(0)).collect();
    Ok((dtype, shape, dense))
}
