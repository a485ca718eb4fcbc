//! A `config.json` beside weights of another shape.

use luthier_plan::LoadReport;
use luthier_weights::Weights;

use crate::{Model, ModelError};

/// The key of the config that the weights contradict, if most of their names are the model's: else they are another
/// model's altogether, and no key would help.
pub(crate) fn mismatch(model: &Model, unmatched: &LoadReport, weights: &Weights) -> Option<ModelError> {
    let config = model.config.as_ref()?;
    let entries = model.store.entries();
    let known = entries.iter().filter(|entry| weights.tensors.contains_key(&entry.name)).count();
    if known * 2 < entries.len().min(weights.tensors.len()) {
        return None;
    }
    let help = "give `model.config` the `config.json` that belongs to these weights".to_owned();
    let layer = |name: &String| config.layer_of(name);
    let theirs = weights.tensors.keys().filter_map(layer).map(|(.., index)| index + 1).max();
    if let (Some((key, value, _)), Some(layers)) = (entries.iter().find_map(|e| layer(&e.name)), theirs)
        && layers != value
    {
        let odd = |name: &&String| layer(name).is_some_and(|(.., index)| index >= value.min(layers));
        let tensor = unmatched.unexpected.iter().chain(&unmatched.missing).find(odd)?;
        let side = if layers > value { "there is" } else { "there is no" };
        let why = format!("they have {layers} layers, {side} `{tensor}`");
        return Some(ModelError::ConfigMismatch { key, value, why, help });
    }
    let head = format!("{}.", model.head);
    let (tensor, file, ours) = unmatched.wrong_shape.iter().find(|(name, ..)| !name.starts_with(&head))?;
    let (key, value) = config.key_of(tensor, file, ours)?;
    let why = format!("`{tensor}` is {file:?} in the file, {ours:?} by the config");
    Some(ModelError::ConfigMismatch { key, value, why, help })
}
