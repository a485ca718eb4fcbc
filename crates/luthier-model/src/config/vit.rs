use luthier_recipe::{VitShape, VitSize};
use luthier_weights::Weights;
use serde_json::{Value, json};

use super::keys::{Keys, divides};
use crate::ModelError;
use crate::layers::Activation;

/// ViT's `config.json`, under its own names; the defaults are ViT-B/16's (86 M).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct VitConfig {
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
    /// Height and width of the pictures that the table of positions is for
    pub image_size: [i64; 2],
    /// Edge of a patch
    pub patch_size: i64,
    /// Queries, keys and values have a bias
    pub qkv_bias: bool,
    /// Added to variances
    pub layer_norm_eps: f64,
    /// Dropout after the embeddings and before each residual sum
    pub hidden_dropout_prob: f64,
    /// Dropout of attention weights
    pub attention_probs_dropout_prob: f64,
    /// Deviation of random weights
    pub initializer_range: f64,
}

impl VitConfig {
    /// Of `json`, or the defaults.
    pub(crate) fn parse(json: Option<&Value>) -> Result<Self, ModelError> {
        let keys = Keys::new(json, "vit")?;
        keys.only("num_channels", &json!(3))?;
        keys.only("quantization_config", &Value::Null)?;
        let hidden_size = keys.width("hidden_size", 768)?;
        let num_attention_heads = keys.width("num_attention_heads", 12)?;
        divides(["num_attention_heads", "hidden_size"], num_attention_heads, hidden_size)?;
        let [patch_size, patch_width] = keys.sides("patch_size", 16)?;
        if patch_size != patch_width {
            return Err(super::keys::wrong(
                "patch_size",
                &json!([patch_size, patch_width]),
                "patches are squares",
            ));
        }
        let image_size = keys.sides("image_size", 224)?;
        if image_size.iter().any(|&side| side < patch_size) {
            let why = format!("not one patch of {patch_size} pixels fits in");
            return Err(super::keys::wrong("image_size", &json!(image_size), &why));
        }
        Ok(Self {
            hidden_size,
            num_hidden_layers: keys.layers("num_hidden_layers", 12)?,
            num_attention_heads,
            intermediate_size: keys.width("intermediate_size", 3072)?,
            hidden_act: keys.activation("hidden_act", Activation::Gelu)?,
            image_size,
            patch_size,
            qkv_bias: keys.flag("qkv_bias", true)?,
            layer_norm_eps: keys.positive("layer_norm_eps", 1e-12)?,
            hidden_dropout_prob: keys.rate("hidden_dropout_prob", 0.0)?,
            attention_probs_dropout_prob: keys.rate("attention_probs_dropout_prob", 0.0)?,
            initializer_range: keys.positive("initializer_range", 0.02)?,
        })
    }

    pub(super) fn with_dropout(self, rate: f64) -> Self {
        Self { hidden_dropout_prob: rate, attention_probs_dropout_prob: rate, ..self }
    }

    /// Lines and columns of patches in a picture; what is left over at its right and lower edge is in none.
    pub(crate) fn grid(&self) -> [i64; 2] {
        self.image_size.map(|side| side / self.patch_size)
    }

    pub(super) fn to_json(self) -> Value {
        let [height, width] = self.image_size;
        json!({
            "model_type": "vit",
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "intermediate_size": self.intermediate_size,
            "hidden_act": self.hidden_act.name(),
            "image_size": if height == width { json!(height) } else { json!([height, width]) },
            "patch_size": self.patch_size,
            "num_channels": 3,
            "qkv_bias": self.qkv_bias,
            "layer_norm_eps": self.layer_norm_eps,
            "hidden_dropout_prob": self.hidden_dropout_prob,
            "attention_probs_dropout_prob": self.attention_probs_dropout_prob,
            "initializer_range": self.initializer_range,
        })
    }

    pub(super) fn key_of(&self, tensor: &str, file: &[i64], model: &[i64]) -> Option<(&'static str, i64)> {
        let differs = |axis: usize| file.get(axis) != model.get(axis);
        let inner = tensor.ends_with(".intermediate.dense.bias")
            || tensor.ends_with(".intermediate.dense.weight") && differs(0)
            || tensor.ends_with(".output.dense.weight") && !tensor.contains(".attention.") && differs(1);
        Some(match tensor {
            "vit.embeddings.patch_embeddings.projection.weight" if differs(2) || differs(3) => {
                ("patch_size", self.patch_size)
            }
            "vit.embeddings.position_embeddings" if !differs(2) => ("image_size", self.image_size[0]),
            _ if inner => ("intermediate_size", self.intermediate_size),
            _ => ("hidden_size", self.hidden_size),
        })
    }
}

/// What `model.vit` of a recipe comes to.
pub(super) fn of_size(asked: &VitShape) -> Value {
    // width, blocks, heads: Touvron et al. 2020 (tiny, small), Dosovitskiy et al. 2020 (base, large)
    let (width, blocks, heads) = match asked.size {
        VitSize::Tiny => (192, 12, 3),
        VitSize::Small => (384, 12, 6),
        VitSize::Base => (768, 12, 12),
        VitSize::Large => (1024, 24, 16),
    };
    let width = asked.hidden_size.unwrap_or(width);
    let mut config = json!({
        "model_type": "vit",
        "hidden_size": width,
        "num_hidden_layers": asked.num_hidden_layers.unwrap_or(blocks),
        "num_attention_heads": asked.num_attention_heads.unwrap_or(heads),
        "intermediate_size": width.saturating_mul(4),
        "patch_size": asked.patch_size,
    });
    if let Some(deviation) = asked.initializer_range {
        config["initializer_range"] = json!(deviation);
    }
    config
}

/// A config by the shapes of weights under our names, for files that have none beside them, such as `timm`'s. Heads are
/// 64 wide in every published size but the largest, and `timm`'s epsilon is 1e-6. `None` if the weights are no ViT's.
pub(crate) fn of_weights(weights: &Weights) -> Option<Value> {
    let shape = |name: &str| weights.tensors.get(name).map(|raw| raw.shape.as_slice());
    let [width, 3, patch, _] = *shape("vit.embeddings.patch_embeddings.projection.weight")? else {
        return None;
    };
    let [_, rows, _] = *shape("vit.embeddings.position_embeddings")? else { return None };
    let inner = shape("vit.encoder.layer.0.intermediate.dense.weight")?.first()?;
    let norm = |index: &usize| shape(&format!("vit.encoder.layer.{index}.layernorm_before.weight")).is_some();
    let edge = rows.checked_sub(1)?.isqrt().max(1) * patch;
    Some(json!({
        "model_type": "vit",
        "hidden_size": width,
        "num_hidden_layers": (0..).take_while(norm).count(),
        "num_attention_heads": (width / 64).max(1),
        "intermediate_size": inner,
        "image_size": edge,
        "patch_size": patch,
        "qkv_bias": shape("vit.encoder.layer.0.attention.attention.query.bias").is_some(),
        "layer_norm_eps": 1e-6,
    }))
}
