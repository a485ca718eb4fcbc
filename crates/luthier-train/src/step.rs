//! One optimizer update.

use luthier_plan::{Position, Spike, StepEnd, TensorPoint, Watch, is_looked_at};
use luthier_torch::manual_seed;

use crate::TrainError;
use crate::feed::{Batch, Update};
use crate::job::Job;
use crate::objective::Score;
use crate::scaler::Scaler;
use crate::task_gradients::{Compared, TaskGradients};
use crate::weighting::Weighting;

/// What one update came to. `end.at` and `end.seconds` are filled in by the session.
pub struct Step {
    /// The event to tell
    pub end: StepEnd,
    /// Sums of the losses of each head
    pub scores: Vec<Score>,
    /// Samples
    pub count: u64,
    /// Every trained tensor, at updates that are looked at
    pub look: Option<Vec<TensorPoint>>,
    /// The loss was far above the ones before
    pub spike: Option<Spike>,
    /// Gradients of each head by itself, where they were compared
    compared: Compared,
}

/// A batch's place in an update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// The update, counted from 0
    pub number: u64,
    /// Which of its batches, counted from 0
    pub part: u64,
    /// It is this rank's last one
    pub last: bool,
    /// How many there are, those included that are other ranks' alone or could not be read
    pub parts: u64,
    /// What its loss is multiplied by before the backward pass
    pub scale: f64,
}

impl Job {
    /// clear → forward → backward (for each batch) → clip → step, at the groups' rates times `factor`. `watch` knows
    /// the losses before; `also` may add to the gradients.
    pub(crate) fn step(
        &mut self,
        update: &Update,
        number: u64,
        factor: f64,
        watch: &Watch,
        also: &mut dyn FnMut() -> Result<bool, TrainError>,
    ) -> Result<Step, TrainError> {
        self.optimizer.clear_grads()?;
        let mut step = self.add_gradients(update, number, self.scale())?;
        // a scale is taken out once, when all is there
        if self.scaler.is_none() {
            self.measured(&mut step, update, number)?;
            if also()? {
                self.measure(&mut step, number)?;
            }
        } else {
            also()?;
            self.measured(&mut step, update, number)?;
        }
        // what is looked at and told twice is the first stream's
        let first = self.runner.beside().is_empty();
        // a contrast computed again would be held against other keys
        let repeatable = first && self.contrast.is_none();
        if let Some(rise) = watch.spike(number + 1, step.end.loss).filter(|_| repeatable) {
            let spike = self.again(update, number, step.end.loss, rise)?;
            step.spike = Some(self.merged(spike)?);
        }
        // of what is skipped there is nothing to see
        let looked_at = first && !step.end.skipped && is_looked_at(&self.runner.plan, number + 1);
        let look = looked_at.then(|| self.optimizer.begin_look()).transpose()?;
        self.apply(&mut step, factor)?;
        if let Some(begun) = look {
            step.look = Some(self.optimizer.end_look(begun, &self.runner.plan.model.tensors)?);
        }
        Ok(step)
    }

    /// The first half of an update: clear → forward → backward. The gradients of `update` stand on the parameters;
    /// `number` decides what dropout draws. [`Job::apply`] is the other half.
    ///
    /// In fp16 the loss scale has been taken out of them; where they overflowed at that scale, `end.skipped` says so, and
    /// the other half moves nothing but the scale.
    ///
    /// # Errors
    /// The loss or a gradient is not finite.
    pub fn gradients(&mut self, update: &Update, number: u64) -> Result<Step, TrainError> {
        self.optimizer.clear_grads()?;
        let mut step = self.add_gradients(update, number, self.scale())?;
        self.measured(&mut step, update, number)?;
        Ok(step)
    }

    /// What the loss is multiplied by before its backward pass.
    pub(crate) fn scale(&self) -> f64 {
        self.scaler.as_ref().map_or(1.0, Scaler::scale)
    }

    /// As [`Job::measure`]; of an error it is said on which rank.
    fn measured(&mut self, step: &mut Step, update: &Update, number: u64) -> Result<(), TrainError> {
        match self.measure(step, number) {
            Err(error) => Err(self.with_rank(error, update, number)?),
            fine => fine,
        }
    }

    /// Takes the gradients' norm, and before it the loss scale out of them.
    fn measure(&self, step: &mut Step, number: u64) -> Result<(), TrainError> {
        let norm = self.optimizer.grad_norm()?;
        let Some(scaler) = &self.scaler else {
            step.end.grad_norm = norm;
            return if norm.is_finite() { Ok(()) } else { Err(self.bad_gradient(number)?) };
        };
        step.end.loss_scale = Some(scaler.scale());
        // a sum in double precision is finite where every number is
        step.end.skipped = !norm.is_finite();
        if step.end.skipped {
            step.end.grad_norm = norm;
            return if scaler.is_exhausted() { Err(self.overflowing(scaler, number)?) } else { Ok(()) };
        }
        self.optimizer.unscale(scaler.inverse())?;
        step.end.grad_norm = norm * scaler.inverse();
        Ok(())
    }

    /// forward → backward: adds the gradients of `update`, times `scale`, to those that stand on the parameters.
    pub(crate) fn add_gradients(
        &mut self,
        update: &Update,
        number: u64,
        scale: f64,
    ) -> Result<Step, TrainError> {
        let mut denominators = vec![0.0; self.runner.objective.len()];
        for batch in &update.batches {
            for (sum, own) in denominators.iter_mut().zip(self.runner.objective.denominators(batch)) {
                *sum += own;
            }
        }
        let count: u64 = update.batches.iter().map(|batch| batch.labels.len() as u64).sum();
        let mut step = Step {
            end: StepEnd {
                at: Position { update: 0, epoch: 0, samples: 0, epochs: 0.0 },
                loss: 0.0,
                correct: 0,
                count,
                lr: Vec::new(),
                grad_norm: 0.0,
                clipped: false,
                loss_scale: None,
                skipped: false,
                seconds: 0.0,
                data_seconds: update.wait.as_secs_f64(),
                stream: self.runner.beside(),
                tasks: Vec::new(),
                gradient_cosine: Vec::new(),
            },
            scores: vec![Score::default(); denominators.len()],
            count,
            look: None,
            spike: None,
            compared: Compared::default(),
        };
        let mut each = self.task_gradients(number);
        self.same_statistics()?;
        if let Some(contrast) = &mut self.contrast {
            contrast.follow(&self.runner)?;
        }
        self.begin_exchange(&mut denominators)?;
        for (part, batch) in update.batches.iter().enumerate() {
            // dropout is a function of (seed, update, batch), so a resumed run draws the same
            let _draws = manual_seed(self.seed_of(number, part as u64));
            let last = part + 1 == update.batches.len();
            let at = Part { number, part: part as u64, last, parts: update.taken, scale };
            let scores = self.accumulate(batch, &denominators, at, each.as_mut())?;
            for (sum, own) in step.scores.iter_mut().zip(scores) {
                sum.add(own);
            }
        }
        if update.batches.is_empty() {
            self.keep_company(update.taken, number)?;
        }
        self.agree(&mut step, number)?;
        step.end.loss = self.runner.objective.mean(&step.scores);
        step.end.correct = self.runner.objective.correct(&step.scores);
        step.end.tasks = self.runner.objective.told(&step.scores, step.count);
        if let Some(each) = each {
            let ranks = self.member.as_ref().and(self.runner.ranks.as_deref());
            step.compared = each.end(step.end.tasks.len(), ranks, scale)?;
            let names: Vec<String> = step.end.tasks.iter().map(|task| task.head.clone()).collect();
            step.end.gradient_cosine = step.compared.cosines(&names);
        }
        if let Some(weighting) = &self.weighting {
            for (task, weight) in step.end.tasks.iter_mut().zip(weighting.weights()) {
                task.weight = Some(*weight);
            }
        }
        Ok(step)
    }

    /// Moves the learned weights of the heads by what an update came to.
    pub(crate) fn weigh(&mut self, step: &Step, factor: f64) -> Result<(), TrainError> {
        let losses = self.runner.objective.reduced(&step.scores);
        match &mut self.weighting {
            Some(weighting) => weighting.update(&losses, &step.compared.norms, factor),
            None => Ok(()),
        }
    }

    /// The second half of an update: clip → step, at the groups' rates times `factor`, and the average of the weights.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn apply(&mut self, step: &mut Step, factor: f64) -> Result<(), TrainError> {
        step.end.lr = self.optimizer.rates(factor);
        if let Some(scaler) = &mut self.scaler {
            scaler.update(!step.end.skipped);
        }
        if step.end.skipped {
            return Ok(());
        }
        if let Some(max) = self.runner.plan.recipe.train.clip_grad_norm {
            step.end.clipped = self.optimizer.clip(step.end.grad_norm, max)?;
        }
        self.optimizer.step(factor)?;
        self.weigh(step, factor)?;
        // with streams, when all have had their turn
        if self.runner.plan.streams.is_empty() { self.average() } else { Ok(()) }
    }

    /// Forward and backward of one batch: adds its share to the gradients, returns its losses and right answers.
    fn accumulate(
        &mut self,
        batch: &Batch,
        denominators: &[f64],
        at: Part,
        each: Option<&mut TaskGradients>,
    ) -> Result<Vec<Score>, TrainError> {
        if self.contrast.is_some() {
            return self.accumulate_contrast(batch, denominators, at);
        }
        let logits = self.runner.forward(batch, true)?;
        let sums = self.runner.objective.sums(&logits, batch)?;
        let mut scores = Vec::with_capacity(sums.len());
        for (sum, denominator) in sums.iter().zip(self.runner.objective.denominators(batch)) {
            let loss = sum.f_double_value(&[])?;
            if !loss.is_finite() {
                let error = self.bad_loss(batch, &logits, at)?;
                self.fail(error)?;
            }
            scores.push(Score { loss, denominator, ..Score::default() });
        }
        let parts = self.runner.objective.parts(&sums, denominators)?;
        if let Some(each) = each {
            each.add(&parts, at.scale)?;
        }
        let weights = self.weighting.as_ref().map(Weighting::weights);
        self.backward(&self.runner.objective.weighed(&parts, weights)?, at)?;
        for (score, right) in scores.iter_mut().zip(self.runner.objective.right(&logits, batch)?) {
            score.right = right;
        }
        Ok(scores)
    }
}

/// Three numbers into one seed (SplitMix64's finaliser).
pub(crate) fn mix(seed: u64, update: u64, part: u64) -> u64 {
    let mut x = seed ^ update.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
