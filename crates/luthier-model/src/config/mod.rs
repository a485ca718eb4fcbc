//! Widths and depths of transformers, from `config.json` as `transformers` writes it.
//!
//! Most keys of such a file say nothing about what the network computes and are passed over. A key that does, with a
//! value that is not supported, is an error.

mod bert;
mod gpt2;
mod keys;
mod vit;

use std::path::Path;

use luthier_recipe::Arch;
use luthier_weights::Weights;
use serde_json::Value;

pub(crate) use bert::BertConfig;
pub(crate) use gpt2::Gpt2Config;
pub(crate) use vit::VitConfig;

use crate::ModelError;

/// The configuration of a transformer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NetConfig {
    /// GPT-2's
    Gpt2(Gpt2Config),
    /// BERT's
    Bert(BertConfig),
    /// ViT's
    Vit(VitConfig),
}

impl NetConfig {
    /// Of `arch`, as `json` says, or the architecture's first published size. `None` for architectures of one
    /// shape.
    pub(crate) fn of(arch: Arch, json: Option<&Value>) -> Result<Option<Self>, ModelError> {
        Ok(match arch {
            Arch::Gpt2 => Some(Self::Gpt2(Gpt2Config::parse(json)?)),
            Arch::Bert => Some(Self::Bert(BertConfig::parse(json)?)),
            Arch::Vit => Some(Self::Vit(VitConfig::parse(json)?)),
            _ if json.is_some() => return Err(ModelError::NoConfig { arch: crate::arch_name(arch) }),
            _ => None,
        })
    }

    /// The same with one rate for every dropout.
    pub(crate) fn with_dropout(self, rate: f64) -> Self {
        match self {
            Self::Gpt2(config) => Self::Gpt2(config.with_dropout(rate)),
            Self::Bert(config) => Self::Bert(config.with_dropout(rate)),
            Self::Vit(config) => Self::Vit(config.with_dropout(rate)),
        }
    }

    /// Number of token ids; `None` for pictures.
    pub(crate) fn vocabulary(&self) -> Option<i64> {
        match self {
            Self::Gpt2(config) => Some(config.vocab_size),
            Self::Bert(config) => Some(config.vocab_size),
            Self::Vit(_) => None,
        }
    }

    /// Tokens of the longest sequence; `None` for pictures.
    pub(crate) fn positions(&self) -> Option<i64> {
        match self {
            Self::Gpt2(config) => Some(config.n_positions),
            Self::Bert(config) => Some(config.max_position_embeddings),
            Self::Vit(_) => None,
        }
    }

    /// As `config.json` has it: what decides the computation, nothing else.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Gpt2(config) => config.to_json(),
            Self::Bert(config) => config.to_json(),
            Self::Vit(config) => config.to_json(),
        }
    }

    /// The key of `config.json` that a tensor of another shape, or one too many or too few, speaks of, and what the
    /// config says there.
    pub(crate) fn key_of(&self, tensor: &str, file: &[i64], model: &[i64]) -> Option<(&'static str, i64)> {
        match self {
            Self::Gpt2(config) => config.key_of(tensor, file, model),
            Self::Bert(config) => config.key_of(tensor, file, model),
            Self::Vit(config) => config.key_of(tensor, file, model),
        }
    }

    /// The key that counts layers, what the config says there, and the number of the layer that a tensor is of.
    pub(crate) fn layer_of(&self, tensor: &str) -> Option<(&'static str, i64, i64)> {
        let (prefix, key, count) = match self {
            Self::Gpt2(config) => ("h.", "n_layer", config.n_layer),
            Self::Bert(config) => ("encoder.layer.", "num_hidden_layers", config.num_hidden_layers),
            Self::Vit(config) => ("vit.encoder.layer.", "num_hidden_layers", config.num_hidden_layers),
        };
        let index = tensor.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
        Some((key, count, index))
    }
}

/// The `config.json` of a transformer: the one that the recipe names, relative to `base`, else the one beside its
/// weights, a file or a folder, or what `model.vit` comes to. `None` if there is none, and for architectures of one
/// shape.
///
/// # Errors
/// It cannot be read, or is no JSON.
pub fn config_of(
    asked: &luthier_recipe::Model,
    base: &Path,
    weights: Option<&Path>,
) -> Result<Option<Value>, ModelError> {
    if let Some(path) = &asked.config {
        return read_config(&base.join(path)).map(Some);
    }
    if !asked.arch.has_config() {
        return Ok(None);
    }
    if let Some(size) = &asked.vit {
        return Ok(Some(vit::of_size(size)));
    }
    let folder = weights.and_then(|path| if path.is_dir() { Some(path) } else { path.parent() });
    match folder.map(|folder| folder.join("config.json")).filter(|path| path.is_file()) {
        Some(path) => read_config(&path).map(Some),
        None => Ok(None),
    }
}

/// The config of weights that have none beside them, or one of another package: by the shapes of a ViT's tensors. `json`
/// as it is for all else.
pub fn config_of_weights(arch: Arch, json: Option<Value>, weights: &Weights) -> Option<Value> {
    // `timm` writes the name of an architecture, and no widths
    let others = json.as_ref().is_none_or(|json| {
        json.get("model_type").is_none() && json.get("architecture").is_some_and(Value::is_string)
    });
    if arch != Arch::Vit || !others {
        return json;
    }
    vit::of_weights(&crate::from_huggingface(arch, &[], weights.clone())).or(json)
}

/// Reads a `config.json`.
///
/// # Errors
/// It cannot be read, or is no JSON.
pub fn read_config(path: &Path) -> Result<Value, ModelError> {
    let failed = |why: String| ModelError::ConfigFile { path: path.to_owned(), why };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| failed(format!("it is not JSON: {error}")))
}
