//! Glob patterns over parameter names: `fc.*`, `layer[34].*`, `*.bias`. A star also matches dots.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::PlanError;

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
