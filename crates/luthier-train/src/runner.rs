//! A model with the data that a plan gives it: what training, evaluation and prediction share.

use std::path::Path;
use std::sync::Arc;

use luthier_model::{Input, Model};
use luthier_plan::{Plan, ResolvedPrecision};
use luthier_torch::autocast;
use luthier_weights::Weights;
use tch::{Device, Kind, Tensor};

use crate::TrainError;
use crate::feed::Feed;
use crate::loss::Objective;

/// A model with the data that a plan gives it.
pub struct Runner {
    /// What was decided
    pub plan: Arc<Plan>,
    /// The model
    pub model: Model,
    /// What is minimised
    pub objective: Objective,
    /// Where batches come from
    pub feed: Feed,
    /// Device of the model
    pub device: Device,
}

impl Runner {
    /// A runner for a plan and the model that was planned.
    pub fn new(plan: Plan, model: Model) -> Result<Self, TrainError> {
        let device = model.device;
        let objective = Objective::new(&plan.recipe.loss, &plan.class_weights, device);
        let feed = Feed::new(&plan, device)?;
        Ok(Runner { plan: Arc::new(plan), model, objective, feed, device })
    }

    /// A runner for a plan, with weights that match the model to the last tensor: a checkpoint's.
    pub fn with_weights(plan: Plan, weights: &Weights, device: Device) -> Result<Self, TrainError> {
        let mut model = crate::prepare::bare_model(&plan, device)?;
        model.load_strict(weights)?;
        Runner::new(plan, model)
    }

    /// Logits in fp32 for a batch of inputs [N, 3, H, W].
    pub fn forward(&self, input: &Tensor, train: bool) -> Result<Tensor, TrainError> {
        let bf16 = self.plan.precision == ResolvedPrecision::Bf16;
        let input = Input::Pictures(input.shallow_clone());
        let logits = autocast(self.device, bf16, || self.model.forward(&input, train))?;
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    /// Writes the model's weights as one safetensors file, under the names that `rename` gives; a tensor without one
    /// is left out.
    pub fn write_weights(
        &self,
        path: &Path,
        rename: impl Fn(&str) -> Option<String>,
    ) -> Result<(), TrainError> {
        let named =
            self.model.state().into_iter().filter_map(|(name, tensor)| Some((rename(&name)?, tensor)));
        crate::tensors::write(path, &named.collect::<Vec<_>>())
    }
}
