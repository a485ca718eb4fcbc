//! From a path to tensors, whatever the format.

use crate::{
    error::{Fault, WeightsError},
    safetensors, shards, source,
    tensor::RawTensor,
    torch,
};
use bytes::Bytes;
use indexmap::IndexMap;
use std::{collections::BTreeMap, path::Path};

/// Tensors by name, as a file or a set of files has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    /// Where they come from, for messages: the path as it was given.
    pub origin: String,
    /// In the order of the file; a sharded set in the order of its index.
    pub tensors: IndexMap<String, RawTensor>,
    /// What was done to get at them, for the user to read: wrappers opened, prefixes taken off.
    pub notes: Vec<String>,
    /// The free-form strings of a `.safetensors` file; empty for other formats.
    pub metadata: BTreeMap<String, String>,
}

/// Reads weights.
///
/// `path` is a file written by `torch.save` (in the format before torch 1.6 or the one since), a
/// `.safetensors` file, the index of a sharded set of either, or a Hugging Face folder, of which
/// `model.safetensors` is preferred to its sharded form, and that to `pytorch_model.bin`. The content decides
/// what a file is.
///
/// A checkpoint's `state_dict`, `model_state_dict`, `model` or `module` is opened, and prefixes that
/// wrappers put before every name (`module.` of DDP, `_orig_mod.` of `torch.compile`) are taken off; each
/// leaves a note.
///
/// Nothing in a pickle is ever run: it may call the dozen functions with which torch itself rebuilds
/// tensors, and any other name ends the reading.
///
/// # Errors
/// [`WeightsError`]: missing or unreadable, no weight file, cut short, damaged, or naming forbidden things.
pub fn read(path: &Path) -> Result<Weights, WeightsError> {
    let about = std::fs::metadata(path).map_err(|error| WeightsError::io(path, error))?;
    let mut weights = if about.is_dir() { shards::read_folder(path)? } else { read_file(path)? };
    strip_prefixes(&mut weights);
    Ok(weights)
}

/// As [`read`], of one file's content. `origin` is for messages.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(origin: &str, bytes: &Bytes) -> Result<Weights, WeightsError> {
    let mut weights = read_content(origin, bytes)?;
    strip_prefixes(&mut weights);
    Ok(weights)
}

/// A file, with names as they are in it.
pub(crate) fn read_file(path: &Path) -> Result<Weights, WeightsError> {
    let bytes = source::open(path)?;
    match shards::as_index(&bytes) {
        Some(index) => shards::read_index(path, &index),
        None => read_content(&path.display().to_string(), &bytes),
    }
}

/// One file of a sharded set: not an index again, which might name itself.
pub(crate) fn read_shard(path: &Path) -> Result<Weights, WeightsError> {
    read_content(&path.display().to_string(), &source::open(path)?)
}

fn read_content(origin: &str, bytes: &Bytes) -> Result<Weights, WeightsError> {
    let mut weights = Weights { origin: origin.to_owned(), ..Weights::default() };
    let read = match &bytes[..] {
        // first: its header's length may begin with any byte, also with a pickle's
        content if safetensors::looks_like(content) => safetensors::read(bytes, &mut weights),
        [b'P', b'K', 3, 4, ..] => torch::read_archive(bytes, &mut weights),
        [0x80, 0..=9, ..] => torch::read_legacy(bytes, &mut weights),
        content => Err(Fault::NotWeights(looks_like(content).to_owned())),
    };
    read.map_err(|fault| fault.at(origin))?;
    Ok(weights)
}

/// What people take for weights, by its first bytes.
fn looks_like(content: &[u8]) -> &'static str {
    const KNOWN: [(&[u8], &str); 8] = [
        (
            b"version https://git-lfs",
            "it is a Git LFS pointer, a text that stands for the file: fetch it with `git lfs pull`",
        ),
        (b"<", "it is a web page, probably the answer to a failed download"),
        (b"{", "it is a text in JSON, without the `weight_map` of a sharded set"),
        (b"GGUF", "it is a GGUF file, made for llama.cpp"),
        (b"\x89HDF", "it is an HDF5 file, such as Keras writes"),
        (b"\x93NUMPY", "it is a NumPy array"),
        (b"\x1f\x8b", "it is compressed with gzip: unpack it first"),
        (b"PK", "it is an empty zip archive"),
    ];
    if content.is_empty() {
        return "it is empty";
    }
    let known = KNOWN.iter().find(|(begin, _)| content.starts_with(begin));
    known.map_or("it begins like no format known here", |(_, what)| what)
}

fn strip_prefixes(weights: &mut Weights) {
    const PREFIXES: [(&str, &str); 2] =
        [("module.", "DistributedDataParallel"), ("_orig_mod.", "torch.compile")];
    while let Some((prefix, who)) = PREFIXES.into_iter().find(|(prefix, _)| {
        !weights.tensors.is_empty() && weights.tensors.keys().all(|name| name.starts_with(prefix))
    }) {
        let bare = std::mem::take(&mut weights.tensors).into_iter();
        let bare = bare.map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor));
        weights.tensors = bare.collect();
        weights.notes.push(format!("the prefix `{prefix}` of {who} was taken off every name"));
    }
}
