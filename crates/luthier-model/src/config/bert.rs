use serde_json::{Value, json};

use super::keys::{Keys, divides};
use crate::ModelError;
use crate::layers::Activation;

/// BERT's `config.json`, under its own names; the defaults are BERT base's (110 M).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BertConfig {
    /// Number of token ids
    pub vocab_size: i64,
    /// Width
    pub hidden_size: i64,
    /// Blocks
    pub num_hidden_layers: i64,
    /// Attention heads
    pub num_attention_heads: i64,
    /// Width inside the MLP
    pub intermediate_size: i64,
    /// Between the layers of the MLP
    pub hidden_act: Activation,
    /// Tokens of the longest sequence
    pub max_position_embeddings: i64,
    /// Kinds of text in one sequence; all of ours is of the first
    pub type_vocab_size: i64,
    /// Added to variances
    pub layer_norm_eps: f64,
    /// Dropout after the embeddings and before each residual sum
    pub hidden_dropout_prob: f64,
    /// Dropout of attention weights
    pub attention_probs_dropout_prob: f64,
    /// Dropout before the head
    pub classifier_dropout: f64,
    /// Deviation of random weights
    pub initializer_range: f64,
}

impl BertConfig {
    /// Of `json`, or the defaults.
    pub(crate) fn parse(json: Option<&Value>) -> Result<Self, ModelError> {
        let keys = Keys::new(json, "bert")?;
        for key in ["is_decoder", "add_cross_attention"] {
            keys.only(key, &json!(false))?;
        }
        keys.only("position_embedding_type", &json!("absolute"))?;
        keys.only("pruned_heads", &json!({}))?;
        keys.only("quantization_config", &Value::Null)?;
        let hidden_size = keys.width("hidden_size", 768)?;
        let num_attention_heads = keys.width("num_attention_heads", 12)?;
        divides(["num_attention_heads", "hidden_size"], num_attention_heads, hidden_size)?;
        let hidden_dropout_prob = keys.rate("hidden_dropout_prob", 0.1)?;
        Ok(Self {
            vocab_size: keys.width("vocab_size", 30522)?,
            hidden_size,
            num_hidden_layers: keys.layers("num_hidden_layers", 12)?,
            num_attention_heads,
            intermediate_size: keys.width("intermediate_size", 3072)?,
            hidden_act: keys.activation("hidden_act", Activation::Gelu)?,
            max_position_embeddings: keys.width("max_position_embeddings", 512)?,
            type_vocab_size: keys.width("type_vocab_size", 2)?,
            layer_norm_eps: keys.positive("layer_norm_eps", 1e-12)?,
            hidden_dropout_prob,
            attention_probs_dropout_prob: keys.rate("attention_probs_dropout_prob", 0.1)?,
            classifier_dropout: keys.rate("classifier_dropout", hidden_dropout_prob)?,
            initializer_range: keys.positive("initializer_range", 0.02)?,
        })
    }

    pub(super) fn with_dropout(self, rate: f64) -> Self {
        Self {
            hidden_dropout_prob: rate,
            attention_probs_dropout_prob: rate,
            classifier_dropout: rate,
            ..self
        }
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "model_type": "bert",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act.name(),
            "max_position_embeddings": self.max_position_embeddings,
            "type_vocab_size": self.type_vocab_size,
            "layer_norm_eps": self.layer_norm_eps,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "classifier_dropout": self.classifier_dropout,
            "initializer_range": self.initializer_range,
            "position_embedding_type": "absolute",
        })
    }

    pub(super) fn key_of(&self, tensor: &str, file: &[i64], model: &[i64]) -> Option<(&'static str, i64)> {
        let differs = |axis: usize| file.get(axis) != model.get(axis);
        let extent = match tensor {
            "embeddings.word_embeddings.weight" => Some(("vocab_size", self.vocab_size)),
            "embeddings.position_embeddings.weight" => {
                Some(("max_position_embeddings", self.max_position_embeddings))
            }
            "embeddings.token_type_embeddings.weight" => Some(("type_vocab_size", self.type_vocab_size)),
            _ => None,
        };
        if let Some(extent) = extent.filter(|_| differs(0)) {
            return Some(extent);
        }
        let inner = match tensor.rsplit_once(".attention.") {
            Some(_) => false,
            None if tensor.ends_with(".intermediate.dense.weight") => differs(0),
            None if tensor.ends_with(".intermediate.dense.bias") => true,
            None => tensor.ends_with(".output.dense.weight") && differs(1),
        };
        if inner {
            return Some(("intermediate_size", self.intermediate_size));
        }
        Some(("hidden_size", self.hidden_size))
    }
}
