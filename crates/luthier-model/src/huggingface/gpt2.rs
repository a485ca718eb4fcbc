//! GPT-2 in `transformers`.

use luthier_recipe::Pool;
use luthier_weights::Weights;
use serde_json::{Value, json};

use super::strip;
use crate::Model;

/// The head that makes words; a classifier has another.
const LM_HEAD: &str = "lm_head.weight";

pub(super) fn name(name: &str) -> String {
    if name.starts_with("score.") { name.to_owned() } else { format!("transformer.{name}") }
}

/// The classifier of `transformers` reads the last token that is not padding.
pub(super) fn config(model: &Model, pad_token: Option<i64>) -> Option<Value> {
    let mut config = model.config().filter(|_| model.pool() == Some(Pool::LastToken))?;
    config["architectures"] = json!(["GPT2ForSequenceClassification"]);
    config["pad_token_id"] = json!(pad_token);
    Some(config)
}

pub(super) fn adapt(mut weights: Weights) -> Weights {
    strip(&mut weights, "transformer.");
    // the causal mask, which old files carry along
    let is_mask = |name: &str| {
        name.strip_prefix("h.").and_then(|rest| rest.split_once('.')).is_some_and(|(index, rest)| {
            index.bytes().all(|byte| byte.is_ascii_digit())
                && matches!(rest, "attn.bias" | "attn.masked_bias")
        })
    };
    weights.tensors.retain(|name, _| !is_mask(name));
    if weights.tensors.contains_key(LM_HEAD)
        && weights.tensors.get(LM_HEAD) == weights.tensors.get("wte.weight")
    {
        weights.tensors.shift_remove(LM_HEAD);
        weights.notes.push(format!(
            "the language-model head `{LM_HEAD}`, which is the table `wte.weight` once more, was left out"
        ));
    }
    weights
}
