//! Sessions: the loop, losses, optimizers, schedules, checkpoints.
//!
//! [`prepare`] turns a recipe into a plan and a model; a [`Runner`] is both with the data; a [`Job`] adds the optimizer;
//! a [`Session`] runs it and tells its listeners.

mod answer;
mod blame;
pub mod checkpoint;
mod contrast;
mod cut;
mod diverged;
mod ema;
mod embed;
mod error;
mod evaluate;
mod feed;
mod head_loss;
mod job;
mod measured;
mod objective;
mod optim;
mod outputs;
mod predict;
mod prefix;
mod prepare;
mod ranks;
mod regress;
mod rerun;
mod rows;
mod runner;
mod samples;
mod session;
mod state;
mod step;
mod streams;
mod tensors;
mod texts;

pub use checkpoint::Checkpoint;
pub use cut::cut;
pub use ema::Ema;
pub use embed::Embedded;
pub use error::TrainError;
pub use evaluate::{Answer, Evaluation};
pub use feed::{Batch, Batches, Feed, Start, Update};
pub use head_loss::HeadLoss;
pub use job::Job;
pub use measured::{OtherRule, resting_parts};
pub use objective::{Objective, Score};
pub use optim::Optimizer;
pub use predict::{Prediction, RowPrediction, TextPrediction};
pub use prepare::{Prepared, planned_model, prepare, prepare_for};
pub use ranks::{Ranks, program};
pub use regress::Estimate;
pub use runner::Runner;
pub use session::Session;
pub use state::{Best, State, StreamState, Sums};
pub use step::Step;
pub use texts::tokenizer_files;
