//! ViT in `transformers` and in `timm`.

use luthier_weights::{RawTensor, Weights};
use serde_json::{Value, json};

use crate::Model;

pub(super) fn config(model: &Model) -> Option<Value> {
    let mut config = model.config()?;
    config["architectures"] = json!(["ViTForImageClassification"]);
    Some(config)
}

pub(super) fn adapt(mut weights: Weights) -> Weights {
    if weights.tensors.contains_key("patch_embed.proj.weight") {
        return from_timm(weights);
    }
    let bare = weights.tensors.contains_key("embeddings.cls_token");
    let newer = weights.tensors.keys().any(|name| {
        let name = name.strip_prefix("vit.").unwrap_or(name);
        name.starts_with("layers.")
    });
    if bare || newer {
        let named = std::mem::take(&mut weights.tensors).into_iter();
        let full = |name: String| if name.starts_with("classifier.") { name } else { format!("vit.{name}") };
        weights.tensors =
            named.map(|(name, tensor)| (older(&if bare { full(name) } else { name }), tensor)).collect();
        weights.notes.push("names of `transformers`' model were read as those of its files".into());
    }
    let before = weights.tensors.len();
    weights.tensors.retain(|name, _| !name.starts_with("vit.pooler."));
    if weights.tensors.len() < before {
        weights
            .notes
            .push("the weights of the pooler, `pooler.*`, which no classifier reads, were left out".into());
    }
    weights
}

/// Module names of `transformers` since its version 5, and those that its files have kept.
const NEWER: [(&str, &str); 6] = [
    ("attention.q_proj", "attention.attention.query"),
    ("attention.k_proj", "attention.attention.key"),
    ("attention.v_proj", "attention.attention.value"),
    ("attention.o_proj", "attention.output.dense"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
];

/// A layer's name in `transformers`' files, from the one in its models.
pub(crate) fn older(name: &str) -> String {
    let Some((index, rest)) = name.strip_prefix("vit.layers.").and_then(|rest| rest.split_once('.')) else {
        return name.to_owned();
    };
    let known = NEWER.iter().find_map(|(new, old)| Some(format!("{old}{}", rest.strip_prefix(new)?)));
    format!("vit.encoder.layer.{index}.{}", known.unwrap_or_else(|| rest.to_owned()))
}

/// A layer's name in `transformers`' models, from the one in its files.
#[allow(dead_code, reason = "files of adapters name layers so")]
pub(crate) fn newer(name: &str) -> String {
    let Some((index, rest)) = name.strip_prefix("vit.encoder.layer.").and_then(|rest| rest.split_once('.'))
    else {
        return name.to_owned();
    };
    let known = NEWER.iter().find_map(|(new, old)| Some(format!("{new}{}", rest.strip_prefix(old)?)));
    format!("vit.layers.{index}.{}", known.unwrap_or_else(|| rest.to_owned()))
}

/// `timm`'s names, with queries, keys and values in one matrix.
fn from_timm(mut weights: Weights) -> Weights {
    const OUTSIDE: [(&str, &str); 5] = [
        ("cls_token", "vit.embeddings.cls_token"),
        ("pos_embed", "vit.embeddings.position_embeddings"),
        ("patch_embed.proj.", "vit.embeddings.patch_embeddings.projection."),
        ("norm.", "vit.layernorm."),
        ("head.", "classifier."),
    ];
    const INSIDE: [(&str, &str); 5] = [
        ("norm1.", "layernorm_before."),
        ("attn.proj.", "attention.output.dense."),
        ("norm2.", "layernorm_after."),
        ("mlp.fc1.", "intermediate.dense."),
        ("mlp.fc2.", "output.dense."),
    ];
    let renamed = |name: &str, table: &[(&str, &str)]| {
        table.iter().find_map(|(theirs, ours)| Some(format!("{ours}{}", name.strip_prefix(theirs)?)))
    };
    let mut split = 0;
    for (name, tensor) in std::mem::take(&mut weights.tensors) {
        let Some((index, rest)) = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) else {
            weights.tensors.insert(renamed(&name, &OUTSIDE).unwrap_or(name), tensor);
            continue;
        };
        let place = format!("vit.encoder.layer.{index}");
        if let Some((kind, thirds)) = rest.strip_prefix("attn.qkv.").zip(thirds(&tensor)) {
            split += 1;
            for (which, third) in ["query", "key", "value"].into_iter().zip(thirds) {
                weights.tensors.insert(format!("{place}.attention.attention.{which}.{kind}"), third);
            }
            continue;
        }
        let ours = renamed(rest, &INSIDE).map(|rest| format!("{place}.{rest}"));
        weights.tensors.insert(ours.unwrap_or(name), tensor);
    }
    weights.notes.push(format!(
        "names of `timm` were read as those of `transformers`, and {split} `attn.qkv` split into query, key and value"
    ));
    weights
}

/// The three equal parts of a tensor along its first axis.
fn thirds(tensor: &RawTensor) -> Option<[RawTensor; 3]> {
    let (rows, rest) = tensor.shape.split_first()?;
    if rows % 3 != 0 || !tensor.bytes.len().is_multiple_of(3) {
        return None;
    }
    let length = tensor.bytes.len() / 3;
    let mut shape = vec![rows / 3];
    shape.extend(rest);
    Some([0, 1, 2].map(|third| RawTensor {
        dtype: tensor.dtype,
        shape: shape.clone(),
        bytes: tensor.bytes.slice(third * length..(third + 1) * length),
    }))
}
