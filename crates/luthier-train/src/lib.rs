//! Sessions: the loop, losses, optimizers, schedules, checkpoints.
//!
//! [`prepare`] turns a recipe into a plan and a model; a [`Runner`] is both with the data; a [`Job`] adds the optimizer;
//! a [`Session`] runs it and tells its listeners.

pub mod checkpoint;
mod diverged;
mod ema;
mod error;
mod evaluate;
mod feed;
mod job;
mod loss;
mod optim;
mod predict;
mod prefix;
mod prepare;
mod rerun;
mod runner;
mod samples;
mod session;
mod state;
mod step;
mod tensors;
mod texts;

pub use checkpoint::Checkpoint;
pub use ema::Ema;
pub use error::TrainError;
pub use evaluate::{Answer, Evaluation};
pub use job::Job;
pub use loss::Objective;
pub use optim::Optimizer;
pub use predict::{Prediction, TextPrediction};
pub use prepare::{Prepared, planned_model, prepare};
pub use runner::Runner;
pub use session::Session;
pub use state::{Best, State, Sums};
pub use texts::tokenizer_files;
