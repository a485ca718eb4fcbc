use miette::Diagnostic;
use thiserror::Error;

/// A plan that cannot be made, with the recipe key that stands in the way.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
#[error("{what}")]
pub struct PlanError {
    /// Recipe key, such as `optim.groups[0].match`
    pub key: String,
    /// What is wrong
    pub what: String,
    /// What to do
    #[help]
    pub help: Option<String>,
}

impl PlanError {
    /// An error at `key` without a hint.
    pub fn at(key: impl Into<String>, what: impl Into<String>) -> Self {
        PlanError { key: key.into(), what: what.into(), help: None }
    }

    /// Adds a hint.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
