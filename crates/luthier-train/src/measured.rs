//! What one who measures needs of a job and a runner: to look at them, to begin anew, and to start where frozen parts
//! end.

use std::rc::Rc;

use luthier_model::{Flow, Model};
use luthier_plan::{GroupPlan, Plan};
use luthier_recipe::Rule;
use luthier_torch::{autocast_to, clear_grad};

use crate::contrast::Contrast;
use crate::feed::{Batch, Start};
use crate::job::{Job, optimizer_of};
use crate::runner::Runner;
use crate::{Optimizer, Prepared, TrainError};

/// A rule at one rate for every parameter, without weight decay, instead of the recipe's.
#[derive(Debug, Clone, PartialEq)]
pub struct OtherRule {
    /// The rule
    pub rule: Rule,
    /// Its rate
    pub lr: f64,
}

impl Job {
    /// The model with its data.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// As [`Job::runner`], to be changed.
    pub fn runner_mut(&mut self) -> &mut Runner {
        &mut self.runner
    }

    /// What moves the parameters.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Begins the first stage anew, with an optimizer that remembers nothing: the recipe's, or another rule. Weights
    /// and the loss scale stay as they are, no average of the weights is kept any longer, and a key encoder is their copy.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn refit(&mut self, other: Option<&OtherRule>) -> Result<(), TrainError> {
        self.ema = None;
        self.enter(0)?;
        if self.contrast.is_some() {
            self.contrast = Contrast::new(&self.runner)?;
        }
        if let Some(OtherRule { rule, lr }) = other {
            let plan = &self.runner.plan;
            let group = |group: &GroupPlan| GroupPlan { lr: *lr, weight_decay: 0.0, ..group.clone() };
            let groups: Vec<GroupPlan> = plan.groups.iter().map(group).collect();
            self.optimizer = optimizer_of(&self.runner, 0, rule, &groups, false)?;
        }
        Ok(())
    }

    /// The plan and its model, as they are now: off the optimizer's books, no gradient kept, and wanting gradients as
    /// planned.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn into_prepared(self) -> Result<Prepared, TrainError> {
        let Job { runner: Runner { plan, model, .. }, others, .. } = self;
        // they hold on to the model
        drop(others);
        for (entry, planned) in model.store.entries().iter().zip(&plan.model.tensors) {
            if planned.trainable {
                clear_grad(&entry.tensor)?;
                let _ = entry.tensor.shallow_clone().f_requires_grad_(true)?;
            }
        }
        let plan = std::sync::Arc::unwrap_or_clone(plan);
        let lent = || TrainError::State("the model is in use".into());
        Ok(Prepared { plan, model: Rc::into_inner(model).ok_or_else(lent)? })
    }
}

impl Runner {
    /// The batch behind its first `parts` parts: what they give in evaluation, without a gradient. For parts that are
    /// frozen and draw nothing it is what training sees.
    ///
    /// # Errors
    /// There are no such parts, or the batch starts behind some already.
    pub fn behind(&self, batch: &Batch, parts: usize) -> Result<Batch, TrainError> {
        let Start::Input(input) = &batch.start else {
            return Err(TrainError::State("the batch starts behind some parts already".into()));
        };
        let model: &Model = &self.model;
        let flow: Flow = {
            let _quiet = tch::no_grad_guard();
            autocast_to(self.device, self.half(), || model.run(0..parts, model.begin(input)?, false))?
        };
        let start = Start::Behind(parts, flow);
        let values = batch.values.as_ref().map(tch::Tensor::shallow_clone);
        let (labels, more, indices) = (batch.labels.clone(), batch.more.clone(), batch.indices.clone());
        Ok(Batch { start, labels, more, values, indices, second: None })
    }
}

/// Leading parts of a plan's first stage that rest and give the same for a sample every time, whether or not training
/// keeps what they give.
pub fn resting_parts(plan: &Plan, model: &Model) -> usize {
    let Some(stage) = plan.stages.first() else { return 0 };
    let frozen = crate::prefix::frozen_parts(plan, stage);
    model.parts().iter().take(frozen).take_while(|part| !part.noisy).count()
}
