//! Is a short text the same beside a long one: batches are packed, but attention lays sequences side by side and fills
//! up the short ones.

use luthier_doctor::ProbeFacts;

use super::Outcome;
use super::sentences::{pooled, text};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::norms::relative_change;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    let longer = text(bench, |text| text.len() >= 3)?;
    // a beginning of another text, so that its own end is not in the batch
    let own = text(bench, |text| *text != longer[..])?;
    let short = &own[..own.len().min((longer.len() - 1).max(1))];
    let alone = pooled(bench, &[short], 0)?;
    let beside = pooled(bench, &[short, &longer], 0)?;
    facts.padding = Some(relative_change(&alone, &beside)?);
    Ok(())
}
