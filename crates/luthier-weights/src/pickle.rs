//! A pickle machine that can only build data.
//!
//! Python's pickle is a program for a small stack machine, and its `REDUCE` calls whatever the file
//! names. This machine has values, and the dozen names of [`Global`]; a name that is not on that list stops
//! it at once. Own code because the crates at hand do something else: serde-pickle knows neither persistent
//! ids nor torch's functions, and the readers of torch files keep unknown calls as opaque values and lose the
//! order of the tensors.
//!
//! Containers live in arenas and values are indices into them, so that nesting, sharing and cycles cost no
//! recursion anywhere and the memory used is linear in the file. Opcodes: Python's `pickletools`.

mod call;
mod global;
mod machine;

pub(crate) use global::Global;
pub(crate) use machine::Machine;

use crate::tensor::Dtype;

/// One Python value. Small and flat: containers are indices into [`Heap`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits, little-endian.
    Long(&'a [u8]),
    Float,
    Str(&'a str),
    Bytes,
    Tuple(usize),
    List(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
    /// A value that weights carry along and nobody looks at, such as a `torch.device`.
    Other,
}

impl Value<'_> {
    /// What this is, for a message.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Long(_) => "an int",
            Self::Float => "a float",
            Self::Str(_) => "a string",
            Self::Bytes => "bytes",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Global(_) => "a name",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::Other => "an object",
        }
    }
}

/// Everything a pickle built.
#[derive(Debug, Default)]
pub(crate) struct Heap<'a> {
    /// Lists and tuples: no opcode can turn one into the other.
    pub(crate) sequences: Vec<Vec<Value<'a>>>,
    /// In the order of the file; of two equal keys the later counts.
    pub(crate) dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    pub(crate) storages: Vec<Storage<'a>>,
    pub(crate) tensors: Vec<Tensor>,
}

impl<'a> Heap<'a> {
    pub(crate) fn sequence(&self, id: usize) -> &[Value<'a>] {
        self.sequences.get(id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn dict(&self, id: usize) -> &[(Value<'a>, Value<'a>)] {
        self.dicts.get(id).map_or(&[], Vec::as_slice)
    }
}

/// A pickle's reference to bytes that lie elsewhere in the file.
#[derive(Debug, Clone)]
pub(crate) struct Storage<'a> {
    pub(crate) key: &'a str,
    /// `None`: counted in bytes.
    pub(crate) dtype: Option<Dtype>,
    /// Elements of the whole storage.
    pub(crate) numel: usize,
    /// Where a view begins in the whole storage, in elements: only the oldest files have such.
    pub(crate) begin: usize,
}

/// A tensor: a strided window on a storage.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) storage: usize,
    pub(crate) dtype: Dtype,
    /// Elements before the first.
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    /// Elements from one index to the next, for each dimension.
    pub(crate) strides: Vec<usize>,
}
