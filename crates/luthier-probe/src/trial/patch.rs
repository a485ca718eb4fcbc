//! A recipe with a change.

use std::collections::BTreeMap;

use luthier_recipe::{Loaded, Recipe, literal, parse};
use serde_json::Value;

use super::TrialError;

/// A change of a recipe, as a finding's fix has it: keys as `--set` takes them; `null` takes the key out.
pub type Patch = BTreeMap<String, Value>;

/// The same recipe text with a change, checked like any recipe.
///
/// # Errors
/// A key or value cannot be, or what is taken out has no default.
pub fn patched(loaded: &Loaded, patch: &Patch) -> Result<Loaded, TrialError> {
    let given: Vec<String> = patch
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| format!("{key}={}", literal(value)))
        .collect();
    let gone: Vec<&String> = patch.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key).collect();
    if let Some(mut changed) = taken_out(loaded, &gone, &given) {
        changed.base.clone_from(&loaded.base);
        return Ok(changed);
    }
    let sets: Vec<String> = loaded.sets.iter().cloned().chain(given).collect();
    let mut changed = parse(&loaded.file, &loaded.text, &sets)?;
    changed.base.clone_from(&loaded.base);
    for key in gone {
        changed.recipe = without(&changed.recipe, key)?;
    }
    Ok(changed)
}

/// The recipe without keys, out of the text: what is given may not go with what is taken out, and a further change stands
/// on this one. `None` where there is nothing to take out, or no recipe is left.
fn taken_out(loaded: &Loaded, gone: &[&String], given: &[String]) -> Option<Loaded> {
    if gone.is_empty() {
        return None;
    }
    let nulls: Patch = gone.iter().map(|key| ((*key).clone(), Value::Null)).collect();
    let text = luthier_doctor::patch::apply(&loaded.text, &nulls).ok()?;
    let key_of = |set: &str| set.split('=').next().unwrap_or_default().trim().to_owned();
    let stays = |set: &&String| !gone.iter().any(|key| luthier_doctor::patch::is_within(&key_of(set), key));
    let sets: Vec<String> = loaded.sets.iter().filter(stays).chain(given).cloned().collect();
    parse(&loaded.file, &text, &sets).ok()
}

/// A recipe without a key: its default stands there instead.
fn without(recipe: &Recipe, key: &str) -> Result<Recipe, TrialError> {
    let failed = |error: serde_json::Error| TrialError::TakenOut { key: key.into(), why: error.to_string() };
    let mut json = serde_json::to_value(recipe).map_err(failed)?;
    let steps: Vec<&str> = key.split(['.', '[', ']']).filter(|step| !step.is_empty()).collect();
    take(&mut json, &steps);
    serde_json::from_value(json).map_err(failed)
}

/// Takes out what is at the end of the steps; nothing where there is nothing.
fn take(value: &mut Value, steps: &[&str]) {
    match (value, steps) {
        (Value::Object(map), [last]) => {
            map.remove(*last);
        }
        (Value::Array(items), [last]) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        (Value::Object(map), [first, rest @ ..]) => {
            if let Some(inner) = map.get_mut(*first) {
                take(inner, rest);
            }
        }
        (Value::Array(items), [first, rest @ ..]) => {
            if let Some(inner) = first.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                take(inner, rest);
            }
        }
        _ => {}
    }
}
