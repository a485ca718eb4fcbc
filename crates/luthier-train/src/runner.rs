//! A model with the data that a plan gives it: what training, evaluation and prediction share.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use luthier_model::{Flow, Input, Model};
use luthier_plan::{Plan, ResolvedPrecision};
use luthier_torch::{Half, autocast_to, norms_over};
use luthier_weights::Weights;
use tch::{Device, Kind, Tensor};

use crate::TrainError;
use crate::feed::{Batch, Feed, Start};
use crate::objective::Objective;

/// A model with the data that a plan gives it.
pub struct Runner {
    /// What was decided
    pub plan: Arc<Plan>,
    /// The model, which several streams share
    pub model: Rc<Model>,
    /// What is minimised
    pub objective: Objective,
    /// Where batches come from
    pub feed: Feed,
    /// Device of the model
    pub device: Device,
    /// The heads that are trained, where others are not
    heads: Option<Arc<[usize]>>,
    /// Folder for activations that memory has no room for
    pub cache: PathBuf,
    /// The processes that it works with
    pub(crate) ranks: Option<Rc<crate::Ranks>>,
}

impl Runner {
    /// A runner for a plan and the model that was planned.
    pub fn new(plan: Plan, model: Model) -> Result<Self, TrainError> {
        Runner::over(plan, Rc::new(model))
    }

    /// A runner for the plan of one of several streams.
    pub(crate) fn over(plan: Plan, model: Rc<Model>) -> Result<Self, TrainError> {
        let device = model.device;
        let objective = Objective::new(&plan, model.outputs(), device);
        let feed = Feed::new(&plan, device)?;
        let indices = plan.data.tasks.iter().map(|task| task.index);
        let heads = (plan.data.tasks.len() < model.heads.len()).then(|| indices.collect());
        let cache = crate::prefix::folder();
        Ok(Runner { plan: Arc::new(plan), model, objective, feed, device, heads, cache, ranks: None })
    }

    /// A runner for a plan, with weights that match the model to the last tensor: a checkpoint's.
    pub fn with_weights(plan: Plan, weights: &Weights, device: Device) -> Result<Self, TrainError> {
        let model = crate::prepare::bare_model(&plan, device)?;
        model.load_strict(weights)?;
        Runner::new(plan, model)
    }

    /// Name of a stream beside the first; empty for the first, or the only one.
    pub(crate) fn beside(&self) -> String {
        if self.plan.streams.is_empty() { self.plan.stream.clone() } else { String::new() }
    }

    /// Logits in fp32 for a batch, from where it starts.
    pub fn forward(&self, batch: &Batch, train: bool) -> Result<Tensor, TrainError> {
        let synced = self.ranks.as_ref().filter(|_| train && self.plan.recipe.distributed.sync_batch_norm);
        let _over = synced.map(|ranks| norms_over(Rc::clone(&ranks.group)));
        let logits = match &batch.start {
            Start::Input(input) => self.forward_input(input, train)?,
            Start::Behind(parts, flow) => self.autocast(|| {
                let flow = Flow { heads: self.heads.clone(), ..flow.with(flow.hidden.shallow_clone()) };
                let end = self.model.parts().len();
                Ok(self.model.run(*parts..end, flow, train)?.hidden)
            })?,
        };
        // filler has no label; a view of all rows would cost its backward pass two operations
        let count = batch.labels.len() as i64;
        if logits.size().first() == Some(&count) { Ok(logits) } else { Ok(logits.f_narrow(0, 0, count)?) }
    }

    /// Logits in fp32 for inputs, through the whole network.
    pub fn forward_input(&self, input: &Input, train: bool) -> Result<Tensor, TrainError> {
        self.autocast(|| {
            let flow = Flow { heads: self.heads.clone(), ..self.model.begin(input)? };
            Ok(self.model.run(0..self.model.parts().len(), flow, train)?.hidden)
        })
    }

    /// The same of every head, whether or not this plan's samples teach it.
    pub(crate) fn forward_all_heads(&self, input: &Input) -> Result<Tensor, TrainError> {
        self.autocast(|| {
            let flow = self.model.begin(input)?;
            Ok(self.model.run(0..self.model.parts().len(), flow, false)?.hidden)
        })
    }

    /// Runners for the streams beside the first, over the same model.
    ///
    /// # Errors
    /// A stream's data are not as they were planned.
    pub fn beside_it(&self) -> Result<Vec<Runner>, TrainError> {
        let over = |plan: &Plan| {
            let plan =
                Plan { base: self.plan.base.clone(), device: self.plan.device.clone(), ..plan.clone() };
            Runner::over(plan, Rc::clone(&self.model))
        };
        self.plan.streams.iter().map(over).collect()
    }

    /// The format of 16 bits that the plan computes in; `None` for fp32.
    pub(crate) fn half(&self) -> Option<Half> {
        match self.plan.precision {
            ResolvedPrecision::Fp32 => None,
            ResolvedPrecision::Bf16 => Some(Half::Bf16),
            ResolvedPrecision::Fp16 => Some(Half::Fp16),
        }
    }

    pub(crate) fn autocast(
        &self,
        run: impl FnOnce() -> Result<Tensor, TrainError>,
    ) -> Result<Tensor, TrainError> {
        // entering a region costs a small network a noticeable part of its step
        let outputs = match self.half() {
            Some(format) => autocast_to(self.device, Some(format), run)?,
            None => run()?,
        };
        if outputs.kind() == Kind::Float { Ok(outputs) } else { Ok(outputs.f_to_kind(Kind::Float)?) }
    }

    /// Writes the model's weights as one safetensors file, under the names that `rename` gives; a tensor without one
    /// is left out. What LoRA has learned is added to them.
    pub fn write_weights(
        &self,
        path: &Path,
        rename: impl Fn(&str) -> Option<String>,
    ) -> Result<(), TrainError> {
        let named = self
            .model
            .merged_state()?
            .into_iter()
            .filter_map(|(name, tensor)| Some((rename(&name)?, tensor)));
        self.write_tensors(path, &named.collect::<Vec<_>>())
    }

    /// Writes named tensors as one safetensors file.
    pub fn write_tensors(&self, path: &Path, named: &[(String, Tensor)]) -> Result<(), TrainError> {
        crate::tensors::write(path, named)?;
        Ok(())
    }
}
