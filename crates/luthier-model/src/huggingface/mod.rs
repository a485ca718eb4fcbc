//! Names and files as `transformers` has them, both ways; one file per family of architectures.

mod bert;
mod gpt2;
mod resnet;
pub(crate) mod vit;

use luthier_recipe::Arch;
use luthier_weights::Weights;
use serde_json::{Map, Value, json};

use crate::{Model, ModelError, arch_name};

pub use resnet::huggingface_preprocessor;

/// The name that `transformers` gives a tensor of ours; `None` where it has no such architecture.
pub fn huggingface_name(arch: Arch, name: &str) -> Option<String> {
    match arch {
        Arch::Gpt2 => Some(gpt2::name(name)),
        Arch::Bert => Some(bert::name(name)),
        Arch::Vit => Some(name.to_owned()),
        _ => resnet::name(arch, name),
    }
}

/// `config.json` for `transformers`, `classes` in label order. A text classifier finds a text's end by the padding, so
/// `pad_token` has to be the id that the tokenizer fills up with.
///
/// # Errors
/// `transformers` has no such architecture, or none that reads a text so.
pub fn huggingface_config(
    model: &Model,
    classes: &[String],
    pad_token: Option<i64>,
) -> Result<Value, ModelError> {
    let pooled = model.pool();
    let Some(mut config) = (match model.arch {
        Arch::Gpt2 => gpt2::config(model, pad_token),
        Arch::Bert => bert::config(model, pad_token),
        Arch::Vit => vit::config(model),
        arch => resnet::config(arch),
    }) else {
        let pool = pooled.map(|pool| json!(pool).as_str().unwrap_or_default().to_owned());
        return Err(ModelError::NotInTransformers { arch: arch_name(model.arch), pool });
    };
    let labels: Map<String, Value> =
        classes.iter().enumerate().map(|(index, class)| (index.to_string(), json!(class))).collect();
    let ids: Map<String, Value> =
        classes.iter().enumerate().map(|(index, class)| (class.clone(), json!(index))).collect();
    config["id2label"] = Value::Object(labels);
    config["label2id"] = Value::Object(ids);
    config["torch_dtype"] = json!("float32");
    Ok(config)
}

/// Weights under our names, where the file has those of `transformers`; as they are otherwise. `names` are the tensors
/// that the model has. What a classifier has no use for is left out; the notes say what.
pub fn from_huggingface(arch: Arch, names: &[String], weights: Weights) -> Weights {
    match arch {
        Arch::Gpt2 => gpt2::adapt(weights),
        Arch::Bert => bert::adapt(names, weights),
        Arch::Vit => vit::adapt(weights),
        _ => resnet::adapt(arch, names, weights),
    }
}

/// Takes a prefix off every name that has it.
fn strip(weights: &mut Weights, prefix: &str) {
    if !weights.tensors.keys().any(|name| name.starts_with(prefix)) {
        return;
    }
    let named = std::mem::take(&mut weights.tensors).into_iter();
    let bare =
        named.map(|(name, tensor)| (name.strip_prefix(prefix).map_or(name.clone(), str::to_owned), tensor));
    weights.tensors = bare.collect();
    weights.notes.push(format!("the prefix `{prefix}` of `transformers` was taken off"));
}
