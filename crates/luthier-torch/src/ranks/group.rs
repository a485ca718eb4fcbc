//! Exchange of tensors between ranks.

use std::ffi::{c_char, c_void};
use std::rc::Rc;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use super::{Store, exchanged, millis, text};
use crate::TorchError;
use crate::bytes::bytes_of;

unsafe extern "C" {
    fn luthier_group_new(
        store: *mut c_void,
        address: *const c_char,
        rank: i32,
        size: i32,
        timeout_ms: i64,
        out: *mut *mut c_void,
    ) -> *mut c_char;
    fn luthier_group_free(group: *mut c_void);
    fn luthier_group_broadcast(group: *mut c_void, tensor: *const c_void, root: i64) -> *mut c_char;
    fn luthier_group_sum(group: *mut c_void, tensor: *const c_void) -> *mut c_char;
    fn luthier_group_sum_of(group: *mut c_void, tensor: *const c_void, out: *mut *mut c_void) -> *mut c_char;
    fn luthier_group_barrier(group: *mut c_void) -> *mut c_char;
}

/// All ranks of a run (libtorch's `ProcessGroup`). Every rank has to make the same calls in the same order; each waits for
/// the others.
#[derive(Debug)]
pub struct Group {
    pub(super) pointer: *mut c_void,
    rank: u32,
    size: u32,
    /// The ranks speak through it for as long as the group lives
    store: Rc<Store>,
}

impl Group {
    /// Joins the group; waits for all other ranks.
    ///
    /// # Errors
    /// This libtorch does not have the backend, or a rank did not come within `timeout`, which is that of every exchange,
    /// too.
    pub fn join(
        store: Rc<Store>,
        backend: &str,
        rank: u32,
        size: u32,
        timeout: Duration,
    ) -> Result<Self, TorchError> {
        if backend != "gloo" {
            return Err(TorchError::NoBackend(backend.to_owned()));
        }
        let address = text(&store.own_address().to_string())?;
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let mut pointer = std::ptr::null_mut();
        // SAFETY: the store is alive, the address outlives the call, and the result has a place.
        exchanged(unsafe {
            luthier_group_new(
                store.pointer,
                address.as_ptr(),
                number(rank),
                number(size),
                millis(timeout),
                &raw mut pointer,
            )
        })?;
        Ok(Group { pointer, rank, size, store })
    }

    /// This process's number, from 0.
    pub fn rank(&self) -> u32 {
        self.rank
    }

    /// How many ranks there are.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The store through which they found each other.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Makes `tensor`, in place, what it is on rank `root`.
    ///
    /// # Errors
    /// A rank is gone, or came with another shape.
    pub fn broadcast(&self, tensor: &Tensor, root: u32) -> Result<(), TorchError> {
        self.in_place(tensor, |tensor| {
            // SAFETY: the group is alive, and the pointer is to a live at::Tensor.
            exchanged(unsafe {
                luthier_group_broadcast(self.pointer, tensor.as_ptr().cast(), i64::from(root))
            })
        })
    }

    /// Makes `tensor`, in place, its sum over all ranks: the same bits everywhere.
    ///
    /// # Errors
    /// A rank is gone, or came with another shape.
    pub fn sum(&self, tensor: &Tensor) -> Result<(), TorchError> {
        self.in_place(tensor, |tensor| {
            // SAFETY: the group is alive, and the pointer is to a live at::Tensor.
            exchanged(unsafe { luthier_group_sum(self.pointer, tensor.as_ptr().cast()) })
        })
    }

    /// The sum of `tensor`, `f32`, over all ranks, as a step of what is differentiated: its backward pass sums the
    /// gradients of all ranks, and waits for them.
    ///
    /// # Errors
    /// A rank is gone, or came with another shape.
    pub fn sum_of(&self, tensor: &Tensor) -> Result<Tensor, TorchError> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the group is alive, the pointer is to a live at::Tensor, and the result has a place.
        exchanged(unsafe { luthier_group_sum_of(self.pointer, tensor.as_ptr().cast(), &raw mut out) })?;
        // SAFETY: a new at::Tensor, which nobody else has.
        Ok(unsafe { Tensor::from_ptr(out.cast()) })
    }

    /// Sums of numbers over all ranks: the same bits everywhere.
    ///
    /// # Errors
    /// A rank is gone, or came with another count of numbers.
    pub fn sums(&self, numbers: &[f64]) -> Result<Vec<f64>, TorchError> {
        let tensor = Tensor::f_from_slice(numbers)?;
        self.sum(&tensor)?;
        Ok(Vec::<f64>::try_from(&tensor)?)
    }

    /// What every rank says, in the order of the ranks.
    ///
    /// # Errors
    /// A rank is gone.
    pub fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TorchError> {
        let (rank, size) = (self.rank as usize, self.size as usize);
        let mut lengths = vec![0.0; size];
        lengths[rank] = bytes.len() as f64;
        let lengths: Vec<usize> = self.sums(&lengths)?.into_iter().map(|length| length as usize).collect();
        let mut all = vec![0u8; lengths.iter().sum()];
        let begin: usize = lengths[..rank].iter().sum();
        all[begin..begin + bytes.len()].copy_from_slice(bytes);
        let all = Tensor::f_from_slice(&all)?;
        // every place is 0 on all ranks but one, so that a sum puts them together
        if all.numel() > 0 {
            self.sum(&all)?;
        }
        let mut rest = bytes_of(&all)?;
        let mut said = Vec::with_capacity(size);
        for length in lengths {
            let (own, more) = rest.split_at(length);
            said.push(own.to_vec());
            rest = more;
        }
        Ok(said)
    }

    /// Waits for all ranks.
    ///
    /// # Errors
    /// A rank is gone.
    pub fn barrier(&self) -> Result<(), TorchError> {
        // SAFETY: the group is alive.
        exchanged(unsafe { luthier_group_barrier(self.pointer) })
    }

    /// Runs an exchange on a tensor that lies row by row on the CPU, where gloo reads it, and puts back what came of it.
    fn in_place(
        &self,
        tensor: &Tensor,
        exchange: impl Fn(&Tensor) -> Result<(), TorchError>,
    ) -> Result<(), TorchError> {
        let tensor = tensor.f_detach()?;
        if tensor.device() == Device::Cpu && tensor.is_contiguous() && tensor.kind() != Kind::BFloat16 {
            return exchange(&tensor);
        }
        let copy = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
        exchange(&copy)?;
        let mut tensor = tensor;
        Ok(tensor.f_copy_(&copy)?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: made by `luthier_group_new`, and not used after this.
        unsafe { luthier_group_free(self.pointer) };
    }
}
