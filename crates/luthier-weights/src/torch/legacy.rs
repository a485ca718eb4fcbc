//! The format before torch 1.6: five pickles (magic number, version, the writing machine, the object, the
//! storages' keys), then each storage as its element count and its bytes.
//!
//! Source: `torch/serialization.py`, `_legacy_save` and `_legacy_load`.

use super::{state, views::Cutter};
use crate::{
    error::{Fault, Sound, tampered},
    pickle::{Heap, Machine, Value},
    read::Weights,
};
use bytes::Bytes;
use std::collections::HashMap;

/// 0x1950a86a20f9469cfc6c, as a pickle has it.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

/// Reads a file that begins with a pickle.
pub(crate) fn read(file: &Bytes, weights: &mut Weights) -> Sound<()> {
    let mut machine = Machine::new(file);
    match machine.run()? {
        Value::Long(magic) if magic == MAGIC => {}
        _ => {
            return Err(Fault::NotWeights(
                "it is a Python pickle, but not one that `torch.save` wrote".to_owned(),
            ));
        }
    }
    match machine.run()? {
        Value::Int(VERSION) => {}
        Value::Int(other) => return Err(Fault::Unsupported(format!("torch's file format {other}"))),
        _ => return tampered("its format version is not a number"),
    }
    let Value::Dict(about) = machine.run()? else {
        return tampered("it does not tell which machine wrote it");
    };
    for entry in machine.heap.dict(about) {
        if matches!(entry, (Value::Str("little_endian"), Value::Bool(false))) {
            return Err(Fault::Unsupported("big-endian numbers".to_owned()));
        }
    }
    let root = machine.run()?;
    let Value::List(keys) = machine.run()? else { return tampered("it does not list its storages") };

    let heap = &machine.heap;
    let storages = find_storages(file, machine.position(), heap, keys)?;
    let mut cutter = Cutter::new(file.len());
    for (name, tensor) in state::find(heap, root, &mut weights.notes)? {
        let found = heap.tensors.get(tensor).and_then(|tensor| {
            let storage = heap.storages.get(tensor.storage)?;
            Some((tensor, storage, storages.get(storage.key)?))
        });
        let Some((tensor, storage, bytes)) = found else {
            return tampered(format!("tensor `{name}` lies on a storage that the file does not have"));
        };
        let tensor = cutter.cut(&name, tensor, storage, bytes)?;
        weights.tensors.insert(name, tensor);
    }
    Ok(())
}

fn find_storages<'a>(
    file: &Bytes,
    mut at: usize,
    heap: &Heap<'a>,
    keys: usize,
) -> Sound<HashMap<&'a str, Bytes>> {
    // the list has only the keys: how large an element is, the pickle said
    let mut widths = HashMap::new();
    for storage in &heap.storages {
        let width = storage.dtype.map_or(1, |dtype| dtype.size());
        if *widths.entry(storage.key).or_insert((width, storage.numel)) != (width, storage.numel) {
            return tampered("the same storage is of two types or sizes");
        }
    }
    let mut found = HashMap::new();
    for key in heap.sequence(keys) {
        let Value::Str(key) = *key else { return tampered("a storage's key is not a string") };
        let Some((width, numel)) = widths.get(key) else {
            return tampered("a storage is listed that nothing refers to");
        };
        let short = || {
            let (have, all) = (found.len(), heap.sequence(keys).len());
            Err(Fault::Truncated(format!(
                "it ends after {} bytes, with {have} of {all} storages",
                file.len()
            )))
        };
        let Some(count) = file.get(at..).and_then(<[u8]>::first_chunk::<8>) else { return short() };
        if usize::try_from(i64::from_le_bytes(*count)).ok() != Some(*numel) {
            return tampered("a storage's size is not what the pickle says");
        }
        let begin = at + count.len();
        let end = numel.checked_mul(*width).and_then(|size| begin.checked_add(size));
        let Some(end) = end.filter(|end| *end <= file.len()) else { return short() };
        if found.insert(key, file.slice(begin..end)).is_some() {
            return tampered("a storage is listed twice");
        }
        at = end;
    }
    Ok(found)
}
