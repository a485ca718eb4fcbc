use std::path::Path;

use serde::Serialize;

use crate::folder::{FolderError, class_folders, pictures_below};

/// How a folder of pictures is arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One folder per class
    Classes,
    /// One folder per split, and in it one per class
    Splits,
}

/// What the field calls the parts of a data set.
const SPLITS: [&str; 10] =
    ["train", "training", "valid", "val", "validation", "dev", "eval", "test", "testing", "holdout"];

/// One split with its classes.
pub(super) struct Split {
    pub name: String,
    pub classes: Vec<Class>,
}

/// One class folder.
pub(super) struct Class {
    pub name: String,
    /// Paths below the scanned folder
    pub files: Vec<String>,
}

pub(super) fn find(root: &Path) -> Result<(Layout, Vec<Split>), FolderError> {
    let folders = class_folders(root)?;
    let mut splits = Vec::new();
    for name in folders.iter().filter(|name| SPLITS.contains(&name.to_lowercase().as_str())) {
        let classes = class_folders(&root.join(name))?;
        // a class may well be called `test`; a split has class folders
        if !classes.is_empty() {
            splits.push(split(root, name, &classes)?);
        }
    }
    if !splits.is_empty() {
        // train first, then validation, then test
        splits.sort_by_key(|s| SPLITS.iter().position(|n| *n == s.name.to_lowercase()));
        return Ok((Layout::Splits, splits));
    }
    if folders.is_empty() {
        return Err(FolderError::NoClasses { root: root.to_owned() });
    }
    Ok((Layout::Classes, vec![split(root, "", &folders)?]))
}

fn split(root: &Path, name: &str, classes: &[String]) -> Result<Split, FolderError> {
    let classes = classes.iter().map(|class| {
        let folder = if name.is_empty() { class.clone() } else { format!("{name}/{class}") };
        Ok(Class { name: class.clone(), files: pictures_below(root, &folder)? })
    });
    Ok(Split { name: name.to_owned(), classes: classes.collect::<Result<_, FolderError>>()? })
}
