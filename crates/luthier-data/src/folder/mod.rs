//! A data set stored as one folder per class, listed in the order of torchvision's `ImageFolder`.

mod error;
mod exclude;
mod headers;
mod placeholder;
mod walk;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use luthier_recipe::OnError;

pub use error::FolderError;
pub(crate) use placeholder::{few_colours, name_says_placeholder};
pub(crate) use walk::{class_folders, pictures_below};

use crate::picture::Limits;
use exclude::Exclude;

/// How a folder is listed.
#[derive(Debug, Clone, Copy)]
pub struct FolderOptions<'a> {
    /// Glob patterns of files and folders to leave out. A pattern with a `/` is matched against the path below the
    /// root; one without is matched against the name alone, at any depth
    pub exclude: &'a [String],
    /// What to do with a file whose header can't be read
    pub on_error: OnError,
    /// The largest picture that counts as readable
    pub limits: Limits,
}

/// The samples of a folder, checked by their headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The folder
    pub root: PathBuf,
    /// Class names; a label is an index into them
    pub classes: Vec<String>,
    /// Path below the root, with `/`, and label of each sample
    pub samples: Vec<(String, u32)>,
    /// Width and height of each sample, in the order of `samples`
    pub sizes: Vec<(u32, u32)>,
    /// Path below the root of each file left out because its header can't be read, and why
    pub skipped: Vec<(String, String)>,
    /// What a person should know about the folder, one sentence each
    pub notes: Vec<String>,
}

impl Listing {
    /// Samples per class, in class order.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for (_, label) in &self.samples {
            if let Some(count) = counts.get_mut(*label as usize) {
                *count += 1;
            }
        }
        counts
    }
}

/// Lists a training folder: classes are its subfolders, sorted by name as Python sorts strings; samples follow class
/// by class, folder by folder. Every file's header is read.
///
/// # Errors
/// A missing folder, no class folder or only one, a class folder without pictures, a pattern that is no glob, and,
/// with [`OnError::Fail`], a file whose header can't be read.
pub fn image_folder(root: &Path, options: &FolderOptions<'_>) -> Result<Listing, FolderError> {
    let exclude = Exclude::new(options.exclude)?;
    let classes = classes_of(root, &exclude)?;
    if let [only] = classes.as_slice() {
        return Err(FolderError::OneClass { root: root.to_owned(), class: only.clone() });
    }
    let mut listing = list(root, &classes, &classes, &exclude, options)?;
    listing.notes.extend(exclude.unused());
    Ok(listing)
}

/// Lists a validation or test folder, with the labels of the training classes.
///
/// A training class that has no folder here is a note; torchvision would number the remaining classes anew, and every
/// label after the gap would be wrong.
///
/// # Errors
/// As [`image_folder`], except that one class is enough; and a class that is not among `classes`.
pub fn image_folder_like(
    root: &Path,
    classes: &[String],
    options: &FolderOptions<'_>,
) -> Result<Listing, FolderError> {
    let exclude = Exclude::new(options.exclude)?;
    let here = classes_of(root, &exclude)?;
    if let Some(unknown) = here.iter().find(|class| !classes.contains(class)) {
        return Err(FolderError::UnknownClass {
            root: root.to_owned(),
            class: unknown.clone(),
            known: classes.join("`, `"),
        });
    }
    let mut listing = list(root, &here, classes, &exclude, options)?;
    let present: BTreeSet<&String> = here.iter().collect();
    let absent: Vec<&str> = classes.iter().filter(|c| !present.contains(c)).map(String::as_str).collect();
    if !absent.is_empty() {
        listing.notes.push(format!(
            "`{}` has no pictures of `{}`: these classes are trained but never validated",
            root.display(),
            absent.join("`, `")
        ));
    }
    Ok(listing)
}

/// Every picture below a folder, at any depth, in the order of their paths; for folders that have no classes.
///
/// # Errors
/// The folder can't be read, or a link in it leads back above.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let found = pictures_below(folder, ".")?;
    Ok(found.iter().map(|path| folder.join(path.trim_start_matches("./"))).collect())
}

fn classes_of(root: &Path, exclude: &Exclude) -> Result<Vec<String>, FolderError> {
    let mut classes = class_folders(root)?;
    classes.retain(|class| !exclude.matches(class));
    if classes.is_empty() {
        return Err(FolderError::NoClasses { root: root.to_owned() });
    }
    Ok(classes)
}

fn list(
    root: &Path,
    here: &[String],
    classes: &[String],
    exclude: &Exclude,
    options: &FolderOptions<'_>,
) -> Result<Listing, FolderError> {
    let mut found = Vec::new();
    for class in here {
        let label = classes.iter().position(|c| c == class).unwrap_or_default() as u32;
        let mut files = pictures_below(root, class)?;
        let all = files.len();
        files.retain(|path| !exclude.matches(path));
        if files.is_empty() {
            return Err(FolderError::EmptyClass {
                root: root.to_owned(),
                class: class.clone(),
                excluded: all,
            });
        }
        found.extend(files.into_iter().map(|path| (path, label)));
    }
    headers::check(root, classes, found, options)
}
