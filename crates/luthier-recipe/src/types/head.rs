use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Loss;

/// One of several heads of a model: what it learns, and what is minimised for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// Number of classes; as many as the data has if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000_000), example = 8)]
    pub classes: Option<u64>,
    /// Linear layers before it, each with a ReLU: names, as wide as what the head reads, or numbers, so wide. Heads
    /// that begin with the same names share those layers
    #[serde(default)]
    #[schemars(example = serde_json::json!(["dense_layer", 256]))]
    pub hidden: Vec<Hidden>,
    /// What is minimised for it; cross-entropy if not given
    #[serde(default)]
    pub loss: Loss,
    /// Share of its loss in the sum
    #[serde(default = "one")]
    #[schemars(range(min = 0.0))]
    pub weight: f64,
    /// The column of attributes that it learns, or `class` for the pictures' folders; the head's own name if not given,
    /// and `class` for `classifier`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"yaw")]
    pub column: Option<String>,
}

fn one() -> f64 {
    1.0
}

/// What a head is called that learns the classes of the pictures' folders.
const CLASSIFIER: &str = "classifier";

/// What the classes of the pictures' folders are called among the columns.
pub const CLASS_COLUMN: &str = "class";

impl Head {
    /// The column that the head of this name learns.
    pub fn column<'a>(&'a self, name: &'a str) -> &'a str {
        self.column.as_deref().unwrap_or(if name == CLASSIFIER { CLASS_COLUMN } else { name })
    }
}

/// A linear layer before a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hidden {
    /// Its name
    Name(#[schemars(length(min = 1))] String),
    /// Its width
    Width(#[schemars(range(min = 1))] u64),
}
