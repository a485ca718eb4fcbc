//! What rules may look at.

mod logs;
mod probes;
mod run;

pub use probes::*;
pub use run::*;

use luthier_plan::{Plan, PlanError};
use luthier_recipe::Loaded;

use crate::script::Script;

/// Everything that is known of a subject. What is not known is `None`, and rules that need it stay silent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The recipe as it was typed
    pub recipe: Option<&'a Loaded>,
    /// What was planned
    pub plan: Option<&'a Plan>,
    /// Why nothing could be planned
    pub refused: Option<&'a PlanError>,
    /// What was measured on the live model
    pub probes: Option<&'a ProbeFacts>,
    /// What a run wrote down
    pub run: Option<&'a RunFacts>,
    /// What a training script in Python says
    pub script: Option<&'a Script>,
}

impl Facts<'_> {
    /// Line of the recipe on which a key stands, counted from 1.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.recipe?.place(key).map(|place| place.line)
    }
}
