//! Where LoRA can stand: the linear layers of a network, by name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tch::Tensor;

use super::Adapter;
use crate::ModelError;

/// The place for an adapter in one layer, which the layer and the list of all layers share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Adapter>>>);

impl Slot {
    pub(super) fn put(&self, adapter: Adapter) {
        *self.get() = Some(adapter);
    }

    /// What stands there. Nobody waits here: one thread computes with a model.
    pub(crate) fn get(&self) -> MutexGuard<'_, Option<Adapter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One linear layer.
#[derive(Debug)]
pub(crate) struct Site {
    /// Its name, without `weight`
    pub name: String,
    pub weight: Tensor,
    /// The weight lies `[inputs, outputs]`
    pub transposed: bool,
    pub slot: Slot,
}

impl Site {
    /// Outputs and inputs.
    pub(super) fn size(&self) -> [i64; 2] {
        match (<[i64; 2]>::try_from(self.weight.size()), self.transposed) {
            (Ok([inputs, outputs]), true) => [outputs, inputs],
            (Ok(size), _) => size,
            (Err(_), _) => [0, 0],
        }
    }

    /// The weight as `[outputs, inputs]`.
    fn out_in(&self) -> Result<Tensor, ModelError> {
        Ok(if self.transposed { self.weight.f_transpose(0, 1)? } else { self.weight.shallow_clone() })
    }

    /// Length of the weights of each output.
    pub(super) fn lengths(&self) -> Result<Tensor, ModelError> {
        super::adapter::lengths(&self.out_in()?)
    }

    /// The weight with what its adapter has learned, as it lies; `None` without an adapter.
    pub(super) fn merged(&self) -> Result<Option<Tensor>, ModelError> {
        let slot = self.slot.get();
        let Some(adapter) = slot.as_ref() else { return Ok(None) };
        let merged = tch::no_grad(|| adapter.merged(&self.out_in()?))?;
        Ok(Some(if self.transposed { merged.f_transpose(0, 1)?.f_contiguous()? } else { merged }))
    }

    fn copy(&self) -> Self {
        Self {
            name: self.name.clone(),
            weight: self.weight.shallow_clone(),
            transposed: self.transposed,
            slot: self.slot.clone(),
        }
    }
}

/// The linear layers of a network, in the order in which they were built.
#[derive(Debug, Default)]
pub(crate) struct Sites(Mutex<Vec<Site>>);

impl Sites {
    pub(crate) fn add(&self, site: Site) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(site);
    }

    pub(crate) fn all(&self) -> Vec<Site> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Site::copy).collect()
    }
}
