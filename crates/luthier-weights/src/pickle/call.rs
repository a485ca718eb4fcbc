//! What the allowed names do when a pickle calls them: build a dict, or note how a tensor lies.

use super::{Global, Heap, Machine, Storage, Tensor, Value};
use crate::{
    error::{Fault, Sound, tampered},
    tensor::Dtype,
};

/// Torch's own limit on the number of dimensions.
const DIMENSIONS: usize = 64;

impl<'a> Machine<'a> {
    /// `callable(*args)`, for callables on the allow-list.
    pub(super) fn call(&mut self, callable: Value<'a>, args: Value<'a>) -> Sound<Value<'a>> {
        let (Value::Global(function), Value::Tuple(args)) = (callable, args) else {
            return tampered(format!("its pickle calls {} with {}", callable.kind(), args.kind()));
        };
        match (function, self.heap.sequence(args)) {
            (Global::RebuildFromTypeV2, &[Value::Global(inner), _, Value::Tuple(args), _]) => {
                self.rebuild(inner, args)
            }
            (Global::OrderedDict, &[]) => Ok(self.new_dict()),
            (Global::OrderedDict, &[Value::List(pairs) | Value::Tuple(pairs)]) => self.ordered_dict(pairs),
            (Global::Size, &[size @ Value::Tuple(_)]) => Ok(size),
            (Global::Size | Global::Device, _) => Ok(Value::Other),
            _ => self.rebuild(function, args),
        }
    }

    /// `class.__new__(class, *args)`.
    pub(super) fn create(&mut self, class: Value<'a>, args: Value<'a>) -> Sound<Value<'a>> {
        match (class, args) {
            (Value::Global(Global::OrderedDict), Value::Tuple(args))
                if self.heap.sequence(args).is_empty() =>
            {
                Ok(self.new_dict())
            }
            (Value::Global(other), _) => Err(Fault::Forbidden(format!("{}.__new__", other.name()))),
            _ => tampered(format!("its pickle makes an object of {}", class.kind())),
        }
    }

    /// The functions that make tensors; they do not nest deeper than one call here.
    fn rebuild(&mut self, function: Global, args: usize) -> Sound<Value<'a>> {
        let wrong = || tampered(format!("its pickle calls `{}` with other arguments", function.name()));
        match (function, self.heap.sequence(args)) {
            (Global::RebuildTensor, &[storage, offset, shape, strides]) => {
                self.tensor(storage, None, [offset, shape, strides])
            }
            (
                Global::RebuildTensorV2,
                &[storage, offset, shape, strides, _, _] | &[storage, offset, shape, strides, _, _, _],
            ) => self.tensor(storage, None, [offset, shape, strides]),
            (
                Global::RebuildTensorV3,
                &[storage, offset, shape, strides, _, _, dtype]
                | &[storage, offset, shape, strides, _, _, dtype, _],
            ) => match dtype {
                Value::Global(Global::Dtype(Some(dtype), _)) => {
                    self.tensor(storage, Some(dtype), [offset, shape, strides])
                }
                Value::Global(Global::Dtype(None, name)) => {
                    Err(Fault::Unsupported(format!("tensors of type `{name}`")))
                }
                _ => wrong(),
            },
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), _, _])
            | (Global::RebuildParameterWithState, &[tensor @ Value::Tensor(_), _, _, _]) => Ok(tensor),
            (
                Global::RebuildTensor
                | Global::RebuildTensorV2
                | Global::RebuildTensorV3
                | Global::RebuildParameter
                | Global::RebuildParameterWithState
                | Global::OrderedDict,
                _,
            ) => wrong(),
            // allowed as arguments, never as calls
            _ => Err(Fault::Forbidden(function.name())),
        }
    }

    /// Python 2 gave an `OrderedDict` its items as a list of lists.
    fn ordered_dict(&mut self, pairs: usize) -> Sound<Value<'a>> {
        let count = self.heap.sequence(pairs).len();
        // the same list may be given again and again
        self.spend(count)?;
        let mut items = Vec::with_capacity(count);
        for pair in self.heap.sequence(pairs) {
            match *pair {
                Value::List(pair) | Value::Tuple(pair) => match *self.heap.sequence(pair) {
                    [key, value] => items.push((key, value)),
                    _ => return tampered("an item of its OrderedDict is no pair"),
                },
                _ => return tampered("an item of its OrderedDict is no pair"),
            }
        }
        self.heap.dicts.push(items);
        Ok(Value::Dict(self.heap.dicts.len() - 1))
    }

    fn tensor(
        &mut self,
        storage: Value<'a>,
        dtype: Option<Dtype>,
        [offset, shape, strides]: [Value<'a>; 3],
    ) -> Sound<Value<'a>> {
        let Value::Storage(storage) = storage else {
            return tampered(format!("a tensor of its pickle lies on {}", storage.kind()));
        };
        let of_storage = self.heap.storages.get(storage).and_then(|storage| storage.dtype);
        let dtype = match (of_storage, dtype) {
            (Some(dtype), None) | (None, Some(dtype)) => dtype,
            (Some(a), Some(b)) if a == b => a,
            _ => return tampered("a tensor's type is not its storage's"),
        };
        let (shape, strides) = (sizes(&self.heap, shape)?, sizes(&self.heap, strides)?);
        if shape.len() != strides.len() {
            return tampered(format!(
                "a tensor has {} dimensions and {} strides",
                shape.len(),
                strides.len()
            ));
        }
        let offset = size(offset)?;
        self.heap.tensors.push(Tensor { storage, dtype, offset, shape, strides });
        Ok(Value::Tensor(self.heap.tensors.len() - 1))
    }

    /// `("storage", type, key, device, numel)`, in old files with a sixth entry `None` or
    /// `(key of the view, begin, numel)`.
    pub(super) fn persistent(&mut self, id: Value<'a>) -> Sound<Value<'a>> {
        let Value::Tuple(id) = id else {
            return tampered(format!("its pickle refers to {} as a storage", id.kind()));
        };
        let storage = match *self.heap.sequence(id) {
            [
                Value::Str("storage"),
                Value::Global(Global::Storage(dtype)),
                Value::Str(key),
                _,
                numel,
                ref view @ ..,
            ] => {
                let numel = size(numel)?;
                let begin = match *view {
                    [] | [Value::None] => 0,
                    [Value::Tuple(view)] => match *self.heap.sequence(view) {
                        [_, begin, _] => size(begin)?,
                        _ => return tampered("a storage's view is not understood"),
                    },
                    _ => return tampered("a storage's view is not understood"),
                };
                Storage { key, dtype, numel, begin }
            }
            [Value::Str(other), ..] if other != "storage" => {
                return Err(Fault::Forbidden(format!("a saved {}", crate::error::shown(other))));
            }
            _ => return tampered("a reference to a storage is not understood"),
        };
        self.heap.storages.push(storage);
        Ok(Value::Storage(self.heap.storages.len() - 1))
    }
}

fn size(value: Value<'_>) -> Sound<usize> {
    match value {
        Value::Int(value) => {
            usize::try_from(value).or_else(|_| tampered(format!("a size or stride is {value}")))
        }
        other => tampered(format!("a size or stride is {}", other.kind())),
    }
}

fn sizes(heap: &Heap<'_>, value: Value<'_>) -> Sound<Vec<usize>> {
    let (Value::Tuple(id) | Value::List(id)) = value else {
        return tampered(format!("a shape is {}", value.kind()));
    };
    let values = heap.sequence(id);
    if values.len() > DIMENSIONS {
        return tampered(format!("a tensor has {} dimensions", values.len()));
    }
    values.iter().map(|value| size(*value)).collect()
}
