//! Does a token see those after it: what earlier positions give when the last token is another one.

use luthier_doctor::ProbeFacts;
use luthier_model::ModelError;
use tch::Tensor;

use super::Outcome;
use super::sentences::{hidden, packed, text};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::norms::relative_change;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    let text = text(bench, |text| text.len() >= 2)?;
    let vocabulary = bench.runner().model.vocab_size().unwrap_or(2).max(2);
    let mut other = text.clone();
    if let Some(last) = other.last_mut() {
        *last = ((i64::from(*last) + 1) % vocabulary) as u32;
    }
    let [a, b] = [tokens_of(bench, &text)?, tokens_of(bench, &other)?];
    let earlier = text.len() as i64 - 1;
    facts.future = Some(relative_change(&a.f_narrow(0, 0, earlier)?, &b.f_narrow(0, 0, earlier)?)?);
    Ok(())
}

/// What every token of a text becomes: through all blocks where there is a language-model head, otherwise through all
/// but the last, which may give one token alone.
fn tokens_of(bench: &Bench, text: &[u32]) -> Result<Tensor, luthier_train::TrainError> {
    let _quiet = tch::no_grad_guard();
    match bench.runner().model.next_tokens(packed(bench, &[text])?, false) {
        Ok(scores) => Ok(scores),
        Err(ModelError::NoLanguageModel) => hidden(bench, &[text], 2),
        Err(error) => Err(error.into()),
    }
}
