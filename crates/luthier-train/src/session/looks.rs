//! When a session looks at what was learned, and what it makes of it.

use std::sync::Arc;

use luthier_plan::{EvalEnd, Event, Plan};

use super::Session;
use crate::TrainError;

impl Session<'_> {
    /// Begins an epoch of a contrastive run: what it minimises, and the prototypes, which a run that goes on in the middle
    /// of the epoch has from its checkpoint. The first one begins with a look and a full queue.
    pub(super) fn begin_contrast(&mut self, plan: &Plan) -> Result<(), TrainError> {
        if self.state.update == 0 && self.job.contrast.is_some() {
            // what the weights are worth as they are is the floor that later looks are held against; trials need none, and
            // ranks that save nothing wait for it
            if self.saves || self.job.member.is_some() {
                self.evaluate(plan)?;
            }
            self.job.fill_queue()?;
        }
        let Some(contrast) = &mut self.job.contrast else { return Ok(()) };
        let losses = plan.losses_of(self.state.epoch);
        self.job.runner.objective.run_only(&losses);
        if contrast.begin(losses)
            && self.state.batch == 0
            && let Some(clustered) = self.job.cluster(self.state.position(&plan.length))?
        {
            self.tell(&Event::Clustered(clustered))?;
        }
        Ok(())
    }

    /// What `eval.every` asks for: the validation split, or quick estimates on some of it and of the training split.
    pub(super) fn look(&mut self, plan: &Plan) -> Result<(), TrainError> {
        let Some(batches) = plan.recipe.eval.batches else { return self.evaluate(plan) };
        for split in ["train", "valid"] {
            if plan.data.split(split).is_some() {
                let result = self.job.estimate(split, batches)?;
                self.tell(&Event::EvalEnd(EvalEnd { at: self.at(), ..result.summary }))?;
            }
        }
        Ok(())
    }

    /// Evaluates a whole split at the end of the run, where these weights were not evaluated on it already.
    pub(super) fn look_back(&mut self, plan: &Plan, split: &str) -> Result<(), TrainError> {
        let done = split == "valid" && self.state.evaluated == Some(self.state.update);
        if done || plan.data.split(split).is_none() || self.job.contrast.is_some() {
            return Ok(());
        }
        let at = self.at();
        let batches = self.job.runner.feed.batches_of(split);
        self.tell(&Event::EvalBegin { at, split: split.into(), batches })?;
        let result = self.job.evaluate(split)?;
        self.tell(&Event::EvalEnd(EvalEnd { at, ..result.summary }))?;
        self.others_on(split)
    }

    /// Evaluates the other streams on a split, where they have it.
    fn others_on(&mut self, split: &str) -> Result<(), TrainError> {
        let at = self.at();
        for index in 0..self.job.others.len() {
            let Some(result) = self.job.evaluate_other(index, split)? else { continue };
            let Some(job) = self.job.others.get(index) else { continue };
            let (plan, end) = (Arc::clone(&job.runner.plan), EvalEnd { at, ..result.summary });
            if let Some(state) = self.state.streams.get_mut(index).filter(|_| split == "valid") {
                let (metric, higher) = metric_of(&plan, &end);
                state.plateau.observe(&plan.recipe.schedule, plan.recipe.optim.lr, metric, higher);
            }
            self.tell(&Event::EvalEnd(end))?;
        }
        Ok(())
    }

    /// Evaluates the validation split, unless these very weights were evaluated already.
    pub(super) fn evaluate(&mut self, plan: &Plan) -> Result<(), TrainError> {
        if self.job.contrast.is_some() && self.state.evaluated != Some(self.state.update) {
            self.state.evaluated = Some(self.state.update);
            let end = self.job.embeddings(self.at())?;
            return end.map_or(Ok(()), |end| self.tell(&Event::Embeddings(end)));
        }
        if self.job.contrast.is_some()
            || plan.data.split("valid").is_none()
            || self.state.evaluated == Some(self.state.update)
        {
            return Ok(());
        }
        let at = self.at();
        let batches = self.job.runner.feed.batches_of("valid");
        self.tell(&Event::EvalBegin { at, split: "valid".into(), batches })?;
        let result = self.job.evaluate("valid")?;
        let end = EvalEnd { at, ..result.summary };
        let (metric, higher) = metric_of(plan, &end);
        self.state.evaluated = Some(self.state.update);
        self.state.judge(metric, higher, plan.recipe.train.early_stopping.as_ref());
        self.state.plateau.observe(&plan.recipe.schedule, plan.recipe.optim.lr, metric, higher);
        self.tell(&Event::EvalEnd(end))?;
        self.others_on("valid")
    }
}

/// The number that says which weights are best, and whether more is better.
fn metric_of(plan: &Plan, end: &EvalEnd) -> (f64, bool) {
    let metric = plan.recipe.eval.metric;
    (end.judged_by(metric), metric.higher_is_better())
}
