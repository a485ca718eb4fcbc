//! One optimizer update.

use luthier_model::Input;
use luthier_plan::{Position, StepEnd};
use luthier_torch::manual_seed;
use tch::{Kind, Tensor};

use crate::TrainError;
use crate::feed::{Batch, Start, Update};
use crate::job::Job;
use crate::optim::all_finite;

/// What one update came to. `end.at` and `end.seconds` are filled in by the session.
pub struct Step {
    /// The event to tell
    pub end: StepEnd,
    /// Sum of the losses
    pub loss_sum: f64,
    /// What it is divided by
    pub denominator: f64,
    /// Samples
    pub count: u64,
}

impl Job {
    /// clear → forward → backward (for each batch) → clip → step, at the groups' rates times `factor`.
    pub(crate) fn step(&mut self, update: &Update, number: u64, factor: f64) -> Result<Step, TrainError> {
        let mut step = self.gradients(update, number)?;
        self.apply(&mut step, factor)?;
        Ok(step)
    }

    /// The first half of an update: zero → forward → backward. The gradients of `update` stand on the parameters;
    /// `number` decides what dropout draws. [`Job::apply`] is the other half.
    ///
    /// # Errors
    /// The loss or a gradient is not finite.
    pub fn gradients(&mut self, update: &Update, number: u64) -> Result<Step, TrainError> {
        let denominator: f64 =
            update.batches.iter().map(|batch| self.runner.objective.denominator(&batch.labels)).sum();
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
                seconds: 0.0,
                data_seconds: update.wait.as_secs_f64(),
            },
            loss_sum: 0.0,
            denominator,
            count,
        };
        self.optimizer.clear_grads()?;
        for (part, batch) in update.batches.iter().enumerate() {
            // dropout is a function of (seed, update, batch), so a resumed run draws the same
            manual_seed(mix(self.runner.plan.recipe.seed, number, part as u64));
            let (sum, correct) = self.accumulate(batch, denominator, number)?;
            step.loss_sum += sum;
            step.end.correct += correct;
        }
        step.end.loss = step.loss_sum / denominator;
        step.end.grad_norm = self.optimizer.grad_norm()?;
        if !step.end.grad_norm.is_finite() {
            return Err(self.bad_gradient(number)?);
        }
        Ok(step)
    }

    /// The second half of an update: clip → step, at the groups' rates times `factor`, and the average of the weights.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn apply(&mut self, step: &mut Step, factor: f64) -> Result<(), TrainError> {
        step.end.lr = self.optimizer.rates(factor);
        if let Some(max) = self.runner.plan.recipe.train.clip_grad_norm {
            step.end.clipped = self.optimizer.clip(step.end.grad_norm, max)?;
        }
        self.optimizer.step(factor)?;
        if let Some(ema) = &mut self.ema {
            ema.update(&self.optimizer.values())?;
        }
        Ok(())
    }

    /// Forward and backward of one batch: adds its share to the gradients, returns its sum of losses and right answers.
    fn accumulate(&mut self, batch: &Batch, denominator: f64, number: u64) -> Result<(f64, u64), TrainError> {
        let logits = self.runner.forward(batch, true)?;
        let labels = batch.truth(self.runner.device)?;
        let sum = self.runner.objective.sum(&logits, &labels)?;
        let value = sum.f_double_value(&[])?;
        if !value.is_finite() {
            return Err(self.bad_loss(batch, &logits, number)?);
        }
        self.runner.objective.for_gradient(&sum, denominator)?.f_backward()?;
        Ok((value, self.runner.objective.right(&logits, &labels)?))
    }

    fn bad_loss(&self, batch: &Batch, logits: &Tensor, number: u64) -> Result<TrainError, TrainError> {
        let what = if !finite_start(batch)? {
            self.bad_input(batch)?
        } else if let Some(name) = self.first_bad_weight()? {
            format!("the weight `{name}` holds numbers that are not finite")
        } else {
            let row = (0..batch.labels.len())
                .find(|row| all_finite(&logits.get(*row as i64)).is_ok_and(|fine| !fine));
            match row {
                Some(row) => {
                    format!(
                        "the model's output for `{}` is not finite",
                        self.runner.feed.place_of(batch, row)
                    )
                }
                None => "the loss is not finite".to_string(),
            }
        };
        Ok(self.diverged(number, what))
    }

    fn bad_gradient(&self, number: u64) -> Result<TrainError, TrainError> {
        let what = match self.optimizer.first_bad_gradient()? {
            Some(name) => format!("the gradient of `{name}` is not finite"),
            None => "the norm of the gradient overflows".to_string(),
        };
        Ok(self.diverged(number, what))
    }

    fn first_bad_weight(&self) -> Result<Option<String>, TrainError> {
        for (name, tensor) in self.runner.model.state() {
            if tensor.kind() == Kind::Float && !all_finite(&tensor)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn diverged(&self, number: u64, what: String) -> TrainError {
        let lr = self.runner.plan.recipe.optim.lr;
        let help = format!(
            "no update was made from it and the last checkpoint is from before; the usual cause is a learning rate that \
             is too high (`optim.lr` is {lr}): try a tenth of it, or `train.clip_grad_norm = 1.0`"
        );
        TrainError::Diverged { update: number + 1, what, help }
    }
}

/// Whether what goes into the network is finite; token ids always are.
fn finite_start(batch: &Batch) -> Result<bool, TrainError> {
    match &batch.start {
        Start::Input(Input::Pictures(x) | Input::Rows(x)) => all_finite(x),
        Start::Input(Input::Tokens(_)) => Ok(true),
        Start::Behind(_, flow) => all_finite(&flow.hidden),
    }
}

/// Three numbers into one seed (SplitMix64's finaliser).
fn mix(seed: u64, update: u64, part: u64) -> u64 {
    let mut x = seed ^ update.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ part.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
