//! The format since torch 1.6: a zip archive with `data.pkl`, and each storage as an entry `data/<key>`.
//!
//! Source: `torch/serialization.py`, `_save` and `_load`. Torch stores its entries without compression, so a
//! storage is a slice of the file.

use super::{state, views::Cutter};
use crate::{
    error::{Fault, Sound, shown, tampered},
    pickle::Machine,
    read::Weights,
};
use bytes::Bytes;
use std::{collections::HashMap, io::Cursor};
use zip::{CompressionMethod, ZipArchive, result::ZipError};

/// Reads a file that begins like a zip archive.
pub(crate) fn read(file: &Bytes, weights: &mut Weights) -> Sound<()> {
    let entries = entries(file)?;
    if entries.unchecked {
        weights.notes.push("the file was written without checksums: its content was not checked".to_owned());
    }
    if let Some(order) = entries.bytes("byteorder")?
        && order[..] != *b"little"
    {
        return Err(Fault::Unsupported("big-endian numbers".to_owned()));
    }
    let Some(pickle) = entries.bytes("data.pkl")? else {
        return Err(Fault::NotWeights("it is a zip archive, but not one that `torch.save` wrote".to_owned()));
    };
    if entries.entries.contains_key("constants.pkl") {
        return Err(Fault::Unsupported("a TorchScript program instead of a state dict".to_owned()));
    }
    let mut machine = Machine::new(&pickle);
    let root = machine.run()?;
    let heap = &machine.heap;

    let mut cutter = Cutter::new(file.len());
    let mut storages = HashMap::new();
    for (name, tensor) in state::find(heap, root, &mut weights.notes)? {
        let found =
            heap.tensors.get(tensor).and_then(|tensor| Some((tensor, heap.storages.get(tensor.storage)?)));
        let Some((tensor, storage)) = found else {
            return tampered(format!("tensor `{name}` has no storage"));
        };
        let bytes = match storages.get(storage.key) {
            Some(bytes) => bytes,
            None => match entries.bytes(&format!("data/{}", storage.key))? {
                Some(bytes) => storages.entry(storage.key).or_insert(bytes),
                None => {
                    return tampered(format!(
                        "tensor `{name}` lies on a storage that the file does not have"
                    ));
                }
            },
        };
        let size = storage.numel.checked_mul(storage.dtype.map_or(1, |dtype| dtype.size()));
        if size != Some(bytes.len()) {
            return tampered(format!("the storage of tensor `{name}` has another size than the pickle says"));
        }
        let tensor = cutter.cut(&name, tensor, storage, bytes)?;
        weights.tensors.insert(name, tensor);
    }
    Ok(())
}

/// The archive's table of contents: names without the leading folder.
struct Entries {
    entries: HashMap<String, Entry>,
    /// `torch.serialization.set_crc32_options(False)` writes 0 for every checksum.
    unchecked: bool,
}

struct Entry {
    bytes: Bytes,
    stored: bool,
    crc: u32,
}

impl Entries {
    /// An entry's content, its checksum compared.
    fn bytes(&self, name: &str) -> Sound<Option<Bytes>> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        if !entry.stored {
            return Err(Fault::Unsupported(format!("the compressed entry `{}`", shown(name))));
        }
        if !self.unchecked && crc32fast::hash(&entry.bytes) != entry.crc {
            return tampered(format!("the checksum of its entry `{}` is wrong", shown(name)));
        }
        Ok(Some(entry.bytes.clone()))
    }
}

fn entries(file: &Bytes) -> Sound<Entries> {
    let mut archive = ZipArchive::new(Cursor::new(&file[..])).map_err(|error| match error {
        // the table stands at the end
        ZipError::InvalidArchive(_) => {
            Fault::Truncated("its table of contents at the end is missing or damaged".to_owned())
        }
        other => Fault::Tampered(other.to_string()),
    })?;
    let damaged = |error: ZipError| Fault::Tampered(format!("its table of contents is damaged: {error}"));
    let mut entries = HashMap::new();
    let mut unchecked = true;
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        if entry.encrypted() {
            return Err(Fault::Unsupported("encrypted entries".to_owned()));
        }
        let full = entry.name().map_err(damaged)?.into_owned();
        let range = entry.data_start().and_then(|begin| {
            let end = begin.checked_add(entry.compressed_size())?;
            Some(usize::try_from(begin).ok()?..usize::try_from(end).ok()?)
        });
        let Some(range) = range.filter(|range| range.end <= file.len()) else {
            return Err(Fault::Truncated(format!("its entry `{}` reaches beyond its end", shown(&full))));
        };
        // torch puts everything below one folder, named after the file
        let Some((_, name)) = full.split_once('/') else { continue };
        let (name, crc) = (name.to_owned(), entry.crc32());
        unchecked &= crc == 0;
        let stored = entry.compression() == CompressionMethod::Stored;
        if entries.insert(name.clone(), Entry { bytes: file.slice(range), stored, crc }).is_some() {
            return tampered(format!("two of its entries are called `{}`", shown(&name)));
        }
    }
    Ok(Entries { entries, unchecked })
}
