//! Which parameters are trained.

use luthier_plan::Patterns;

use crate::{Entry, Model, ModelError, arch_name};

impl Model {
    /// Takes the parameters that match a pattern out of training, for good, and returns their names. A BatchNorm whose
    /// scale is frozen keeps its statistics.
    ///
    /// # Errors
    /// A pattern is none, or matches no parameter; nothing is frozen then.
    pub fn freeze(&self, patterns: &[String]) -> Result<Vec<String>, ModelError> {
        let compiled = self.compiled(patterns, "freeze", "model.freeze")?;
        self.take_out(|name| compiled.first(name).is_some())
    }

    /// Takes all parameters but those that match a pattern out of training, for good, and returns the names of what is
    /// frozen.
    ///
    /// # Errors
    /// A pattern is none, or matches no parameter; nothing is frozen then.
    pub fn train_only(&self, patterns: &[String]) -> Result<Vec<String>, ModelError> {
        let compiled = self.compiled(patterns, "train", "model.train")?;
        self.take_out(|name| compiled.first(name).is_none())
    }

    fn compiled(&self, patterns: &[String], what: &'static str, key: &str) -> Result<Patterns, ModelError> {
        let compiled = Patterns::new(patterns, key)?;
        let names = || self.parameters().map(|entry| entry.name.as_str());
        if let Some((_, pattern)) = compiled.unused(names()).first() {
            return Err(ModelError::MatchesNothing {
                what,
                pattern: (*pattern).to_owned(),
                arch: arch_name(self.arch),
                help: near(pattern, names()),
            });
        }
        Ok(compiled)
    }

    fn take_out(&self, frozen: impl Fn(&str) -> bool) -> Result<Vec<String>, ModelError> {
        let out: Vec<&Entry> = self.parameters().filter(|entry| frozen(&entry.name)).collect();
        for entry in &out {
            let _ = entry.tensor.shallow_clone().f_requires_grad_(false)?;
        }
        Ok(out.into_iter().map(|entry| entry.name.clone()).collect())
    }
}

/// Says which names are nearest to a pattern.
fn near<'a>(pattern: &str, names: impl Iterator<Item = &'a str>) -> String {
    const FEW: usize = 3;
    // A pattern stands for a layer more often than for a tensor: compare with the names' beginnings, too.
    let word = pattern.trim_end_matches('*').trim_end_matches('.');
    let mut candidates: Vec<(usize, &str)> = Vec::new();
    for name in names {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        for prefix in ends.filter_map(|end| name.get(..end)) {
            if !candidates.iter().any(|(_, seen)| *seen == prefix) {
                candidates.push((strsim::damerau_levenshtein(word, prefix), prefix));
            }
        }
    }
    candidates.sort_by_key(|(distance, _)| *distance);
    let names: Vec<_> = candidates.iter().take(FEW).map(|(_, name)| format!("`{name}`")).collect();
    let layer = candidates.iter().find(|(_, name)| !name.ends_with("weight") && !name.ends_with("bias"));
    let layer = layer.map_or("fc", |(_, name)| name);
    format!(
        "near are {}; `*` matches anything, dots included, so `{layer}.*` is all that is below `{layer}`",
        names.join(", ")
    )
}
