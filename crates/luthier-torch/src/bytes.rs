//! A tensor's numbers as the bytes they are.

use tch::{Device, Tensor};

use crate::TorchError;

/// The bytes of a tensor that lies on the CPU row by row, without a copy.
///
/// # Errors
/// It lies elsewhere, or in another order.
pub fn bytes_of(tensor: &Tensor) -> Result<&[u8], TorchError> {
    if tensor.device() != Device::Cpu || !tensor.is_contiguous() {
        return Err(TorchError::Torch("a tensor's bytes are read on the CPU, row by row".to_owned()));
    }
    let length = tensor.numel() * tensor.kind().elt_size_in_bytes();
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: a contiguous CPU tensor is `length` initialised bytes from its data pointer on, which is not null for a
    // tensor with elements; they live as long as the tensor is borrowed. As with every view of a tensor, nobody writes to
    // another handle of it meanwhile.
    Ok(unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<u8>(), length) })
}
