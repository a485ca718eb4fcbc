//! What probes work on: the recipe's own job, which can be put back to its beginning.

use std::sync::Arc;

use luthier_model::{Entry, Model};
use luthier_plan::{Plan, ResolvedPrecision, Role};
use luthier_train::{Batch, Job, OtherRule, Prepared, Runner, Step, TrainError, Update, resting_parts};
use tch::Tensor;

use crate::samples;

/// What probes work on.
pub(crate) struct Bench {
    pub job: Job,
    /// The streams beside the one that is measured
    beside: Vec<Plan>,
    /// Which tensors of the model wanted a gradient, whatever the stream
    wanted: Vec<bool>,
    /// Every tensor of the model as it was
    start: Vec<Tensor>,
    own: Arc<Plan>,
    exact: Arc<Plan>,
    /// Leading parts that give the same for a sample every time
    resting: usize,
    /// The training samples of the first epoch, in order
    pub order: Vec<u32>,
    /// The first batch of the first epoch, as training sees it
    pub first: Batch,
    /// The rule that learned one batch by heart; `None` for the recipe's own
    pub fitter: Option<OtherRule>,
    /// Seconds for a forward and backward pass of one sample in fp32, once measured
    pub seconds_exact: f64,
    /// The same in the recipe's precision, behind what rests
    pub seconds_own: f64,
    /// Seconds for a forward pass of one sample through the whole network, in the recipe's precision
    pub seconds_forward: f64,
}

impl Bench {
    /// Of several streams, the first is measured: see [`each`] for the others.
    pub fn new(prepared: Prepared) -> Result<Self, TrainError> {
        let Prepared { mut plan, model } = prepared;
        let beside = std::mem::take(&mut plan.streams);
        let wanted = model.store.entries().iter().map(|entry| entry.tensor.requires_grad()).collect();
        for (entry, planned) in model.store.entries().iter().zip(&plan.model.tensors) {
            // what another stream moves rests in this one
            if !planned.trainable && entry.tensor.requires_grad() {
                let _ = entry.tensor.shallow_clone().f_requires_grad_(false)?;
            }
        }
        // of a contrast every pass is through the whole network
        let contrasts = plan.recipe.contrastive.is_some();
        let resting = if contrasts { 0 } else { resting_parts(&plan, &model) };
        let start = copies(&model)?;
        let mut job = Job::new(Runner::new(plan, model)?)?;
        job.refit(None)?;
        let own = Arc::clone(&job.runner().plan);
        let exact = Arc::new(Plan { precision: ResolvedPrecision::Fp32, ..(*own).clone() });
        let order = job.runner().feed.order(0)?;
        let first = job.runner().feed.train(0, 0)?.next_update(1)?;
        let first = first.and_then(|update| update.batches.into_iter().next());
        let first = first.ok_or(TrainError::Unreadable(1))?;
        Ok(Bench {
            job,
            beside,
            wanted,
            start,
            own,
            exact,
            resting,
            order,
            first,
            fitter: None,
            seconds_exact: 0.0,
            seconds_own: 0.0,
            seconds_forward: 0.0,
        })
    }

    pub fn runner(&self) -> &Runner {
        self.job.runner()
    }

    pub fn plan(&self) -> &Plan {
        &self.own
    }

    /// Whether embeddings are contrasted, and there are no answers.
    pub fn contrasts(&self) -> bool {
        self.own.recipe.contrastive.is_some()
    }

    /// The first half of an update. Where the loss scale of fp16 is too large for it, it is lowered first: a run leaves
    /// such updates out, and nothing would be seen of them.
    pub fn gradients(&mut self, update: &Update, number: u64) -> Result<Step, TrainError> {
        loop {
            let mut half = self.job.gradients(update, number)?;
            if !half.end.skipped {
                return Ok(half);
            }
            self.job.apply(&mut half, 0.0)?;
        }
    }

    /// What the model was before anything was measured, in the order of its tensors.
    pub fn start(&self) -> &[Tensor] {
        &self.start
    }

    /// Weights and buffers as they were, and an optimizer that remembers nothing.
    pub fn reset(&mut self) -> Result<(), TrainError> {
        self.runner_in(&Arc::clone(&self.own));
        // what is frozen cannot move, and may be most of the model: it is put back at the very end
        self.put_back(|entry, trainable| trainable || entry.role == Role::Buffer)?;
        self.job.refit(None)
    }

    /// The running statistics as they were: a forward pass in training mode moves them.
    pub fn reset_buffers(&self) -> Result<(), TrainError> {
        self.put_back(|entry, _| entry.role == Role::Buffer)
    }

    fn put_back(&self, which: impl Fn(&Entry, bool) -> bool) -> Result<(), TrainError> {
        let _quiet = tch::no_grad_guard();
        let planned = self.own.model.tensors.iter().map(|tensor| tensor.trainable);
        let entries = self.runner().model.store.entries().iter().zip(planned);
        for ((entry, trainable), start) in entries.zip(&self.start) {
            if which(entry, trainable) {
                entry.tensor.shallow_clone().f_copy_(start)?;
            }
        }
        Ok(())
    }

    /// Runs something in fp32, whatever the recipe's precision.
    pub fn exact<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        self.runner_in(&Arc::clone(&self.exact));
        let result = run(self);
        self.runner_in(&Arc::clone(&self.own));
        result
    }

    fn runner_in(&mut self, plan: &Arc<Plan>) {
        self.job.runner_mut().plan = Arc::clone(plan);
    }

    /// The first `count` samples of the first batch, as training sees them. Fewer where it is smaller.
    pub fn small(&self, count: usize) -> Result<Batch, TrainError> {
        let count = count.min(self.first.indices.len());
        let indices = self.first.indices.iter().take(count).copied().collect();
        samples::one(self.runner(), "train", true, indices)
    }

    /// The batch behind what rests, where something does: what a run with a prefix sees.
    pub fn short(&self, batch: Batch) -> Result<Batch, TrainError> {
        if self.resting == 0 {
            return Ok(batch);
        }
        self.runner().behind(&batch, self.resting)
    }

    /// Whether leading parts give the same for a sample every time.
    pub fn rests(&self) -> bool {
        self.resting > 0
    }

    /// Samples of a batch that a probe of so many passes can afford in so many seconds, at most `most`.
    pub fn affordable(&self, passes: f64, seconds: f64, most: usize) -> usize {
        let each = passes * self.seconds_exact.max(1e-9);
        ((seconds / each) as usize).clamp(2, most.max(2)).min(self.first.indices.len())
    }

    /// Everything handed back as it came.
    pub fn into_prepared(mut self) -> Result<Prepared, TrainError> {
        self.reset()?;
        self.put_back(|_, _| true)?;
        let Prepared { mut plan, model } = self.job.into_prepared()?;
        for (entry, wanted) in model.store.entries().iter().zip(self.wanted) {
            if entry.tensor.requires_grad() != wanted {
                let _ = entry.tensor.shallow_clone().f_requires_grad_(wanted)?;
            }
        }
        plan.streams = self.beside;
        Ok(Prepared { plan, model })
    }
}

/// The plan of every stream as if there were no other, the first one's first; the plan itself where there are none.
pub(crate) fn each(plan: &Plan) -> Vec<Plan> {
    let alone = |own: &Plan| Plan {
        streams: Vec::new(),
        base: plan.base.clone(),
        device: plan.device.clone(),
        ..own.clone()
    };
    luthier_plan::streams::all(plan).map(alone).collect()
}

fn copies(model: &Model) -> Result<Vec<Tensor>, TrainError> {
    let _quiet = tch::no_grad_guard();
    model.store.entries().iter().map(|entry| Ok(entry.tensor.f_detach_copy()?)).collect()
}
