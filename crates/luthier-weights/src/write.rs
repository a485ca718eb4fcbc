//! Writing `.safetensors`.

use crate::{
    atomic::write_atomically,
    error::{WeightsError, shown},
    safetensors::to_kind,
    tensor::{Dtype, RawTensor},
};
use safetensors::tensor::TensorInfo;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// A tensor to be written, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What one element is.
    pub dtype: Dtype,
    /// Extent of each dimension, outermost first; empty for a scalar.
    pub shape: &'a [usize],
    /// The elements in row-major order, little-endian, without gaps.
    pub bytes: &'a [u8],
}

impl<'a> From<&'a RawTensor> for View<'a> {
    fn from(tensor: &'a RawTensor) -> Self {
        Self { dtype: tensor.dtype, shape: &tensor.shape, bytes: &tensor.bytes }
    }
}

/// Saves tensors as a `.safetensors` file: whole or not at all, as [`write_atomically`] does, and streamed
/// from where they lie. The same tensors and metadata give the same file, byte for byte.
///
/// Tensors lie in the given order, those of wider elements first, so that every one is aligned.
/// `transformers` wants `metadata` to say `format` = `pt`. Returns the size and the checksum of the file.
///
/// # Errors
/// [`WeightsError::Write`]: as [`write_atomically`], or two tensors of one name, or a shape that does not fit
/// its bytes.
pub fn write_safetensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, View<'a>)>,
    metadata: &BTreeMap<String, String>,
) -> Result<Written, WeightsError> {
    let mut tensors: Vec<_> = tensors.into_iter().collect();
    tensors.sort_by_key(|(_, view)| std::cmp::Reverse(view.dtype.size()));
    let header = header(&tensors, metadata).map_err(|why| WeightsError::Write {
        path: path.to_owned(),
        why,
        help: "this is a mistake of the program that called for saving".to_owned(),
        source: None,
    })?;
    let mut sum = crc32fast::Hasher::new();
    let mut bytes = 0;
    write_atomically(path, |file| {
        let mut put = |part: &[u8]| {
            // summed up while it is at hand: reading a large file back costs as much as writing it
            sum.update(part);
            bytes += part.len() as u64;
            file.write_all(part)
        };
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        tensors.iter().try_for_each(|(_, view)| put(view.bytes))
    })?;
    Ok(Written { bytes, crc32: sum.finalize() })
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Length of the file
    pub bytes: u64,
    /// CRC-32 of all of it
    pub crc32: u32,
}

/// The header in JSON, padded to eight bytes. The format's own crate would write its metadata in an order
/// that changes from run to run.
fn header(tensors: &[(&str, View<'_>)], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    let mut entries = Vec::new();
    if !metadata.is_empty() {
        entries.push(entry("__metadata__", metadata)?);
    }
    let (mut names, mut at) = (BTreeSet::from(["__metadata__"]), 0);
    for (name, view) in tensors {
        if !names.insert(name) {
            return Err(format!("two tensors are called `{}`", shown(name)));
        }
        let size = view.shape.iter().try_fold(view.dtype.size(), |size, extent| size.checked_mul(*extent));
        if size != Some(view.bytes.len()) {
            return Err(format!(
                "tensor `{}` of {} {:?} comes with {} bytes",
                shown(name),
                view.dtype,
                view.shape,
                view.bytes.len()
            ));
        }
        let data_offsets = (at, at + view.bytes.len());
        at = data_offsets.1;
        entries.push(entry(
            name,
            &TensorInfo { dtype: to_kind(view.dtype), shape: view.shape.to_vec(), data_offsets },
        )?);
    }
    let mut header = format!("{{{}}}", entries.join(",")).into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn entry(name: &str, value: &impl serde::Serialize) -> Result<String, String> {
    let json = |result: serde_json::Result<String>| result.map_err(|error| error.to_string());
    Ok(format!("{}:{}", json(serde_json::to_string(name))?, json(serde_json::to_string(value))?))
}
