//! Parameters and buffers, by name.

use luthier_plan::Role;
use tch::Tensor;

/// One parameter or buffer.
#[derive(Debug)]
pub struct Entry {
    /// Name, as in the checkpoints of the architecture's package
    pub name: String,
    /// The tensor itself: the network's layers hold other handles of it
    pub tensor: Tensor,
    /// What it is
    pub role: Role,
}

/// The parameters and buffers of a model, in the order of PyTorch's `state_dict`.
#[derive(Debug, Default)]
pub struct ParamStore {
    entries: Vec<Entry>,
}

impl ParamStore {
    /// All of them, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Puts tensors behind those of the layer that they are of.
    pub(crate) fn put_below(&mut self, layer: &str, fresh: ParamStore) {
        let below = |entry: &Entry| entry.name.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
        let end = self.entries.iter().rposition(below).map_or(self.entries.len(), |at| at + 1);
        self.entries.splice(end..end, fresh.entries);
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        debug_assert!(self.get(&entry.name).is_none(), "`{}` is built twice", entry.name);
        self.entries.push(entry);
    }
}
