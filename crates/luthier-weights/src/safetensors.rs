//! `.safetensors`: eight bytes of header length, a header in JSON, the tensors' bytes.
//!
//! Header and offsets are checked by the `safetensors` crate, the format's own.

use crate::{
    error::{Fault, Sound, shown},
    read::Weights,
    tensor::{Dtype, RawTensor},
    torch::check_bools,
};
use bytes::Bytes;
use safetensors::{
    SafeTensorError, SafeTensors,
    tensor::{Dtype as Kind, Metadata},
};

/// The crate's own limit on the header, in bytes.
const HEADER: u64 = 100_000_000;

/// Whether the content begins as such a file does.
pub(crate) fn looks_like(content: &[u8]) -> bool {
    match content.split_first_chunk() {
        Some((length, rest)) => u64::from_le_bytes(*length) <= HEADER && matches!(rest, [] | [b'{', ..]),
        None => false,
    }
}

/// Reads a file for which [`looks_like`] holds.
pub(crate) fn read(file: &Bytes, weights: &mut Weights) -> Sound<()> {
    let (header, about) = SafeTensors::read_metadata(file).map_err(|error| fault(file, error))?;
    let mut tensors: Vec<_> = about.tensors().into_iter().collect();
    // tensors without elements share an offset: the name decides, so that the order is always the same
    tensors.sort_by(|(a, a_info), (b, b_info)| a_info.data_offsets.cmp(&b_info.data_offsets).then(a.cmp(b)));
    for (name, info) in tensors {
        let (begin, end) = (8 + header + info.data_offsets.0, 8 + header + info.data_offsets.1);
        let Some(dtype) = from_kind(info.dtype) else {
            return Err(Fault::Unsupported(format!("tensor `{}` of type {:?}", shown(&name), info.dtype)));
        };
        let bytes = file.slice(begin..end);
        check_bools(&name, dtype, &bytes)?;
        weights.tensors.insert(name, RawTensor { dtype, shape: info.shape.clone(), bytes });
    }
    weights.metadata.extend(about.metadata().clone().unwrap_or_default());
    Ok(())
}

fn fault(file: &[u8], error: SafeTensorError) -> Fault {
    let size = file.len();
    match error {
        SafeTensorError::InvalidHeaderLength | SafeTensorError::HeaderTooSmall => {
            Fault::Truncated(format!("it ends after {size} bytes, within its header"))
        }
        SafeTensorError::MetadataIncompleteBuffer => {
            let (header, data) = declared(file).unwrap_or_default();
            let expected = 8 + header + data;
            if expected > size {
                Fault::Truncated(format!("it has {size} of {expected} bytes"))
            } else {
                Fault::Tampered(format!("{} bytes of it belong to no tensor", size - expected))
            }
        }
        SafeTensorError::InvalidHeader(_) => Fault::Tampered("its header is not UTF-8".to_owned()),
        SafeTensorError::InvalidHeaderDeserialization(error) => {
            Fault::Tampered(format!("its header is wrong: {}", shown(&error.to_string())))
        }
        SafeTensorError::InvalidOffset(name) => {
            Fault::Tampered(format!("tensor `{}` does not begin where the one before it ends", shown(&name)))
        }
        SafeTensorError::TensorInvalidInfo => {
            Fault::Tampered("a tensor's offsets do not fit its shape and type".to_owned())
        }
        other => Fault::Tampered(format!("its header is wrong: {}", shown(&other.to_string()))),
    }
}

/// The sizes of header and data that the header speaks of.
fn declared(file: &[u8]) -> Option<(usize, usize)> {
    let (length, rest) = file.split_first_chunk()?;
    let header = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let about: Metadata = serde_json::from_slice(rest.get(..header)?).ok()?;
    Some((header, about.data_len()))
}

fn from_kind(kind: Kind) -> Option<Dtype> {
    Some(match kind {
        Kind::F64 => Dtype::F64,
        Kind::F32 => Dtype::F32,
        Kind::F16 => Dtype::F16,
        Kind::BF16 => Dtype::BF16,
        Kind::I64 => Dtype::I64,
        Kind::I32 => Dtype::I32,
        Kind::I16 => Dtype::I16,
        Kind::I8 => Dtype::I8,
        Kind::U8 => Dtype::U8,
        Kind::BOOL => Dtype::Bool,
        _ => return None,
    })
}

pub(crate) fn to_kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F64 => Kind::F64,
        Dtype::F32 => Kind::F32,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::BF16,
        Dtype::I64 => Kind::I64,
        Dtype::I32 => Kind::I32,
        Dtype::I16 => Kind::I16,
        Dtype::I8 => Kind::I8,
        Dtype::U8 => Kind::U8,
        Dtype::Bool => Kind::BOOL,
    }
}
