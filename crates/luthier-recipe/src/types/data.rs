use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Transforms, limits};

/// Where the samples come from and what is done to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// How the samples are stored
    #[serde(default)]
    pub format: DataFormat,
    /// The training samples: for `image-folder`, a folder with one folder per class
    #[schemars(length(min = 1), example = &"hotdog/train")]
    #[serde(serialize_with = "as_text")]
    pub train: PathBuf,
    /// The validation samples, in the same layout; or give `split`
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    #[schemars(length(min = 1), example = &"hotdog/test")]
    pub valid: Option<PathBuf>,
    /// Take the validation samples out of `train`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "valid": 0.2 }))]
    pub split: Option<Split>,
    /// Glob patterns of files to leave out, matched against the path below the data folder
    #[serde(default)]
    #[schemars(inner(length(min = 1)), example = serde_json::json!(["*/.thumbnails/*"]))]
    pub exclude: Vec<String>,
    /// What to do with a sample that can't be read
    #[serde(default)]
    pub on_error: OnError,
    /// The largest picture that is decoded, in megapixels; a larger one counts as unreadable
    #[serde(default = "default_max_megapixels")]
    #[schemars(transform = limits::positive)]
    pub max_megapixels: f64,
    /// Loader threads; 0 = one per core. Changes the speed, never the samples
    #[serde(default)]
    pub workers: usize,
    /// Memory for decoded pictures that are used again in the next epoch, in MiB; 0 switches it off
    #[serde(default = "default_cache_mib")]
    pub cache_mib: usize,
    /// What is done to each sample before the model sees it
    pub transform: Transforms,
}

fn default_max_megapixels() -> f64 {
    100.0
}

fn default_cache_mib() -> usize {
    1024
}

/// Paths come from a TOML file and are text; one that is not would be written as close as text can.
fn as_text<S: serde::Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn as_text_if_any<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => as_text(path, serializer),
        None => serializer.serialize_none(),
    }
}

/// How the samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataFormat {
    /// One folder per class, classes in sorted order, as torchvision's `ImageFolder`
    #[default]
    ImageFolder,
}

/// What to do with a sample that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Leave it out, count it and name it
    Skip,
    /// Stop and name it
    #[default]
    Fail,
}

/// Takes validation samples out of the training samples, stratified by class and decided by the seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// Share of each class that becomes validation, between 0 and 1
    #[schemars(transform = limits::inside, example = 0.2)]
    pub valid: f64,
    /// Which of the 1/`valid` disjoint parts is the validation part: 0 is the first. For cross-validation
    #[serde(default)]
    pub fold: u64,
}
