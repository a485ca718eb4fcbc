use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why no data set was written. Nothing is left behind in any of these cases.
#[derive(Debug, Error, Diagnostic)]
pub enum ScenesError {
    /// `count` is 0.
    #[error("cannot render 0 pictures")]
    #[diagnostic(help("ask for at least 1; 8 make one of each shape"))]
    NoPictures,

    /// `size` is out of range.
    #[error("cannot render pictures of {size} × {size} pixels")]
    #[diagnostic(help("`size` is between {min} and {max}; 128 is the usual one", min = super::SIZES.start(), max = super::SIZES.end()))]
    Size {
        /// The size asked for.
        size: u32,
    },

    /// `valid` is not a share.
    #[error("`valid` is {valid}, which is not a share of the pictures")]
    #[diagnostic(help("give a number from 0 up to, but without, 1; 0.2 sets every fifth picture aside"))]
    Share {
        /// The share asked for.
        valid: f64,
    },

    /// Some shape would be missing from the validation pictures.
    #[error(
        "{count} pictures are too few to set a share of {valid} aside: some shape would not be in `valid`"
    )]
    #[diagnostic(help("render at least {least} pictures, or leave `valid` out"))]
    TooFew {
        /// Pictures asked for.
        count: usize,
        /// The share asked for.
        valid: f64,
        /// The smallest count that works.
        least: usize,
    },

    /// The target holds something.
    #[error("`{}` is not empty", path.display())]
    #[diagnostic(help("choose another folder, or overwrite the scenes in it with `--force`"))]
    NotEmpty {
        /// The target.
        path: PathBuf,
    },

    /// `force` was given, but the target is not a scenes data set.
    #[error("`{}` holds something other than rendered scenes and is not overwritten", path.display())]
    #[diagnostic(help(
        "only a folder with the `attributes.json` of an earlier render is replaced; choose another folder or remove this one yourself"
    ))]
    NotScenes {
        /// The target.
        path: PathBuf,
    },

    /// The target exists and is no folder.
    #[error("`{}` is a file, not a folder", path.display())]
    #[diagnostic(help("name a folder that is empty or does not exist yet"))]
    NotAFolder {
        /// The target.
        path: PathBuf,
    },

    /// The disk said no.
    #[error("cannot {doing} `{}`: {source}", path.display())]
    #[diagnostic(help("check that the folder can be written and that the disk has room"))]
    Disk {
        /// `write`, `create`, …
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ScenesError {
    pub(super) fn disk(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> ScenesError {
        let path = path.into();
        move |source| ScenesError::Disk { doing, path, source }
    }
}
