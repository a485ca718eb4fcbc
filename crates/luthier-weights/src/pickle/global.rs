//! The allow-list: every Python name that weights may carry.

use crate::{
    error::{Fault, Sound, shown},
    tensor::Dtype,
};

/// A Python name that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch.Size`
    Size,
    /// `torch.device`
    Device,
    /// `torch.Tensor`, `torch.nn.Parameter`: only as an argument
    TensorClass,
    /// `torch.FloatStorage` and its like; `None` counts in bytes
    Storage(Option<Dtype>),
    /// `torch.float32` and its like; `None` is a type without a [`Dtype`]
    Dtype(Option<Dtype>, &'static str),
    /// `torch._utils._rebuild_tensor`
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v2`
    RebuildTensorV2,
    /// `torch._utils._rebuild_tensor_v3`
    RebuildTensorV3,
    /// `torch._utils._rebuild_parameter`
    RebuildParameter,
    /// `torch._utils._rebuild_parameter_with_state`
    RebuildParameterWithState,
    /// `torch._tensor._rebuild_from_type_v2`
    RebuildFromTypeV2,
}

impl Global {
    /// The Python name, for a message.
    pub(crate) fn name(self) -> String {
        let name = match self {
            Self::OrderedDict => "collections.OrderedDict",
            Self::Size => "torch.Size",
            Self::Device => "torch.device",
            Self::TensorClass => "torch.Tensor",
            Self::Storage(Some(dtype)) => return format!("the torch storage of {dtype}"),
            Self::Storage(None) => "torch.storage.UntypedStorage",
            Self::Dtype(_, name) => return format!("torch.{name}"),
            Self::RebuildTensor => "torch._utils._rebuild_tensor",
            Self::RebuildTensorV2 => "torch._utils._rebuild_tensor_v2",
            Self::RebuildTensorV3 => "torch._utils._rebuild_tensor_v3",
            Self::RebuildParameter => "torch._utils._rebuild_parameter",
            Self::RebuildParameterWithState => "torch._utils._rebuild_parameter_with_state",
            Self::RebuildFromTypeV2 => "torch._tensor._rebuild_from_type_v2",
        };
        name.to_owned()
    }
}

/// Looks a name up in the allow-list.
pub(crate) fn find(module: &str, name: &str) -> Sound<Global> {
    let found = match module {
        "collections" if name == "OrderedDict" => Some(Global::OrderedDict),
        "torch" => match name {
            "Size" => Some(Global::Size),
            "device" => Some(Global::Device),
            "Tensor" => Some(Global::TensorClass),
            _ => dtype(name),
        },
        "torch.storage" if name == "UntypedStorage" => Some(Global::Storage(None)),
        "torch.nn.parameter" if name == "Parameter" => Some(Global::TensorClass),
        "torch._utils" => match name {
            "_rebuild_tensor" => Some(Global::RebuildTensor),
            "_rebuild_tensor_v2" => Some(Global::RebuildTensorV2),
            "_rebuild_tensor_v3" => Some(Global::RebuildTensorV3),
            "_rebuild_parameter" => Some(Global::RebuildParameter),
            "_rebuild_parameter_with_state" => Some(Global::RebuildParameterWithState),
            _ => None,
        },
        "torch._tensor" if name == "_rebuild_from_type_v2" => Some(Global::RebuildFromTypeV2),
        _ => None,
    };
    match found.or_else(|| storage(module, name)) {
        Some(global) => Ok(global),
        // a storage runs nothing: it is merely of a type without a `Dtype`
        None if matches!(module, "torch" | "torch.cuda") && name.ends_with("Storage") => {
            Err(Fault::Unsupported(format!("tensors of type `{}.{}`", shown(module), shown(name))))
        }
        None => Err(Fault::Forbidden(format!("{}.{}", shown(module), shown(name)))),
    }
}

fn storage(module: &str, name: &str) -> Option<Global> {
    // tensors saved from a GPU by old versions: the bytes are the same
    if !matches!(module, "torch" | "torch.cuda") {
        return None;
    }
    let dtype = match name {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return None,
    };
    Some(Global::Storage(Some(dtype)))
}

fn dtype(name: &str) -> Option<Global> {
    const KNOWN: [Dtype; 10] = [
        Dtype::F64,
        Dtype::F32,
        Dtype::F16,
        Dtype::BF16,
        Dtype::I64,
        Dtype::I32,
        Dtype::I16,
        Dtype::I8,
        Dtype::U8,
        Dtype::Bool,
    ];
    const FOREIGN: [&str; 9] = [
        "uint16",
        "uint32",
        "uint64",
        "complex32",
        "complex64",
        "complex128",
        "float8_e4m3fn",
        "float8_e5m2",
        "float8_e8m0fnu",
    ];
    match KNOWN.into_iter().find(|dtype| dtype.name() == name) {
        Some(dtype) => Some(Global::Dtype(Some(dtype), dtype.name())),
        None => FOREIGN.into_iter().find(|known| *known == name).map(|known| Global::Dtype(None, known)),
    }
}
