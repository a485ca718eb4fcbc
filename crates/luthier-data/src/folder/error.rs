use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::picture::PictureError;

/// Why a folder of pictures can't be listed.
#[derive(Debug, Error, Diagnostic)]
pub enum FolderError {
    /// There is nothing at the path
    #[error("the data folder `{}` does not exist", .root.display())]
    #[diagnostic(help("check the path; one in a recipe is relative to the recipe's folder"))]
    Missing {
        /// The path
        root: PathBuf,
    },
    /// The path is a file
    #[error("`{}` is a file, and the data must be a folder with one folder per class", .root.display())]
    NotAFolder {
        /// The path
        root: PathBuf,
    },
    /// The folder can't be read
    #[error("can't read the folder `{}`: {reason}", .path.display())]
    Read {
        /// The folder
        path: PathBuf,
        /// What the system says
        reason: String,
    },
    /// No subfolder
    #[error("`{}` has no class folders", .root.display())]
    #[diagnostic(help("put the pictures of each class into a folder of its own, named as the class"))]
    NoClasses {
        /// The folder
        root: PathBuf,
    },
    /// Only one subfolder
    #[error("`{}` has only one class, `{class}`: there is nothing to tell apart", .root.display())]
    #[diagnostic(help("add a folder for each other class, or point `data.train` at the folder above"))]
    OneClass {
        /// The folder
        root: PathBuf,
        /// Its only class
        class: String,
    },
    /// A class without a picture
    #[error("the class folder `{class}` of `{}` has no pictures{}", .root.display(), excluded_note(*.excluded))]
    #[diagnostic(help(
        "add pictures (.jpg, .png, .webp, .gif, .bmp …), delete the folder, or leave it out with `data.exclude = [\"{class}\"]`"
    ))]
    EmptyClass {
        /// The data folder
        root: PathBuf,
        /// The class
        class: String,
        /// Pictures that `exclude` left out
        excluded: usize,
    },
    /// Every picture of a class is broken
    #[error("no picture of the class `{class}` in `{}` can be read; the first: `{file}` {reason}", .root.display())]
    AllBroken {
        /// The data folder
        root: PathBuf,
        /// The class
        class: String,
        /// One of the files
        file: String,
        /// Why it can't be read
        reason: String,
    },
    /// A class that the training folder doesn't have
    #[error("`{}` has a class `{class}` that the training data doesn't have", .root.display())]
    #[diagnostic(help(
        "the training classes are `{known}`; rename or remove the folder, or add it to the training data"
    ))]
    UnknownClass {
        /// The validation folder
        root: PathBuf,
        /// The class
        class: String,
        /// The training classes
        known: String,
    },
    /// A picture whose header can't be read
    #[error("`{}` {source}{}", .path.display(), more_note(*.more))]
    #[diagnostic(help(
        "delete or replace it, leave it out with `data.exclude`, or set `data.on_error = \"skip\"`"
    ))]
    Broken {
        /// The file
        path: PathBuf,
        /// Why
        source: PictureError,
        /// How many other files are broken too
        more: usize,
    },
    /// A pattern of `exclude` that is no glob
    #[error("`{pattern}` in `data.exclude` is not a glob pattern: {reason}")]
    #[diagnostic(help(
        "`*` and `?` stand for part of a name, `**` for any folders, `[ab]` for one of several characters"
    ))]
    Pattern {
        /// The pattern
        pattern: String,
        /// What is wrong with it
        reason: String,
    },
    /// A symbolic link that leads to a folder above itself
    #[error("`{}` is a link to a folder that contains it: the walk would never end", .path.display())]
    #[diagnostic(help("remove the link, or leave it out"))]
    Loop {
        /// The link
        path: PathBuf,
    },
}

fn excluded_note(excluded: usize) -> String {
    match excluded {
        0 => String::new(),
        n => format!(" left: `data.exclude` leaves out all {n}"),
    }
}

fn more_note(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => " (and 1 other file can't be read)".to_owned(),
        n => format!(" (and {n} other files can't be read)"),
    }
}
