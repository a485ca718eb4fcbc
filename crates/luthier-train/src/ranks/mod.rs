//! Several processes that train one model: each on its share of every batch, all with the same weights.
//!
//! [`Ranks`] is the group that a process belongs to. What a job has to do with it is in [`member`]: gradients are summed
//! while the backward pass runs, and at its end one small message tells every rank what all of them have seen. Nothing
//! that decides how a run goes on is decided by one rank alone.

mod evaluate;
mod failure;
mod identity;
mod member;
mod share;
mod spike;

pub use identity::program;
pub(crate) use member::Member;
pub(crate) use share::{next_update, own};

use std::rc::Rc;
use std::time::Duration;

use luthier_model::Model;
use luthier_plan::{Role, World};
use luthier_recipe::Distributed;
use luthier_torch::{Group, Store};
use tch::Tensor;

use crate::TrainError;

/// The group of processes that train together, as one of them sees it. Every rank has to make the same calls in the same
/// order.
#[derive(Debug)]
pub struct Ranks {
    /// Which one this is
    pub world: World,
    pub(crate) group: Rc<Group>,
    pub(crate) bucket_bytes: u64,
}

impl Ranks {
    /// Meets the other ranks.
    ///
    /// # Errors
    /// The master's port is taken, libtorch lacks the backend, or not all ranks come in time.
    pub fn join(world: World, settings: &Distributed) -> Result<Self, TrainError> {
        let timeout = Duration::from_secs(settings.timeout);
        let store = Store::open(&world.master, world.port, world.rank, world.size, timeout)?;
        let group = Group::join(Rc::new(store), settings.backend.name(), world.rank, world.size, timeout)?;
        Ok(Ranks { world, group: Rc::new(group), bucket_bytes: settings.bucket_mb << 20 })
    }

    /// Runs `work` on rank 0 first and then, where it succeeded, on all others: what rank 0 downloads or scans, they find
    /// done; and what it stumbles over is said once.
    ///
    /// # Errors
    /// `Err(None)` on a rank whose rank 0 has failed, or is gone; otherwise the work's own error.
    pub fn in_turn<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, Option<E>> {
        const KEY: &str = "luthier/rank-0-is-ready";
        let store = self.group.store();
        if self.world.is_first() {
            let done = work();
            // a rank that cannot be told has left, which the next exchange finds out
            let _ = store.set(KEY, if done.is_ok() { b"yes" } else { b"no" });
            return done.map_err(Some);
        }
        match store.get(KEY) {
            Ok(answer) if answer == b"yes" => work().map_err(Some),
            _ => Err(None),
        }
    }

    /// Makes a model's running statistics, and more tensors, what they are on rank 0, in one message.
    pub(crate) fn take_first(&self, model: &Model, more: &[&Tensor]) -> Result<(), TrainError> {
        let entries = model.store.entries().iter().filter(|entry| entry.role == Role::Buffer);
        // a count of batches is nobody's statistic
        let buffers = entries.map(|entry| &entry.tensor).filter(|buffer| buffer.is_floating_point());
        let all: Vec<Tensor> = buffers.chain(more.iter().copied()).map(Tensor::shallow_clone).collect();
        if all.is_empty() {
            return Ok(());
        }
        tch::no_grad(|| {
            let flat: Vec<Tensor> =
                all.iter().map(|tensor| tensor.f_flatten(0, -1)).collect::<Result<_, _>>()?;
            let flat = Tensor::f_cat(&flat, 0)?;
            self.group.broadcast(&flat, 0)?;
            let mut at = 0;
            for mut tensor in all {
                let count = tensor.numel() as i64;
                tensor.f_copy_(&flat.f_narrow(0, at, count)?.f_view_as(&tensor)?)?;
                at += count;
            }
            Ok(())
        })
    }

    /// Rank 0 is done with what it does alone after an update.
    pub(crate) fn first_is_done(&self, update: u64) {
        // a rank that cannot be told has left, which the next exchange finds out
        let _ = self.group.store().set(&alone(update), b"done");
    }

    /// Waits for what rank 0 does alone after an update, for however long that takes; a rank 0 that dies ends it.
    pub(crate) fn wait_for_first(&self, update: u64) -> Result<(), TrainError> {
        self.group.store().get_within(&alone(update), A_WEEK)?;
        Ok(())
    }
}

const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn alone(update: u64) -> String {
    format!("luthier/alone-after-{update}")
}

impl TrainError {
    /// Another rank has ended or hangs: the cause is there, not here.
    pub fn is_of_another_rank(&self) -> bool {
        matches!(self, TrainError::Torch(luthier_torch::TorchError::RankLost(_)))
    }
}
