//! Low-rank adaptation: which of a model's parameters are its own, and how it was resolved.

use luthier_recipe::LoraBias;
use serde::{Deserialize, Serialize};

/// What PEFT calls the parameters that LoRA adds, below the name of the layer that it stands at.
pub const LORA_TENSORS: [&str; 3] = [".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"];

/// Whether a parameter of this name was added by LoRA.
pub fn of_lora(name: &str) -> bool {
    name.contains(".lora_")
}

/// Low-rank adaptation as it was resolved, with the names of PEFT's `LoraConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraPlan {
    /// Rank
    pub r: u64,
    /// Numerator of the scale
    pub alpha: f64,
    /// Dropout before A
    pub dropout: f64,
    /// Which biases are trained
    pub bias: LoraBias,
    /// The scale is alpha / √r
    pub use_rslora: bool,
    /// Lengths and directions of rows are trained apart
    pub use_dora: bool,
    /// `target_modules` as asked: names, patterns, or the one word `all-linear`
    pub asked: Vec<String>,
    /// Linear layers that have an A and a B, in the model's order
    pub modules: Vec<String>,
    /// Layers that are trained whole
    pub modules_to_save: Vec<String>,
    /// Folder of the adapter that it went on from
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
}

impl LoraPlan {
    /// Whether a parameter of this name is of a layer that is trained whole.
    pub fn trains_whole(&self, name: &str) -> bool {
        let at = |layer: &String| name.strip_prefix(layer.as_str()).is_some_and(|rest| rest.starts_with('.'));
        self.modules_to_save.iter().any(at)
    }

    /// What B A x is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = self.r as f64;
        self.alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}
