//! The recipe: what the user typed, parsed strictly, with its place in the file.
//!
//! This room knows no tensors and no pictures: it turns text into [`Recipe`], or into an error that names the
//! file, the line and the column, and says what was probably meant.

mod check;
mod dom;
mod error;
mod explain;
mod faults;
mod literal;
mod load;
mod reference;
mod render;
mod schema;
mod set;
mod shape;
mod suggest;
mod templates;
pub mod types;
mod walk;
mod words;

pub use error::{Problem, RecipeError};
pub use explain::{explain, suggest_key};
pub use literal::literal;
pub use load::{Loaded, Place, load, parse};
pub use reference::reference_markdown;
pub use render::render;
pub use schema::schema;
pub use suggest::did_you_mean;
pub use templates::{Template, templates};
pub use types::*;
