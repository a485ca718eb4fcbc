//! Glob patterns over parameter names: `fc.*`, `layer[34].*`, `*.bias`. A star also matches dots.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::{PlanError, TensorPlan};

/// Compiled patterns, in the order given.
#[derive(Debug, Clone)]
pub struct Patterns {
    set: GlobSet,
    patterns: Vec<String>,
}

impl Patterns {
    /// Compiles `patterns`; `key` is the recipe key they come from, for errors.
    pub fn new(patterns: &[String], key: &str) -> Result<Self, PlanError> {
        let mut builder = GlobSetBuilder::new();
        for (index, pattern) in patterns.iter().enumerate() {
            builder.add(Glob::new(pattern).map_err(|error| PlanError {
                key: format!("{key}[{index}]"),
                what: format!("`{pattern}` is not a pattern: {}", error.kind()),
                help: Some("`*` matches anything, `?` one character, `[ab]` one of them".into()),
            })?);
        }
        let set = builder.build().map_err(|error| PlanError::at(key, error.to_string()))?;
        Ok(Patterns { set, patterns: patterns.to_vec() })
    }

    /// As [`Patterns::new`], of parameters that the model trains: a pattern that matches none is an error, since it is
    /// always a slip.
    pub fn over_trained(patterns: &[String], key: &str, tensors: &[TensorPlan]) -> Result<Self, PlanError> {
        let matcher = Patterns::new(patterns, key)?;
        let trained = tensors.iter().filter(|tensor| tensor.trainable).map(|tensor| tensor.name.as_str());
        if let Some((index, pattern)) = matcher.unused(trained).first() {
            let what = format!("`{pattern}` matches no parameter that the model trains");
            return Err(PlanError::at(format!("{key}[{index}]"), what).help(
                "`luthier check` lists them; what `model.freeze` or `model.train` leaves out is not among them",
            ));
        }
        Ok(matcher)
    }

    /// Index of the first pattern that matches `name`.
    pub fn first(&self, name: &str) -> Option<usize> {
        self.set.matches(name).into_iter().min()
    }

    /// The patterns that match none of `names`.
    pub fn unused<'a>(&'a self, names: impl Iterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
        let mut used = vec![false; self.patterns.len()];
        for name in names {
            for index in self.set.matches(name) {
                used[index] = true;
            }
        }
        used.iter()
            .zip(&self.patterns)
            .enumerate()
            .filter(|(_, (used, _))| !**used)
            .map(|(i, (_, p))| (i, p.as_str()))
            .collect()
    }
}
