//! BERT in `transformers`.

use luthier_recipe::Pool;
use luthier_weights::Weights;
use serde_json::{Value, json};

use super::strip;
use crate::Model;

pub(super) fn name(name: &str) -> String {
    if name.starts_with("classifier.") { name.to_owned() } else { format!("bert.{name}") }
}

/// The classifier of `transformers` reads the first token, through the pooler.
pub(super) fn config(model: &Model, pad_token: Option<i64>) -> Option<Value> {
    let mut config = model.config().filter(|_| model.pool() == Some(Pool::Cls))?;
    config["architectures"] = json!(["BertForSequenceClassification"]);
    if let Some(id) = pad_token {
        config["pad_token_id"] = json!(id);
    }
    Some(config)
}

pub(super) fn adapt(names: &[String], mut weights: Weights) -> Weights {
    strip(&mut weights, "bert.");
    weights.tensors.shift_remove("embeddings.position_ids");
    rename_norms(&mut weights);
    let mut leave_out = |prefix: &str, what: &str| {
        let before = weights.tensors.len();
        weights.tensors.retain(|name, _| !name.starts_with(prefix));
        if weights.tensors.len() < before {
            weights.notes.push(format!("{what} were left out"));
        }
    };
    leave_out("cls.", "the heads of pre-training, `cls.*`,");
    if !names.iter().any(|name| name.starts_with("pooler.")) {
        leave_out("pooler.", "the weights of the pooler, `pooler.*`, which only `pool = \"cls\"` reads,");
    }
    weights
}

/// Files that came from TensorFlow have `gamma` and `beta`.
fn rename_norms(weights: &mut Weights) {
    const NAMES: [(&str, &str); 2] =
        [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")];
    let renamed =
        |name: &str| NAMES.iter().find_map(|(old, new)| Some(format!("{}{new}", name.strip_suffix(old)?)));
    if !weights.tensors.keys().any(|name| renamed(name).is_some()) {
        return;
    }
    let named = std::mem::take(&mut weights.tensors).into_iter();
    weights.tensors = named.map(|(name, tensor)| (renamed(&name).unwrap_or(name), tensor)).collect();
    weights.notes.push("`gamma` and `beta` of the normalisations were read as `weight` and `bias`".into());
}
