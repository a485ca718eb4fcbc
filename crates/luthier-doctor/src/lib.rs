//! Why a run does not converge: rules over what is known, and the verdict they come to.
//!
//! Measuring and judging are kept apart. What was planned, what probes measured on the live model, what a run wrote
//! down: all of it is [`Facts`], plain data. A [`Rule`] is a function from facts to findings, one file each, and the
//! [`Verdict`] puts causes before symptoms. Nothing here knows a tensor, so a rule is tested by writing down facts.

mod explains;
mod facts;
mod finding;
mod history;
mod outcome;
pub mod patch;
mod rank;
mod reading;
mod reference;
mod rule;
pub mod rules;
pub mod script;
mod stack;
mod streams;
#[cfg(test)]
mod testing;
mod verdict;

pub use facts::*;
pub use finding::*;
pub use rank::rank;
pub use reference::{index, reference_markdown};
pub use rule::{Kind, Rule, page};
pub use verdict::{Repair, Status, Verdict, judge};
