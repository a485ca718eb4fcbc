//! Where a number that is not finite came from, and what the run was doing before.

use luthier_model::Input;
use luthier_plan::watch::{BAD_INPUT, GONE_OFF, Gone, NOT_FINITE};
use tch::{Kind, Tensor};

use crate::feed::{Batch, Start};
use crate::job::Job;
use crate::optim::all_finite;
use crate::scaler::Scaler;
use crate::step::Part;
use crate::{State, TrainError, checkpoint};

impl Job {
    /// Why the loss of a batch is not finite: the input, a weight, or the first part of the network that makes it so.
    pub(crate) fn bad_loss(
        &self,
        batch: &Batch,
        logits: &Tensor,
        at: Part,
    ) -> Result<TrainError, TrainError> {
        let number = at.number;
        if let Some(row) = bad_row(batch)? {
            let what = self.bad_input(batch, row)?;
            return Ok(self.diverged(number, BAD_INPUT, what));
        }
        let what = if let Some(name) = self.first_bad_weight()? {
            format!("the weight `{name}` holds numbers that are not finite")
        } else if all_finite(logits)? {
            "the loss is not finite, although the model's output is".to_string()
        } else {
            let row = (0..batch.labels.len()).find(|row| {
                logits.f_get(*row as i64).is_ok_and(|row| all_finite(&row).is_ok_and(|fine| !fine))
            });
            let sample = self.runner.feed.place_of(batch, row.unwrap_or(0));
            match self.first_bad_part(batch, number, at.part)? {
                Some(name) => format!("the output of `{name}` is not finite for `{sample}`"),
                None => format!(
                    "the model's output for `{sample}` is not finite, and was finite when it was computed again: the \
                     computation is not deterministic"
                ),
            }
        };
        Ok(self.diverged(number, NOT_FINITE, what))
    }

    /// Why the norm of the gradient is not finite. A gradient runs from the loss back to the input, so that of the bad
    /// ones which is nearest to the output came first.
    pub(crate) fn bad_gradient(&self, number: u64) -> Result<TrainError, TrainError> {
        let what = self.bad_gradients()?.unwrap_or_else(|| "the norm of the gradient overflows".to_string());
        Ok(self.diverged(number, NOT_FINITE, what))
    }

    /// Why an update of fp16 cannot be made at any scale.
    pub(crate) fn overflowing(&self, scaler: &Scaler, number: u64) -> Result<TrainError, TrainError> {
        let row = scaler.state().in_a_row + 1;
        let named = self.bad_gradients()?.unwrap_or_else(|| "the gradient is not finite".to_string());
        let what = format!(
            "{named}, at a loss scale of {:.1e}, after {row} updates in a row that overflowed: no scale is small enough \
             for fp16, which ends at 65504",
            scaler.scale()
        );
        let help = "`train.precision = \"bf16\"` has the range of fp32; a learning rate or a temperature that is too extreme \
                    makes gradients as large, too"
            .to_string();
        Ok(TrainError::Diverged { update: number + 1, rule: NOT_FINITE, what, help })
    }

    /// The gradients that are not finite, in words, and the layer that they begin at.
    fn bad_gradients(&self) -> Result<Option<String>, TrainError> {
        let plan = &self.runner.plan.model;
        let bad = self.optimizer.bad_gradients(&plan.tensors)?;
        let Some(name) = bad.last() else { return Ok(None) };
        let part = plan.tensors.iter().find(|tensor| tensor.name == *name).map(|tensor| tensor.part);
        let part = part.and_then(|part| plan.parts.get(part)).map_or("", String::as_str);
        let layer = if part.is_empty() { String::new() } else { format!(", in `{part}`,") };
        Ok(Some(match bad.len() {
            1 => format!("the gradient of `{name}`{layer} is not finite"),
            count => format!(
                "the gradient of `{name}`{layer} is not finite, and with it those of {} tensors nearer to the input",
                count - 1
            ),
        }))
    }

    fn first_bad_weight(&self) -> Result<Option<String>, TrainError> {
        for (name, tensor) in self.runner.model.state() {
            if tensor.kind() == Kind::Float && !all_finite(&tensor)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn diverged(&self, number: u64, rule: &'static str, what: String) -> TrainError {
        let lr = self.runner.plan.recipe.optim.lr;
        let help = match rule {
            BAD_INPUT => "look at the sample; `data.exclude` leaves it out".to_string(),
            _ => format!(
                "no update was made from it; the usual cause is a learning rate that is too high (`optim.lr` is {lr}): \
                 try a tenth of it, or `train.clip_grad_norm = 1.0`"
            ),
        };
        TrainError::Diverged { update: number + 1, rule, what, help }
    }

    /// The run has gone off without a number that is not finite.
    pub(crate) fn gone(&self, update: u64, gone: Gone) -> TrainError {
        let Gone { level, start, since } = gone;
        let what = format!(
            "the loss has stayed far above where it began since update {since}: its level is {level:.4}, {:.0} times \
             the {start:.4} of a model that has learned nothing",
            level / start
        );
        let lr = self.runner.plan.recipe.optim.lr;
        let help = format!(
            "the usual cause is a learning rate that is too high (`optim.lr` is {lr}): try a tenth of it; \
             `train.on_divergence = \"go-on\"` lets such a run go on"
        );
        TrainError::Diverged { update, rule: GONE_OFF, what, help }
    }
}

/// Adds to a run's error what its numbers were doing before and which checkpoint is from before.
pub(crate) fn explained(error: TrainError, state: &State) -> TrainError {
    let TrainError::Diverged { update, rule, what, help } = error else { return error };
    let kept = match state.good {
        Some(good) => format!("`checkpoints/{}` is from before", checkpoint::folder_name(good)),
        None => "no checkpoint was written before".to_string(),
    };
    let before = state.watch.growth().map_or(String::new(), |growth| format!("{growth}; "));
    TrainError::Diverged { update, rule, what, help: format!("rule {rule}; {before}{kept}; {help}") }
}

/// The first row of a batch with a number that is not finite; token ids always are.
fn bad_row(batch: &Batch) -> Result<Option<usize>, TrainError> {
    let numbers = match &batch.start {
        Start::Input(Input::Pictures(numbers) | Input::Rows(numbers)) => numbers,
        Start::Input(Input::Tokens(_)) => return Ok(None),
        Start::Behind(_, flow) => &flow.hidden,
    };
    if all_finite(numbers)? {
        return Ok(None);
    }
    // of texts, rows are tokens: the batch's first sample stands for all
    for row in 0..batch.labels.len() {
        if numbers.size().first() == Some(&(batch.labels.len() as i64))
            && !all_finite(&numbers.f_get(row as i64)?)?
        {
            return Ok(Some(row));
        }
    }
    Ok(Some(0))
}
