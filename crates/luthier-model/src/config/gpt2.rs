use serde_json::{Value, json};

use super::keys::{Keys, divides};
use crate::ModelError;
use crate::layers::Activation;

/// GPT-2's `config.json`, under its own names; the defaults are GPT-2 small's (124 M).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gpt2Config {
    /// Number of token ids
    pub vocab_size: i64,
    /// Tokens of the longest sequence
    pub n_positions: i64,
    /// Width
    pub n_embd: i64,
    /// Blocks
    pub n_layer: i64,
    /// Attention heads
    pub n_head: i64,
    /// Width inside the MLP
    pub n_inner: i64,
    /// Between the layers of the MLP
    pub activation_function: Activation,
    /// Added to variances
    pub layer_norm_epsilon: f64,
    /// Dropout after the embeddings
    pub embd_pdrop: f64,
    /// Dropout of attention weights
    pub attn_pdrop: f64,
    /// Dropout before each residual sum
    pub resid_pdrop: f64,
    /// Scores are divided by the root of a head's width
    pub scale_attn_weights: bool,
    /// Scores are also divided by the block's number, counted from 1
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Deviation of random weights
    pub initializer_range: f64,
}

impl Gpt2Config {
    /// Of `json`, or the defaults.
    pub(crate) fn parse(json: Option<&Value>) -> Result<Self, ModelError> {
        let keys = Keys::new(json, "gpt2")?;
        for key in ["add_cross_attention", "reorder_and_upcast_attn"] {
            keys.only(key, &json!(false))?;
        }
        keys.only("pruned_heads", &json!({}))?;
        keys.only("quantization_config", &Value::Null)?;
        let n_embd = keys.width("n_embd", 768)?;
        let n_head = keys.width("n_head", 12)?;
        divides(["n_head", "n_embd"], n_head, n_embd)?;
        Ok(Self {
            vocab_size: keys.width("vocab_size", 50257)?,
            n_positions: keys.width("n_positions", 1024)?,
            n_embd,
            n_layer: keys.layers("n_layer", 12)?,
            n_head,
            n_inner: keys.width("n_inner", 4 * n_embd)?,
            activation_function: keys.activation("activation_function", Activation::GeluTanh)?,
            layer_norm_epsilon: keys.positive("layer_norm_epsilon", 1e-5)?,
            embd_pdrop: keys.rate("embd_pdrop", 0.1)?,
            attn_pdrop: keys.rate("attn_pdrop", 0.1)?,
            resid_pdrop: keys.rate("resid_pdrop", 0.1)?,
            scale_attn_weights: keys.flag("scale_attn_weights", true)?,
            scale_attn_by_inverse_layer_idx: keys.flag("scale_attn_by_inverse_layer_idx", false)?,
            initializer_range: keys.positive("initializer_range", 0.02)?,
        })
    }

    pub(super) fn with_dropout(self, rate: f64) -> Self {
        Self { embd_pdrop: rate, attn_pdrop: rate, resid_pdrop: rate, ..self }
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "model_type": "gpt2",
            "vocab_size": self.vocab_size,
            "n_positions": self.n_positions,
            "n_embd": self.n_embd,
            "n_layer": self.n_layer,
            "n_head": self.n_head,
            "n_inner": self.n_inner,
            "activation_function": self.activation_function.name(),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "embd_pdrop": self.embd_pdrop,
            "attn_pdrop": self.attn_pdrop,
            "resid_pdrop": self.resid_pdrop,
            "scale_attn_weights": self.scale_attn_weights,
            "scale_attn_by_inverse_layer_idx": self.scale_attn_by_inverse_layer_idx,
            "initializer_range": self.initializer_range,
        })
    }

    pub(super) fn key_of(&self, tensor: &str, file: &[i64], model: &[i64]) -> Option<(&'static str, i64)> {
        let differs = |axis: usize| file.get(axis) != model.get(axis);
        let width = ("n_embd", self.n_embd);
        if tensor == "wte.weight" && differs(0) {
            return Some(("vocab_size", self.vocab_size));
        }
        if tensor == "wpe.weight" && differs(0) {
            return Some(("n_positions", self.n_positions));
        }
        let inner = match tensor.rsplit_once(".mlp.") {
            Some((_, "c_fc.weight")) => differs(1),
            Some((_, "c_fc.bias")) => true,
            Some((_, "c_proj.weight")) => differs(0),
            _ => false,
        };
        Some(if inner { ("n_inner", self.n_inner) } else { width })
    }
}
