//! From a strided window on a storage to a tensor's bytes in order.

use crate::{
    error::{Fault, Sound, tampered},
    pickle::{Storage, Tensor},
    tensor::{Dtype, RawTensor},
};
use bytes::Bytes;

/// How many times the file's size views may add up to, where they have to be copied: every element of a
/// sound file is copied about once, a hostile one would name the same bytes over and over.
const COPIES: usize = 4;
/// Room for small broadcast buffers in small files, in bytes.
const COPIES_ALWAYS: usize = 16 << 20;

/// Cuts tensors out of storages.
pub(crate) struct Cutter {
    left: usize,
}

impl Cutter {
    /// `file`: the file's size in bytes.
    pub(crate) fn new(file: usize) -> Self {
        Self { left: file.saturating_mul(COPIES).saturating_add(COPIES_ALWAYS) }
    }

    /// The tensor on `bytes`, the whole of its storage: a slice of it where the elements lie there in
    /// order, else a copy. `name` is for messages.
    pub(crate) fn cut(
        &mut self,
        name: &str,
        tensor: &Tensor,
        storage: &Storage<'_>,
        bytes: &Bytes,
    ) -> Sound<RawTensor> {
        let Tensor { dtype, shape, strides, .. } = tensor;
        let width = dtype.size();
        let outside = || tampered(format!("tensor `{name}` reaches beyond its storage"));

        let Some(numel) = shape.iter().try_fold(1_usize, |all, extent| all.checked_mul(*extent)) else {
            return outside();
        };
        let made = |bytes: Bytes| {
            check_bools(name, *dtype, &bytes)?;
            Ok(RawTensor { dtype: *dtype, shape: shape.clone(), bytes })
        };
        if numel == 0 {
            return made(Bytes::new());
        }

        // the last element's index, if it lies within the storage
        let last = shape
            .iter()
            .zip(strides)
            .try_fold(0_usize, |at, (extent, stride)| at.checked_add((extent - 1).checked_mul(*stride)?));
        let begin = tensor.offset.checked_add(storage.begin);
        let range = begin.and_then(|begin| {
            let end = begin.checked_add(last?)?.checked_add(1)?;
            Some(begin.checked_mul(width)?..end.checked_mul(width)?)
        });
        let Some(range) = range.filter(|range| range.end <= bytes.len()) else { return outside() };
        let window = bytes.slice(range);
        if in_order(shape, strides) {
            return made(window);
        }

        let Some(size) = numel.checked_mul(width).filter(|size| *size <= self.left) else {
            return tampered(format!("tensor `{name}` repeats its storage beyond all measure"));
        };
        self.left -= size;
        made(gather(&window, width, shape, strides, size).into())
    }
}

/// Whether the elements lie in row-major order without gaps. A dimension of extent 1 may have any stride.
fn in_order(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(extent, stride)| {
        let right = *extent == 1 || *stride == expected;
        expected *= extent;
        right
    })
}

/// Copies elements of `width` bytes; every index was checked to lie within `window`.
fn gather(window: &[u8], width: usize, shape: &[usize], strides: &[usize], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    while bytes.len() < size {
        bytes.extend_from_slice(&window[at * width..(at + 1) * width]);
        // count up like an odometer: the last dimension turns fastest
        for dimension in (0..shape.len()).rev() {
            index[dimension] += 1;
            // the stride of a dimension of extent 1 may be anything, and is taken back at once
            at = at.wrapping_add(strides[dimension]);
            if index[dimension] < shape[dimension] {
                break;
            }
            at = at.wrapping_sub(index[dimension].wrapping_mul(strides[dimension]));
            index[dimension] = 0;
        }
    }
    bytes
}

/// C++ has no bool but 0 and 1: any other byte would be undefined behaviour wherever it is looked at.
pub(crate) fn check_bools(name: &str, dtype: Dtype, bytes: &[u8]) -> Sound<()> {
    if dtype == Dtype::Bool && bytes.iter().any(|byte| *byte > 1) {
        return Err(Fault::Tampered(format!(
            "tensor `{name}` is of type bool but holds other bytes than 0 and 1"
        )));
    }
    Ok(())
}
