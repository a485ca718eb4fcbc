//! Whether all ranks are about to run the same: recipe, plan and program.

use std::collections::BTreeMap;
use std::io::Read;

use luthier_plan::Plan;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::Ranks;
use crate::TrainError;

/// What must be the same on all ranks, by name.
type Identity = BTreeMap<String, String>;

/// Fields of a plan that differ between machines and ranks and mean nothing.
const PLACES: [&str; 3] = ["base", "device", "recipe"];

/// Differences that are named.
const NAMED: usize = 3;

impl Ranks {
    /// Compares what all ranks are about to run. To be called before anything is written; `checkpoint` is the folder name
    /// of the one that is gone on with, and `program` says which build this is ([`program`]).
    ///
    /// # Errors
    /// They differ: the rank, and in what.
    pub fn compare(&self, plan: &Plan, checkpoint: Option<&str>, program: &str) -> Result<(), TrainError> {
        let own = identity(plan, checkpoint, program);
        let bytes = serde_json::to_vec(&own).unwrap_or_default();
        let all = self.group.gather(&bytes)?;
        let mut all = all.iter().map(|bytes| serde_json::from_slice::<Identity>(bytes).unwrap_or_default());
        let Some(first) = all.next() else { return Ok(()) };
        // every rank compares all with rank 0, so that all come to the same
        for (rank, other) in all.enumerate() {
            if let Some(what) = difference(&first, &other) {
                return Err(TrainError::OtherRun { rank: rank + 1, what });
            }
        }
        Ok(())
    }
}

/// Version of the program and a hash of its file.
pub fn program() -> String {
    let file = std::env::current_exe().and_then(std::fs::File::open);
    let hash = file.and_then(hash_of);
    let build = hash.map(|hash| format!(" (build {hash:016x})")).unwrap_or_default();
    format!("{}{build}", env!("CARGO_PKG_VERSION"))
}

fn hash_of(mut file: std::fs::File) -> std::io::Result<u64> {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hasher.digest()),
            count => hasher.update(&block[..count]),
        }
    }
}

fn identity(plan: &Plan, checkpoint: Option<&str>, program: &str) -> Identity {
    let mut all = Identity::new();
    all.insert("the program".into(), program.to_owned());
    all.insert("the checkpoint".into(), checkpoint.unwrap_or("none").to_owned());
    flatten("", &serde_json::to_value(&plan.recipe).unwrap_or_default(), &mut all);
    if let Ok(Value::Object(fields)) = serde_json::to_value(plan) {
        for (name, value) in fields.iter().filter(|(name, _)| !PLACES.contains(&name.as_str())) {
            let hash = format!("{:016x}", xxh3_64(value.to_string().as_bytes()));
            all.insert(format!("the plan's {name}"), hash);
        }
    }
    all
}

/// `optim.lr` → `0.1`, for every key of a recipe.
fn flatten(path: &str, value: &Value, all: &mut Identity) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, all);
            }
        }
        other => {
            all.insert(format!("`{path}`"), other.to_string());
        }
    }
}

/// In what two ranks differ, in words: keys of the recipe first, and the plan where they are the same.
fn difference(first: &Identity, other: &Identity) -> Option<String> {
    let value = |of: &Identity, name: &str| of.get(name).cloned().unwrap_or_else(|| "not given".into());
    let mut names: Vec<&String> = first.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let differing: Vec<&String> =
        names.into_iter().filter(|name| first.get(*name) != other.get(*name)).collect();
    let (plan, typed): (Vec<&String>, Vec<&String>) =
        differing.into_iter().partition(|name| name.starts_with("the plan's "));
    let named: Vec<String> = typed
        .iter()
        .take(NAMED)
        .map(|name| format!("{name} is {} there and {} on rank 0", value(other, name), value(first, name)))
        .collect();
    if !named.is_empty() {
        let more = typed.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        return Some(format!("{}{more}", named.join(", ")));
    }
    // hashes say nothing to a reader
    let fields: Vec<&str> = plan.iter().map(|name| name.trim_start_matches("the plan's ")).collect();
    (!fields.is_empty()).then(|| {
        format!("the recipe is the same, and what it came to is not: {} of the plan", fields.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Identity {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_differs_is_named() {
        let first = of(&[("`optim.lr`", "0.1"), ("the plan's data", "aa"), ("the program", "1")]);
        let same = first.clone();
        assert_eq!(difference(&first, &same), None);
        let cases = [
            (
                of(&[("`optim.lr`", "0.2"), ("the plan's data", "bb"), ("the program", "1")]),
                "`optim.lr` is 0.2 there and 0.1 on rank 0",
                "the recipe is why the plan differs",
            ),
            (
                of(&[("`optim.lr`", "0.1"), ("the plan's data", "aa"), ("the program", "2")]),
                "the program is 2 there and 1 on rank 0",
                "another build",
            ),
            (
                of(&[("`optim.lr`", "0.1"), ("the plan's data", "bb"), ("the program", "1")]),
                "the recipe is the same, and what it came to is not: data of the plan",
                "other files on that machine",
            ),
            (
                of(&[("the plan's data", "aa"), ("the program", "1")]),
                "`optim.lr` is not given there and 0.1 on rank 0",
                "a key that is missing",
            ),
        ];
        for (other, expected, reason) in cases {
            assert_eq!(difference(&first, &other).as_deref(), Some(expected), "{reason}");
        }
    }

    #[test]
    fn keys_of_a_recipe_have_paths() {
        let mut all = Identity::new();
        flatten(
            "",
            &serde_json::json!({ "seed": 1, "optim": { "lr": 0.5, "betas": [0.9, 0.99] } }),
            &mut all,
        );
        assert_eq!(all, of(&[("`seed`", "1"), ("`optim.lr`", "0.5"), ("`optim.betas`", "[0.9,0.99]")]));
    }
}
