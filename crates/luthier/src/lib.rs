//! The command line of Luthier: what can be typed, how it answers, and how it looks.
//!
//! Two programs share this room, so that they speak with one voice: `luthier`, which starts in milliseconds because
//! it links no libtorch, and `luthier-engine`, which `luthier` becomes when a command needs tensors.
//!
//! - [`args`]: every command and every flag
//! - [`voice`]: errors, warnings, hints and what is being done, on stderr; exit codes
//! - [`progress`]: a run, as it happens
//! - [`show`]: a plan, as a page to read
//! - [`compare`]: runs side by side
//! - [`launch`]: several engines that train one model
//! - [`engine`]: how `luthier` becomes `luthier-engine`

pub mod args;
pub mod compare;
pub mod engine;
pub mod launch;
pub mod progress;
pub mod show;
pub mod text;
pub mod voice;
