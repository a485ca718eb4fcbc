use std::path::PathBuf;

use luthier_torch::TorchError;
use miette::Diagnostic;
use thiserror::Error;

/// Why a run cannot begin, or cannot go on.
#[derive(Debug, Error, Diagnostic)]
pub enum TrainError {
    /// A folder of pictures stands in the way
    #[error(transparent)]
    #[diagnostic(transparent)]
    Folder(#[from] luthier_data::FolderError),
    /// A table of attributes stands in the way
    #[error(transparent)]
    #[diagnostic(transparent)]
    Attributes(#[from] luthier_data::AttributesError),
    /// A split cannot be made
    #[error(transparent)]
    #[diagnostic(transparent)]
    Split(#[from] luthier_data::SplitError),
    /// A table stands in the way
    #[error(transparent)]
    #[diagnostic(transparent)]
    Table(#[from] luthier_data::TableError),
    /// A tokenizer stands in the way
    #[error(transparent)]
    #[diagnostic(transparent)]
    Tokenizer(#[from] luthier_data::TokensError),
    /// A table is not the one that was planned with
    #[error("`{}` has changed since the run was planned", path.display())]
    #[diagnostic(help("the splits are rows of the file as it was: bring it back, or begin a new run"))]
    Changed {
        /// The table
        path: PathBuf,
    },
    /// A transform cannot be carried out
    #[error(transparent)]
    #[diagnostic(transparent)]
    Transform(#[from] luthier_data::TransformError),
    /// A sample cannot be read
    #[error(transparent)]
    #[diagnostic(transparent)]
    Load(#[from] luthier_data::DataError),
    /// Not one sample of an update could be read
    #[error("none of the samples of update {0} could be read")]
    #[diagnostic(help("`luthier data scan` names the broken files; `data.exclude` leaves them out"))]
    Unreadable(u64),
    /// The model or its weights stand in the way
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] luthier_model::ModelError),
    /// The weight file can't be read or written
    #[error(transparent)]
    #[diagnostic(transparent)]
    Weights(#[from] luthier_weights::WeightsError),
    /// Embeddings cannot be contrasted or clustered
    #[error(transparent)]
    #[diagnostic(transparent)]
    Contrast(#[from] luthier_contrast::ContrastError),
    /// A contrastive run is asked for classes
    #[error("a contrastive run has embeddings, not answers")]
    #[diagnostic(help(
        "`luthier eval RUN --probe knn` or `--probe linear` says what they are worth; `luthier export` writes the encoder, \
         to fine-tune from"
    ))]
    NoAnswers,
    /// The recipe asks for what cannot be
    #[error(transparent)]
    #[diagnostic(transparent)]
    Plan(#[from] luthier_plan::PlanError),
    /// libtorch threw
    #[error(transparent)]
    #[diagnostic(transparent)]
    Torch(#[from] TorchError),
    /// A file of a checkpoint can't be written or read
    #[error("`{path}` could not be {verb}: {source}")]
    #[diagnostic(help("{help}"))]
    File {
        /// Which
        path: PathBuf,
        /// `written`, `read`
        verb: &'static str,
        /// What the system said
        source: std::io::Error,
        /// What to do
        help: &'static str,
    },
    /// There is no checkpoint that could be loaded
    #[error("there is no whole checkpoint in `{0}`")]
    #[diagnostic(help(
        "a run writes its first checkpoint at the end of its first epoch; start the run anew"
    ))]
    NoCheckpoint(PathBuf),
    /// A checkpoint does not fit the plan
    #[error("the checkpoint does not fit the plan: {0}")]
    #[diagnostic(help("the run directory was put together from different runs; start the run anew"))]
    State(String),
    /// The loss or a gradient is not finite, or the loss has stayed far above where it began
    #[error("the run diverged at update {update}: {what}")]
    #[diagnostic(help("{help}"))]
    Diverged {
        /// Update that was not made, or the last one
        update: u64,
        /// Code of the rule that says so
        rule: &'static str,
        /// What is not finite, by name, or where the loss is
        what: String,
        /// What to do
        help: String,
    },
    /// A rank is about to run something else
    #[error("rank {rank} is not like rank 0: {what}")]
    #[diagnostic(help("nothing was begun; start all ranks with the same recipe, data, weights and build"))]
    OtherRun {
        /// Which
        rank: usize,
        /// In what
        what: String,
    },
    /// A rank's weights are not those of rank 0
    #[error("after update {update}, the weights of rank {rank} are not those of rank 0")]
    #[diagnostic(help(
        "every rank makes the same updates from the same sums, so a machine computes wrongly or memory was overwritten; \
         resume from the last checkpoint on other hardware"
    ))]
    Drifted {
        /// Which
        rank: usize,
        /// When it was found out
        update: u64,
    },
    /// A listener failed, a full disk say
    #[error("{0}")]
    Listener(#[diagnostic_source] Box<dyn Diagnostic + Send + Sync>),
}

impl From<tch::TchError> for TrainError {
    fn from(error: tch::TchError) -> Self {
        TrainError::Torch(error.into())
    }
}
