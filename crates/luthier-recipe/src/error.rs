//! What is wrong with a recipe, and where.

use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Why a recipe can't be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum RecipeError {
    /// The file can't be opened or read
    #[error("can't read the recipe `{}`: {reason}", path.display())]
    Unreadable {
        /// The file as it was named
        path: PathBuf,
        /// What the system said
        reason: String,
        /// What to do
        #[help]
        help: String,
    },
    /// One thing is wrong
    #[error(transparent)]
    #[diagnostic(transparent)]
    Problem(Box<Problem>),
    /// Several things are wrong
    #[error("{} problems in `{file}`", problems.len())]
    Problems {
        /// The recipe's file name
        file: String,
        /// One per fault, in the order of the file, `--set` arguments last
        #[related]
        problems: Vec<Problem>,
    },
}

impl RecipeError {
    /// Every fault on its own; empty when the file could not be read at all.
    pub fn problems(&self) -> &[Problem] {
        match self {
            RecipeError::Unreadable { .. } => &[],
            RecipeError::Problem(problem) => std::slice::from_ref(problem),
            RecipeError::Problems { problems, .. } => problems,
        }
    }
}

/// One fault of a recipe.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct Problem {
    /// The key at fault, such as `optim.groups[0].lr_scale`; empty for the whole file
    pub key: String,
    /// `recipe.toml:3:5`, or `` `--set optim.lr=-1` ``
    pub origin: String,
    /// What is wrong
    pub message: String,
    /// What to do
    pub help: Option<String>,
    /// Line and column, both from 1; nothing when the value came from `--set`
    pub line_column: Option<(usize, usize)>,
    pub(crate) written: Arc<NamedSource<String>>,
    pub(crate) label: Option<LabeledSpan>,
}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.label.as_ref().map(|_| &*self.written as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.label.clone()?;
        Some(Box::new(std::iter::once(label)))
    }
}
