//! The recipe: what the user typed, parsed strictly, with its place in the file.
//!
//! This room knows no tensors and no pictures: it turns text into [`Recipe`], or into an error that names the
//! file, the line and the column, and says what was probably meant.

pub mod types;

pub use types::*;
