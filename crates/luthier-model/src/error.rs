//! What can be wrong with a model.

use std::fmt;
use std::path::PathBuf;

use luthier_plan::{LoadReport, PlanError};
use luthier_torch::TorchError;
use miette::Diagnostic;
use tch::{Kind, TchError};
use thiserror::Error;

/// What can be wrong with a model.
#[derive(Debug, Error, Diagnostic)]
pub enum ModelError {
    /// libtorch threw
    #[error(transparent)]
    #[diagnostic(transparent)]
    Torch(#[from] TorchError),
    /// A pattern is none
    #[error(transparent)]
    #[diagnostic(transparent)]
    Pattern(#[from] PlanError),
    /// No classes
    #[error("a model cannot have {0} classes")]
    #[diagnostic(help("a classifier has one output per class, at least one"))]
    Classes(u64),
    /// A sequential network without layers
    #[error("a sequential network has no layers")]
    #[diagnostic(help("list them in `model.layers`"))]
    NoLayers,
    /// A hidden layer that two heads have at different places
    #[error("the hidden layer `{layer}` of the head `{head}` comes after other layers in another head")]
    #[diagnostic(help("heads share layers that they both begin with; give it another name"))]
    HiddenLayer {
        /// The layer
        layer: String,
        /// The second head that has it
        head: String,
    },
    /// Dropout out of range
    #[error("a dropout of {0} is no probability below 1")]
    #[diagnostic(help("give a number from 0 up to, but not including, 1"))]
    Dropout(f64),
    /// Dropout where the architecture has none
    #[error("`{arch}` has no dropout before its head")]
    #[diagnostic(help("leave `model.dropout` out"))]
    NoDropout {
        /// The architecture
        arch: &'static str,
    },
    /// The input is no batch of pictures
    #[error("a batch of pictures has the shape [N, 3, height, width], not {0:?}")]
    #[diagnostic(help("give RGB pictures, at least one, of at least one pixel"))]
    Input(Vec<i64>),
    /// A picture without a patch
    #[error("a batch of the shape {found:?} has no patch of {patch} pixels")]
    #[diagnostic(help("give larger pictures, or a model of smaller patches"))]
    SmallPicture {
        /// Shape of the batch
        found: Vec<i64>,
        /// Edge of a patch
        patch: i64,
    },
    /// Samples of another shape than the network was built for
    #[error(
        "the network was built for samples of the shape {wanted:?}, and the batch has the shape {found:?}"
    )]
    #[diagnostic(help("give it the columns, or the size of pictures, that it was trained on"))]
    SampleShape {
        /// Shape of a sample
        wanted: Vec<i64>,
        /// Shape of the batch
        found: Vec<i64>,
    },
    /// Pictures for a network of texts, or the other way round
    #[error("the architecture computes on {wants}, and was given {given}")]
    #[diagnostic(help(
        "the `task` of the recipe decides what the data are: choose an architecture that fits"
    ))]
    OtherInput {
        /// What the architecture computes on
        wants: &'static str,
        /// What it was given
        given: &'static str,
    },
    /// Parts that are not there
    #[error("`{arch}` has {count} parts, so {start}..{end} are not parts of it")]
    #[diagnostic(help("parts are counted from 0, and run in order"))]
    Parts {
        /// The architecture
        arch: &'static str,
        /// How many parts it has
        count: usize,
        /// First one asked for
        start: usize,
        /// The one after the last one asked for
        end: usize,
    },
    /// BatchNorm has nothing to take statistics of
    #[error("the BatchNorm `{layer}` has one value per channel to take statistics of")]
    #[diagnostic(help(
        "use larger batches or pictures, drop the last batch if it has one picture, or freeze the layer"
    ))]
    OneValue {
        /// Name of the layer
        layer: String,
    },
    /// No texts
    #[error("a batch of texts has no text in it")]
    #[diagnostic(help("give at least one"))]
    NoTexts,
    /// A text without tokens
    #[error("text {text} of the batch, counted from 0, has no tokens")]
    #[diagnostic(help("give it the tokenizer's token for the end of a text, or leave it out"))]
    EmptyText {
        /// Its number in the batch
        text: usize,
    },
    /// A text that is too long
    #[error(
        "text {text} of the batch, counted from 0, has {length} tokens, and the model has positions for {positions}"
    )]
    #[diagnostic(help("cut texts at {positions} tokens"))]
    LongText {
        /// Its number in the batch
        text: usize,
        /// Its tokens
        length: i64,
        /// Tokens of the longest that the model takes
        positions: i64,
    },
    /// A token that is not in the vocabulary
    #[error("there is no token {id}: the model's vocabulary has {vocabulary}, counted from 0")]
    #[diagnostic(help("the tokenizer is another model's: use the one that came with the weights"))]
    UnknownToken {
        /// Its id
        id: i64,
        /// Tokens that there are
        vocabulary: i64,
    },
    /// Tokens that are not packed
    #[error(
        "packed tokens are one row of int64, as long as their lengths together, {lengths}; these are {shape:?} of {kind:?}"
    )]
    #[diagnostic(help("`Tokens::pack` makes them"))]
    Packing {
        /// Shape of the ids
        shape: Vec<i64>,
        /// Their type
        kind: Kind,
        /// Sum of the lengths
        lengths: i64,
    },
    /// A flow of a text without its lengths
    #[error("the lengths of the texts are missing from what runs through the model")]
    #[diagnostic(help("`Flow::packed` puts them beside it"))]
    NoLayout,
    /// A config for an architecture that has none
    #[error("`{arch}` has one shape, and takes no config")]
    #[diagnostic(help("leave `model.config` out"))]
    NoConfig {
        /// The architecture
        arch: &'static str,
    },
    /// A pooling for an architecture of pictures
    #[error("`{arch}` sees pictures, and has no tokens to choose from")]
    #[diagnostic(help("leave `model.pool` out"))]
    NoPool {
        /// The architecture
        arch: &'static str,
    },
    /// A config that cannot be read
    #[error("cannot read the config `{}`: {why}", path.display())]
    #[diagnostic(help("`model.config` is a `config.json` as `transformers` writes it"))]
    ConfigFile {
        /// Where
        path: PathBuf,
        /// What about it
        why: String,
    },
    /// A config that asks for what is not there
    #[error("the config's `{key}` cannot be {value}: {why}")]
    #[diagnostic(help(
        "the file is the `config.json` that came with the weights, or the one that `model.config` names"
    ))]
    Config {
        /// The key
        key: String,
        /// Its value, as JSON
        value: String,
        /// What is wrong with it
        why: String,
    },
    /// A config of other weights
    #[error("the config says `{key}` = {value}, and the weights are others: {why}")]
    #[diagnostic(help("{help}"))]
    ConfigMismatch {
        /// The key
        key: &'static str,
        /// What it says
        value: i64,
        /// What the weights say, and which tensor
        why: String,
        /// What to do
        help: String,
    },
    /// A layer that LoRA shall stand at and that is not there
    #[error("the plan has LoRA at `{0}`, and the model no linear layer of that name")]
    #[diagnostic(help("the plan is another model's"))]
    NoLinear(String),
    /// An adapter that cannot be read
    #[error("cannot read the adapter `{}`: {why}", folder.display())]
    #[diagnostic(help(
        "`model.lora.adapter` is a folder with `adapter_config.json` and `adapter_model.safetensors`, as PEFT writes it"
    ))]
    Adapter {
        /// Where
        folder: PathBuf,
        /// What about it
        why: String,
    },
    /// No head that makes words
    #[error("the architecture has no language-model head")]
    #[diagnostic(help("`gpt2` has one"))]
    NoLanguageModel,
    /// What `transformers` lacks
    #[error("`transformers` has no `{arch}`{}", pool.as_ref().map(|pool| format!(" that pools by `{pool}`")).unwrap_or_default())]
    #[diagnostic(help(
        "export the weights alone: the tensors keep the names of the architecture's own package"
    ))]
    NotInTransformers {
        /// The architecture
        arch: &'static str,
        /// What it reads of a text
        pool: Option<String>,
    },
    /// A pattern matches nothing
    #[error("the {what} pattern `{pattern}` matches no parameter of `{arch}`")]
    #[diagnostic(help("{help}"))]
    MatchesNothing {
        /// `freeze` or `train`
        what: &'static str,
        /// As given
        pattern: String,
        /// The architecture
        arch: &'static str,
        /// Names that are near
        help: String,
    },
    /// The weights are another model's
    #[error("the weights do not fit `{arch}`: {unmatched}")]
    #[diagnostic(help("{help}"))]
    Unmatched {
        /// The architecture
        arch: &'static str,
        /// What does not match and was not allowed to
        unmatched: Box<Unmatched>,
        /// What to do
        help: String,
    },
    /// A tensor's bytes are not what its type and shape say
    #[error("the tensor `{name}` of the weights cannot be used: {why}")]
    #[diagnostic(help("the file may be damaged: fetch it again"))]
    Tensor {
        /// Its name
        name: String,
        /// What about it
        why: String,
    },
}

impl From<TchError> for ModelError {
    fn from(error: TchError) -> Self {
        Self::Torch(error.into())
    }
}

/// What of a weight file does not match a model, the head and what is allowed left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unmatched(pub LoadReport);

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(LoadReport { missing, unexpected, wrong_shape, .. }) = self;
        let quote = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let shapes: Vec<_> = wrong_shape
            .iter()
            .map(|(name, file, model)| format!("`{name}` is {file:?} in the file, {model:?} in the model"))
            .collect();
        let parts =
            [("missing", quote(missing)), ("unexpected", quote(unexpected)), ("of another shape", shapes)];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| {
                let count = names.len();
                format!(
                    "{count} {} {what} ({})",
                    if count == 1 { "tensor is" } else { "tensors are" },
                    first_few(names)
                )
            })
            .collect();
        f.write_str(&parts.join("; "))
    }
}

/// At most five of them.
fn first_few(names: &[String]) -> String {
    const FEW: usize = 5;
    let mut text = names.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > FEW {
        text.push_str(", …");
    }
    text
}
