//! Does the order of tokens count: the same text with its inner tokens turned round.

use luthier_doctor::ProbeFacts;

use super::Outcome;
use super::sentences::{pooled, text};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::norms::relative_change;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    // the first and the last stay: the head may read them alone
    let turned = |text: &[u32]| {
        let mut turned = text.to_vec();
        if let Some(inner) = turned.get_mut(1..text.len().saturating_sub(1)) {
            inner.reverse();
        }
        turned
    };
    let text = text(bench, |text| turned(text) != text)?;
    let (a, b) = (pooled(bench, &[&text], 0)?, pooled(bench, &[&turned(&text)], 0)?);
    facts.positions = Some(relative_change(&a, &b)?);
    Ok(())
}
