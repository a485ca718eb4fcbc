//! What comes after a network's features: one linear layer, or several heads.

use luthier_recipe::Hidden;
use tch::Tensor;

use crate::arch::Options;
use crate::layers::Linear;
use crate::projection::Projection;
use crate::{Builder, Flow, ModelError, Part};

/// One of several heads, as it is to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadSpec {
    /// Its name, and that of its last layer
    pub name: String,
    /// Numbers that it gives of each sample
    pub classes: i64,
    /// Linear layers before it, each with a ReLU
    pub hidden: Vec<Hidden>,
}

impl HeadSpec {
    /// Names and widths of its hidden layers; a named one is as wide as the features.
    fn layers(&self, features: i64) -> Vec<(String, i64)> {
        let layer = |(index, hidden): (usize, &Hidden)| match hidden {
            Hidden::Name(name) => (name.clone(), features),
            Hidden::Width(width) => {
                (format!("{}_hidden.{index}", self.name), i64::try_from(*width).unwrap_or(i64::MAX))
            }
        };
        self.hidden.iter().enumerate().map(layer).collect()
    }
}

/// Layers that all belong to heads, by what they are called below.
pub(crate) fn prefixes(heads: &[HeadSpec]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for head in heads {
        let layers = head.layers(1).into_iter().map(|(name, _)| name);
        for name in layers.chain([head.name.clone()]) {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    all
}

/// What comes after the features.
#[derive(Debug)]
pub(crate) enum Head {
    /// A linear layer
    One(Linear),
    /// Several heads, over hidden layers that they may share
    Many(Many),
    /// Embeddings to contrast
    Embedding(Box<Projection>),
}

/// Several heads.
#[derive(Debug)]
pub(crate) struct Many {
    /// Hidden layers, each after the one that is named, or after the features
    hidden: Vec<(Option<usize>, Linear)>,
    /// The hidden layer that each comes after, and its own
    heads: Vec<(Option<usize>, Linear)>,
}

impl Head {
    /// The layer `name` for `classes` classes, or what `options` have instead of it, below the root `place`.
    /// `features` is the width of what they read.
    pub(crate) fn new(
        place: &mut Builder<'_>,
        name: &str,
        features: i64,
        classes: i64,
        options: &Options,
    ) -> Result<Self, ModelError> {
        if let Some(spec) = options.projection {
            let projection = Projection::new(place, name, features, classes, spec)?;
            return Ok(Head::Embedding(Box::new(projection)));
        }
        let heads = &options.heads;
        if heads.is_empty() {
            return Ok(Head::One(Linear::new(place.at(name), features, classes)?));
        }
        let mut names: Vec<String> = Vec::new();
        let mut many = Many { hidden: Vec::new(), heads: Vec::new() };
        for head in heads {
            let (mut after, mut width) = (None, features);
            for (name, own) in head.layers(features) {
                let known = names.iter().position(|known| *known == name);
                let index = match known {
                    Some(index) if many.hidden[index].0 == after => index,
                    Some(_) => return Err(ModelError::HiddenLayer { layer: name, head: head.name.clone() }),
                    None => {
                        many.hidden.push((after, Linear::new(place.at(&name), width, own)?));
                        names.push(name);
                        names.len() - 1
                    }
                };
                (after, width) = (Some(index), own);
            }
            many.heads.push((after, Linear::new(place.at(&head.name), width, head.classes)?));
        }
        Ok(Head::Many(many))
    }

    /// The part of a network that it is.
    pub(crate) fn part(name: &str, heads: &[HeadSpec], noisy: bool) -> Part {
        let prefixes = if heads.is_empty() { vec![name.to_owned()] } else { prefixes(heads) };
        Part { name: name.to_owned(), prefixes, noisy }
    }

    /// Features `[N, features]` to logits `[N, outputs]`: of several heads those that `flow` asks for, side by side.
    pub(crate) fn forward(&self, x: &Tensor, flow: &Flow) -> Result<Tensor, ModelError> {
        match self {
            Head::One(linear) => linear.forward(x),
            Head::Many(many) => many.forward(x, flow.heads.as_deref()),
            Head::Embedding(projection) => projection.forward(x, flow.heads.as_deref()),
        }
    }
}

impl Many {
    fn forward(&self, x: &Tensor, asked: Option<&[usize]>) -> Result<Tensor, ModelError> {
        let mut seen: Vec<Option<Tensor>> = self.hidden.iter().map(|_| None).collect();
        let all: Vec<usize> = (0..self.heads.len()).collect();
        let mut outputs = Vec::new();
        for (after, head) in asked.unwrap_or(&all).iter().filter_map(|index| self.heads.get(*index)) {
            let y = match after {
                Some(index) => head.forward(&self.reach(*index, x, &mut seen)?)?,
                None => head.forward(x)?,
            };
            outputs.push(y);
        }
        Ok(Tensor::f_cat(&outputs, 1)?)
    }

    /// What a hidden layer gives, computed once.
    fn reach(&self, index: usize, x: &Tensor, seen: &mut [Option<Tensor>]) -> Result<Tensor, ModelError> {
        if let Some(known) = &seen[index] {
            return Ok(known.shallow_clone());
        }
        let (after, layer) = &self.hidden[index];
        let y = match after {
            Some(before) => layer.forward(&self.reach(*before, x, seen)?)?,
            None => layer.forward(x)?,
        };
        let y = y.f_relu()?;
        seen[index] = Some(y.shallow_clone());
        Ok(y)
    }
}
