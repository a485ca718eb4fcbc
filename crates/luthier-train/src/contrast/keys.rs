//! What queries are contrasted with: the key encoder, the queue of its keys, and the prototypes of clusters.

use luthier_contrast::{Prototypes, Queue, follow};
use luthier_model::Model;
use luthier_plan::Role;
use luthier_recipe::Contrastive;
use tch::Tensor;

use crate::prepare::bare_model;
use crate::runner::Runner;
use crate::{Checkpoint, TrainError};

/// What a checkpoint puts before the names of the key encoder's tensors, as MoCo's do.
pub(crate) const KEY: &str = "encoder_k.";

/// What queries are contrasted with.
pub(super) struct Keys {
    pub encoder: Model,
    pub queue: Queue,
    /// One for each granularity, once there are some
    pub prototypes: Vec<Prototypes>,
}

impl Keys {
    /// A key encoder that is the model's copy, and a queue of random directions, until it is filled.
    pub fn new(runner: &Runner, asked: &Contrastive) -> Result<Self, TrainError> {
        let plan = &runner.plan;
        let size = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let batch = size(plan.recipe.train.batch_size * plan.ranks);
        let queue = Queue::new(size(asked.queue()), size(asked.dim), batch, plan.recipe.seed, runner.device)?;
        let encoder = bare_model(plan, runner.device)?;
        let keys = Keys { encoder, queue, prototypes: Vec::new() };
        keys.copy(&runner.model)?;
        Ok(keys)
    }

    /// The key encoder becomes the query encoder's copy.
    pub fn copy(&self, model: &Model) -> Result<(), TrainError> {
        tch::no_grad(|| {
            for ((_, key), (_, query)) in self.encoder.state().iter_mut().zip(model.state()) {
                key.f_copy_(&query)?;
            }
            Ok(())
        })
    }

    /// A parameter that rests in the query encoder rests here.
    pub fn rest_as(&self, model: &Model) -> Result<(), TrainError> {
        for (key, query) in self.encoder.parameters().zip(model.parameters()) {
            let _ = key.tensor.shallow_clone().f_requires_grad_(query.tensor.requires_grad())?;
        }
        Ok(())
    }

    /// Takes a step towards the query encoder; with it, where asked, go BatchNorm's running statistics.
    pub fn follow(&self, model: &Model, momentum: f64, statistics: bool) -> Result<(), TrainError> {
        let values = |model: &Model| -> Vec<Tensor> {
            let entries = model.store.entries().iter();
            let wanted = entries.filter(|entry| statistics || entry.role != Role::Buffer);
            // a count of batches has no average
            wanted.map(|entry| entry.tensor.shallow_clone()).filter(Tensor::is_floating_point).collect()
        };
        Ok(follow(&values(&self.encoder), &values(model), momentum)?)
    }

    /// What a checkpoint keeps.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let encoder = self.encoder.state().into_iter();
        let mut all: Vec<(String, Tensor)> =
            encoder.map(|(name, tensor)| (format!("{KEY}{name}"), tensor)).collect();
        let (keys, next) = self.queue.state();
        all.push(("queue".into(), keys.shallow_clone()));
        all.push(("queue_ptr".into(), Tensor::f_from_slice(&[next])?));
        for (at, prototypes) in self.prototypes.iter().enumerate() {
            let assignment = Tensor::f_from_slice(&prototypes.assignment)?;
            all.push((format!("centroids.{at}"), prototypes.centres.shallow_clone()));
            all.push((format!("density.{at}"), prototypes.concentration.shallow_clone()));
            all.push((format!("im2cluster.{at}"), assignment));
        }
        Ok(all)
    }

    /// Takes back what [`Keys::tensors`] gave.
    pub fn restore(&mut self, checkpoint: &Checkpoint, granularities: usize) -> Result<(), TrainError> {
        self.encoder.load_strict(&checkpoint.key_encoder())?;
        let next = checkpoint.contrast("queue_ptr")?.f_int64_value(&[0])?;
        self.queue.restore(&checkpoint.contrast("queue")?, next)?;
        self.prototypes.clear();
        for at in 0..granularities {
            // before the first clusters were found there are none
            let Ok(centres) = checkpoint.contrast(&format!("centroids.{at}")) else { break };
            let concentration = checkpoint.contrast(&format!("density.{at}"))?;
            let assignment = Vec::<i64>::try_from(&checkpoint.contrast(&format!("im2cluster.{at}"))?)?;
            let device = self.encoder.device;
            let (centres, concentration) = (centres.f_to_device(device)?, concentration.f_to_device(device)?);
            self.prototypes.push(Prototypes { centres, concentration, assignment });
        }
        Ok(())
    }
}
