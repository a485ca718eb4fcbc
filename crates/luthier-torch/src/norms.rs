//! Norms of every tensor, in one pass over memory each.

use std::ffi::{c_char, c_void};

use tch::{Device, Kind, Tensor};

use crate::ffi::taken;
use crate::flat::Slot;
use crate::fused::{List, list};
use crate::{FlatBuffer, TorchError};

type Slices = *const i64;

unsafe extern "C" {
    fn luthier_kept_norms(
        flat: *const c_void,
        before: *const c_void,
        offsets: Slices,
        lengths: Slices,
        count: usize,
        norms: *mut f64,
    ) -> *mut c_char;
    fn luthier_change_norms(
        flat: *const c_void,
        before: *const c_void,
        offsets: Slices,
        lengths: Slices,
        count: usize,
        norms: *mut f64,
    ) -> *mut c_char;
    fn luthier_norms(tensors: List, count: usize, norms: *mut f64) -> *mut c_char;
}

/// L2 norm of each tensor; on the CPU added up in double precision.
///
/// # Errors
/// A tensor is not of floats.
pub fn norms(tensors: &[Tensor]) -> Result<Vec<f64>, TorchError> {
    let mut found = vec![0.0; tensors.len()];
    // SAFETY: the pointers are to live at::Tensors, as many as said, and there is a place for each result.
    taken(unsafe { luthier_norms(list(tensors).as_ptr(), tensors.len(), found.as_mut_ptr()) })?;
    Ok(found)
}

/// The values of a buffer as they were, to hold later ones against.
#[derive(Debug)]
pub struct Kept {
    before: Tensor,
    norms: Vec<f64>,
}

impl Kept {
    /// Copies a buffer's values and takes the L2 norm of every parameter on the way.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn of(flat: &FlatBuffer) -> Result<Self, TorchError> {
        let data = flat.data();
        let before = if data.device() == Device::Cpu {
            Tensor::f_empty(data.size(), (Kind::Float, Device::Cpu))?
        } else {
            data.f_zeros_like()?
        };
        let (offsets, lengths) = slices(flat.slots());
        let mut norms = vec![0.0; offsets.len()];
        let (now, kept) = (data.as_ptr() as *const c_void, before.as_ptr() as *const c_void);
        let (count, found) = (offsets.len(), norms.as_mut_ptr());
        // SAFETY: both are live at::Tensors of one length, every slot lies within it, and there is a place for each result.
        taken(unsafe { luthier_kept_norms(now, kept, offsets.as_ptr(), lengths.as_ptr(), count, found) })?;
        Ok(Kept { before, norms })
    }

    /// L2 norm of every parameter then, in the buffer's order.
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// L2 norm of what every parameter has changed by since.
    ///
    /// # Errors
    /// The buffer is not the one that was kept.
    pub fn changes(&self, flat: &FlatBuffer) -> Result<Vec<f64>, TorchError> {
        if self.before.size() != flat.data().size() {
            let (then, now) = (self.before.numel(), flat.data().numel());
            return Err(TorchError::Torch(format!("{then} values were kept, and the buffer has {now}")));
        }
        let (offsets, lengths) = slices(flat.slots());
        let mut norms = vec![0.0; offsets.len()];
        let (now, kept) = (flat.data().as_ptr() as *const c_void, self.before.as_ptr() as *const c_void);
        let (count, found) = (offsets.len(), norms.as_mut_ptr());
        // SAFETY: both are live at::Tensors of one length, every slot lies within it, and there is a place for each result.
        taken(unsafe { luthier_change_norms(now, kept, offsets.as_ptr(), lengths.as_ptr(), count, found) })?;
        Ok(norms)
    }
}

/// Offsets and lengths.
fn slices(slots: &[Slot]) -> (Vec<i64>, Vec<i64>) {
    slots.iter().map(|slot| (slot.offset, slot.len())).unzip()
}
