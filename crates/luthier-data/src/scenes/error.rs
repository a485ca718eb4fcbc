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

    /// No attribute has this name.
    #[error(
        "no attribute is called `{name}`; there are yaw, pitch, light_azimuth, light_elevation, hue, scale, texture \
         and background"
    )]
    Attribute {
        /// The name asked for.
        name: String,
    },

    /// An attribute is to be held, but not where.
    #[error("`{text}` names no value; write it as `background=flat` or `yaw=0`")]
    NoBin {
        /// What was asked for.
        text: String,
    },

    /// The attribute has no such bin.
    #[error("`{name}` has no `{value}`; it has {choices}")]
    Bin {
        /// The attribute.
        name: &'static str,
        /// The bin asked for.
        value: String,
        /// The bins there are.
        choices: String,
    },

    /// An attribute is held at two values.
    #[error("`{name}` is fixed twice")]
    #[diagnostic(help("leave one of the two out: every picture has one value"))]
    FixedTwice {
        /// The attribute.
        name: &'static str,
    },

    /// The folders are named after an attribute that is held.
    #[error("all pictures would be in one folder: `{name}` is fixed and names the folders")]
    #[diagnostic(help("name the folders after something else, or let `{name}` vary"))]
    OneClass {
        /// The attribute.
        name: &'static str,
    },

    /// A class has no picture in a split.
    #[error("none of {count} pictures would be in `{}`", folder.display())]
    #[diagnostic(help("render more pictures: the shapes come in turns, all else by chance"))]
    EmptyClass {
        /// Pictures asked for.
        count: usize,
        /// The class's folder, from the target.
        folder: PathBuf,
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
