//! Weights in several files: an index that says which tensor lies where, or a folder that has one.

use crate::{
    error::{Fault, WeightsError, shown, tampered},
    read::{Weights, read_file, read_shard},
};
use indexmap::{IndexMap, IndexSet};
use serde::Deserialize;
use std::path::Path;

/// What a Hugging Face folder keeps its weights in, best first.
pub(crate) const CANDIDATES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The index of a sharded set: the file of each tensor.
#[derive(Debug, Deserialize)]
pub(crate) struct Index {
    weight_map: IndexMap<String, String>,
}

impl Index {
    /// The set's files, in the order they are first named.
    ///
    /// # Errors
    /// A name that is more than a name: a set lies in one folder.
    pub(crate) fn files(&self, origin: &str) -> Result<IndexSet<&str>, WeightsError> {
        let files: IndexSet<&str> = self.weight_map.values().map(String::as_str).collect();
        match files.iter().find(|file| !is_plain(file)) {
            Some(file) => {
                let what = format!("its index points out of its folder, to `{}`", shown(file));
                Err(Fault::Tampered(what).at(origin))
            }
            None => Ok(files),
        }
    }
}

fn is_plain(file: &str) -> bool {
    !matches!(file, "" | "." | "..") && !file.contains(['/', '\\', ':', '\0'])
}

/// The content as an index, if it is one.
pub(crate) fn as_index(content: &[u8]) -> Option<Index> {
    let begin = content.iter().find(|byte| !byte.is_ascii_whitespace());
    if begin != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(content).ok()
}

/// Reads the files of the index at `path`, from its folder.
pub(crate) fn read_index(path: &Path, index: &Index) -> Result<Weights, WeightsError> {
    let origin = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut found = Weights { origin: origin.clone(), ..Weights::default() };
    for file in index.files(&origin)? {
        let shard = read_shard(&folder.join(file))?;
        for (name, tensor) in shard.tensors {
            if found.tensors.insert(name.clone(), tensor).is_some() {
                return tampered(format!("two of its files have a tensor `{}`", shown(&name)))
                    .map_err(|fault| fault.at(&origin));
            }
        }
        found.notes.extend(shard.notes.into_iter().map(|note| format!("`{file}`: {note}")));
        found.metadata.extend(shard.metadata);
    }
    match index.weight_map.iter().find(|(name, _)| !found.tensors.contains_key(*name)) {
        Some((name, file)) => tampered(format!("`{}` has no tensor `{}`", shown(file), shown(name)))
            .map_err(|fault| fault.at(&origin)),
        None => Ok(found),
    }
}

/// Reads a Hugging Face folder.
pub(crate) fn read_folder(path: &Path) -> Result<Weights, WeightsError> {
    match CANDIDATES.iter().map(|name| path.join(name)).find(|file| file.exists()) {
        Some(file) => read_file(&file),
        None => Err(WeightsError::EmptyFolder {
            path: path.to_owned(),
            wanted: CANDIDATES.map(str::to_owned).to_vec(),
        }),
    }
}
