//! Tensors to and from the bytes of a weight file.

use std::collections::BTreeMap;
use std::path::Path;

use luthier_weights::{Dtype, View, write_safetensors};
use tch::{Device, Kind, Tensor};

use crate::TrainError;

/// Writes named tensors as one safetensors file, whole or not at all.
pub fn write(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), TrainError> {
    let raw = tensors.iter().map(|(name, tensor)| bytes_of(name, tensor)).collect::<Result<Vec<_>, _>>()?;
    let views = tensors
        .iter()
        .zip(&raw)
        .map(|((name, _), (dtype, shape, bytes))| (name.as_str(), View { dtype: *dtype, shape, bytes }));
    // `transformers` refuses a file that does not say this
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    write_safetensors(path, views, &metadata)?;
    Ok(())
}

fn bytes_of(name: &str, tensor: &Tensor) -> Result<(Dtype, Vec<usize>, Vec<u8>), TrainError> {
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
    let count = dense.numel();
    let mut bytes = vec![0u8; count * dtype.size()];
    dense.f_copy_data_u8(&mut bytes, count)?;
    Ok((dtype, shape, bytes))
}
