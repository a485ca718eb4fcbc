//! What a model computes, as a sequence of named parts.

use tch::Tensor;

use crate::{Flow, Input, ModelError};

/// A part of a network: what can be run, cached, frozen and looked at by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name: `stem`, `layer1.0`, `h.0`, `fc`
    pub name: String,
    /// Layers that belong to it, by their full names: `conv1` stands for `conv1.weight` and all else below it. Every
    /// parameter and buffer belongs to exactly one part
    pub prefixes: Vec<String>,
    /// It draws random numbers in training: dropout, stochastic depth
    pub noisy: bool,
}

impl Part {
    pub(crate) fn new(name: impl Into<String>, prefixes: &[&str], noisy: bool) -> Self {
        Self {
            name: name.into(),
            prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
            noisy,
        }
    }

    /// A part that is one layer of the same name.
    pub(crate) fn layer(name: &str, noisy: bool) -> Self {
        Self::new(name, &[name], noisy)
    }

    /// Whether the parameter or buffer of that name is one of this part.
    pub fn owns(&self, name: &str) -> bool {
        let below = |prefix: &String| {
            name.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.prefixes.iter().any(below)
    }
}

/// What a model computes; its parameters are in the [`ParamStore`](crate::ParamStore) that it was built on.
pub trait Network: Send {
    /// Its parts, in the order they run. The last one makes logits.
    fn parts(&self) -> &[Part];

    /// Checks an input and makes it what the first part takes. No parameter is used.
    ///
    /// # Errors
    /// The input is not one of this network.
    fn begin(&self, input: &Input) -> Result<Flow, ModelError>;

    /// Runs one part. `flow` is not changed. In training, normalisation layers that are trained use the batch's
    /// statistics and move the running ones, and dropout drops.
    ///
    /// # Errors
    /// The shape of `flow` does not fit.
    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError>;

    /// Numbers that its last part gives of each sample, and the layer that makes them; `None` where that is one for each
    /// class, made by the architecture's head.
    fn outputs(&self) -> Option<(i64, String)> {
        None
    }

    /// What [`Network::begin`] gives to scores of each token's successor, `[total, vocabulary]`, without the classifier.
    ///
    /// # Errors
    /// The architecture has no language-model head, or `flow` is not what the first part takes.
    fn next_tokens(&self, flow: &Flow, train: bool) -> Result<Tensor, ModelError> {
        let _ = (flow, train);
        Err(ModelError::NoLanguageModel)
    }
}
