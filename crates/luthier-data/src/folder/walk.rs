//! The order in which torchvision finds files: `find_classes` and `make_dataset` of `torchvision.datasets.folder`.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::FolderError;

/// torchvision's `IMG_EXTENSIONS`, and GIF.
const EXTENSIONS: [&str; 10] =
    [".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif"];

/// Whether a file's name ends as a picture's does, in any case.
fn has_picture_name(name: &str) -> bool {
    let name = name.to_lowercase();
    EXTENSIONS.iter().any(|extension| name.ends_with(extension))
}

/// The subfolders, links to folders among them, sorted by name. Python sorts strings by code point, which is the
/// order of their UTF-8 bytes.
pub(crate) fn class_folders(root: &Path) -> Result<Vec<String>, FolderError> {
    match std::fs::metadata(root) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(FolderError::NotAFolder { root: root.to_owned() }),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(FolderError::Missing { root: root.to_owned() });
        }
        Err(e) => return Err(FolderError::Read { path: root.to_owned(), reason: e.to_string() }),
    }
    Ok(entries(root)?.into_iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name).collect())
}

/// The pictures of one class, as paths below the root: folders in the order of their whole paths, and in each folder
/// the files by name. Links to folders are followed.
pub(crate) fn pictures_below(root: &Path, class: &str) -> Result<Vec<String>, FolderError> {
    let mut folders = Vec::new();
    collect_folders(root, class.to_owned(), &mut Vec::new(), &mut folders)?;
    // by the whole path as one string: `a-b` comes before `a/b`, since `-` comes before `/`
    folders.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(folders
        .into_iter()
        .flat_map(|(folder, files)| files.into_iter().map(move |file| format!("{folder}/{file}")))
        .collect())
}

fn collect_folders(
    root: &Path,
    folder: String,
    above: &mut Vec<PathBuf>,
    into: &mut Vec<(String, Vec<String>)>,
) -> Result<(), FolderError> {
    let path = root.join(&folder);
    let real =
        path.canonicalize().map_err(|e| FolderError::Read { path: path.clone(), reason: e.to_string() })?;
    if above.contains(&real) {
        return Err(FolderError::Loop { path });
    }
    above.push(real);
    let mut files = Vec::new();
    for (name, is_folder) in entries(&path)? {
        if is_folder {
            collect_folders(root, format!("{folder}/{name}"), above, into)?;
        } else if has_picture_name(&name) {
            files.push(name);
        }
    }
    above.pop();
    into.push((folder, files));
    Ok(())
}

/// Names in a folder, sorted, and whether each is a folder or a link to one. A name that is no UTF-8 could not be
/// written into a plan, so it is an error.
fn entries(path: &Path) -> Result<Vec<(String, bool)>, FolderError> {
    let fail = |reason: String| FolderError::Read { path: path.to_owned(), reason };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| fail(e.to_string()))? {
        let entry = entry.map_err(|e| fail(e.to_string()))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| fail(format!("the name `{}` is not UTF-8", name.display())))?;
        let is_folder = std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
        names.push((name, is_folder));
    }
    names.sort();
    Ok(names)
}
