//! `hf:owner/name`: the hub cache, in the layout that `huggingface_hub` shares with every program.
//!
//! `models--owner--name/refs/<branch>` holds a commit, and `…/snapshots/<commit>/` its files.

use super::Places;
use crate::{
    error::WeightsError,
    shards::{CANDIDATES, as_index},
};
use std::path::{Path, PathBuf};

/// A model on the hub.
#[derive(Debug)]
pub(super) struct Model {
    /// `owner/name`, or `name` alone for the hub's first models.
    pub(super) name: String,
    /// A branch, a tag or a commit.
    pub(super) revision: String,
}

impl Model {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
        let plain = |part: &str| {
            let right = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && !part.starts_with('.') && !part.contains("..") && part.chars().all(right)
        };
        if name.split('/').count() > 2 || !name.split('/').all(plain) {
            return Err("a model on the hub is called `owner/name`".to_owned());
        }
        if !revision.split('/').all(plain) {
            return Err("behind `@` belongs a branch, a tag or a commit".to_owned());
        }
        Ok(Self { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// As the user wrote it.
    pub(super) fn shown(&self) -> String {
        if self.revision == "main" { self.name.clone() } else { format!("{}@{}", self.name, self.revision) }
    }

    /// The folder with the model's files: from the cache, or downloaded into it.
    pub(super) fn resolve(&self, places: &Places) -> Result<PathBuf, WeightsError> {
        let folder = self.snapshot(places);
        if missing(&folder).is_empty() {
            return Ok(folder);
        }
        if places.offline {
            return Err(self.missing(places, "`HF_HUB_OFFLINE` forbids to download it"));
        }
        self.fetch(places)
    }

    #[cfg(feature = "hub")]
    fn fetch(&self, places: &Places) -> Result<PathBuf, WeightsError> {
        super::download::download(self, places)?;
        let folder = self.snapshot(places);
        if missing(&folder).is_empty() {
            return Ok(folder);
        }
        Err(self.missing(places, "the download did not bring all of it"))
    }

    #[cfg(not(feature = "hub"))]
    fn fetch(&self, places: &Places) -> Result<PathBuf, WeightsError> {
        Err(self.missing(places, "this build cannot download"))
    }

    pub(super) fn missing(&self, places: &Places, why: &str) -> WeightsError {
        let folder = self.snapshot(places);
        let mut wanted = missing(&folder);
        if !folder.join("config.json").exists() {
            wanted.insert(0, "config.json".to_owned());
        }
        WeightsError::HubMissing { repo: self.shown(), why: why.to_owned(), wanted, folder }
    }

    /// Where the files are or would be. A revision the cache knows nothing of is a folder of its own name,
    /// so that files can also be put there by hand.
    fn snapshot(&self, places: &Places) -> PathBuf {
        let model = places.hub.join(format!("models--{}", self.name.replace('/', "--")));
        let commit = std::fs::read_to_string(model.join("refs").join(&self.revision)).ok();
        let commit = commit.as_deref().map(str::trim).filter(|commit| {
            // it becomes part of a path
            !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        model.join("snapshots").join(commit.unwrap_or(&self.revision))
    }
}

/// What a folder lacks to be read: nothing, some shards, or the weights altogether.
fn missing(folder: &Path) -> Vec<String> {
    let Some(best) = CANDIDATES.into_iter().find(|name| folder.join(name).exists()) else {
        return vec![CANDIDATES[0].to_owned()];
    };
    match shards_of(&folder.join(best)) {
        Ok(shards) => shards.into_iter().filter(|shard| !folder.join(shard).exists()).collect(),
        // reading will say what is wrong with the index
        Err(_) => Vec::new(),
    }
}

/// The files that an index names; none if `path` is no index.
pub(super) fn shards_of(path: &Path) -> Result<Vec<String>, WeightsError> {
    if path.extension().is_none_or(|ending| ending != "json") {
        return Ok(Vec::new());
    }
    let content = std::fs::read(path).map_err(|error| WeightsError::io(path, error))?;
    let Some(index) = as_index(&content) else { return Ok(Vec::new()) };
    Ok(index.files(&path.display().to_string())?.into_iter().map(str::to_owned).collect())
}
