//! A tensor as it lies in a file.

use bytes::Bytes;
use half::slice::HalfFloatSliceExt;
use std::fmt;

/// What one element of a tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// IEEE 754 double precision.
    F64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// bfloat16: the upper half of a single-precision number.
    BF16,
    /// Signed, 64 bits.
    I64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 16 bits.
    I16,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 8 bits.
    U8,
    /// One byte, 0 or 1.
    Bool,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The name torch uses, as in `torch.float32`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::I16 => "int16",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::Bool => "bool",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tensor's type, shape and bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTensor {
    /// What one element is.
    pub dtype: Dtype,
    /// Extent of each dimension, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements in row-major order, little-endian, without gaps. Cheap to clone: where the file has
    /// them in this order, this is a slice of the memory-mapped file. Not necessarily aligned.
    pub bytes: Bytes,
}

impl RawTensor {
    /// Number of elements; 1 for a scalar.
    #[must_use]
    pub fn numel(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// The elements as single-precision numbers, rounded to nearest; `Bool` gives 0 and 1.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let bytes = &self.bytes[..];
        #[expect(clippy::cast_possible_truncation, reason = "rounding is what is asked for")]
        match self.dtype {
            Dtype::F64 => numbers(bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::F32 => numbers(bytes, f32::from_le_bytes),
            Dtype::F16 => widened(numbers(bytes, half::f16::from_le_bytes)),
            Dtype::BF16 => widened(numbers(bytes, half::bf16::from_le_bytes)),
            Dtype::I64 => numbers(bytes, |b| i64::from_le_bytes(b) as f32),
            Dtype::I32 => numbers(bytes, |b| i32::from_le_bytes(b) as f32),
            Dtype::I16 => numbers(bytes, |b| f32::from(i16::from_le_bytes(b))),
            Dtype::I8 => numbers(bytes, |b| f32::from(i8::from_le_bytes(b))),
            Dtype::U8 => numbers(bytes, |b| f32::from(u8::from_le_bytes(b))),
            Dtype::Bool => numbers(bytes, |[b]| if b == 0 { 0.0 } else { 1.0 }),
        }
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}

fn widened<T>(narrow: Vec<T>) -> Vec<f32>
where
    [T]: HalfFloatSliceExt,
{
    let mut wide = vec![0.0; narrow.len()];
    narrow.convert_to_f32_slice(&mut wide);
    wide
}
