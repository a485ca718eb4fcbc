//! Memory formats.

use tch::Tensor;

use crate::{TorchError, ffi};

/// How the numbers of a picture, or of a convolution's kernels, lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryFormat {
    /// Row by row, channel by channel
    Contiguous,
    /// All channels of a pixel side by side: what oneDNN and cuDNN convolve fastest. Tensors that are not 4-D stay
    /// contiguous
    ChannelsLast,
}

impl MemoryFormat {
    /// Strides, in elements, of a dense tensor of this shape.
    pub fn strides(self, shape: &[i64]) -> Vec<i64> {
        if let (Self::ChannelsLast, &[_, channels, height, width]) = (self, shape) {
            return vec![channels * height * width, 1, width * channels, channels];
        }
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis].max(1);
        }
        strides
    }

    /// The tensor in this format: itself if it has it, else a copy.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn apply(self, tensor: &Tensor) -> Result<Tensor, TorchError> {
        match self {
            Self::ChannelsLast => channels_last(tensor),
            Self::Contiguous => Ok(tensor.f_contiguous()?),
        }
    }
}

/// The tensor with its channels side by side if it is 4-D, contiguous otherwise; the same shape, the same numbers.
/// No copy is made of a tensor that lies so already.
///
/// # Errors
/// Memory runs out.
pub fn channels_last(tensor: &Tensor) -> Result<Tensor, TorchError> {
    if tensor.dim() == 4 { ffi::channels_last(tensor) } else { Ok(tensor.f_contiguous()?) }
}

/// A view of a flat tensor: `shape` in `format`, from element `offset` on. It shares the flat tensor's memory.
///
/// # Errors
/// The view would reach past the end of the flat tensor.
pub fn view_at(
    flat: &Tensor,
    offset: i64,
    shape: &[i64],
    format: MemoryFormat,
) -> Result<Tensor, TorchError> {
    let length: i64 = shape.iter().product();
    Ok(flat.f_narrow(0, offset, length)?.f_as_strided(shape, format.strides(shape), None::<i64>)?)
}
