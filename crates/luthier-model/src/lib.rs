//! One file per architecture; weights in and out.
//!
//! Parameter names are those of the checkpoints the world has, so loading is naming. A [`Model`] is a network (what it
//! computes) and a [`ParamStore`] (its parameters and buffers, by name and role).

mod arch;
mod builder;
mod config;
mod error;
mod facts;
mod flow;
mod freeze;
mod groups;
mod heads;
mod huggingface;
mod input;
pub mod layers;
mod layout;
mod load;
mod lora;
mod mismatch;
mod model;
mod network;
mod pool;
mod positions;
mod projection;
mod spec;
mod store;
mod switches;
mod watch;

pub use builder::{Builder, Init};
pub use config::{config_of, config_of_weights, read_config};
pub use error::{ModelError, Unmatched};
pub use facts::{ARCHS, Facts, arch_name, facts};
pub use flow::Flow;
pub use heads::HeadSpec;
pub use huggingface::{from_huggingface, huggingface_config, huggingface_name, huggingface_preprocessor};
pub use input::{Input, Tokens};
pub use layout::Layout;
pub use load::tensor_of;
pub use lora::{AdapterFile, read_adapter};
pub use model::Model;
pub use network::{Network, Part};
pub use projection::ProjectionSpec;
pub use spec::{Shape, Spec, Stack};
pub use store::{Entry, ParamStore};
pub use watch::{Ear, Sight, watch};
