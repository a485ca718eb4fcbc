//! Finding the state dict in whatever was saved.

use crate::{
    error::{Fault, Sound, shown},
    pickle::{Heap, Value},
};

/// Where training scripts keep a model's state beside optimizer, epoch and the like.
const WRAPPERS: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];
/// How deep wrappers may nest.
const DEPTH: usize = 4;

/// A state dict's tensors by name, as indices into [`Heap::tensors`], in the order of the file.
pub(crate) fn find(heap: &Heap<'_>, root: Value<'_>, notes: &mut Vec<String>) -> Sound<Vec<(String, usize)>> {
    let mut value = root;
    for _ in 0..=DEPTH {
        let Value::Dict(dict) = value else {
            let what = match value {
                Value::Tensor(_) => "it holds a single tensor without a name".to_owned(),
                other => format!("it holds {} where a dict of tensors belongs", other.kind()),
            };
            return Err(Fault::NotWeights(what));
        };
        let Some((key, inner)) = wrapped(heap, dict) else { return tensors(heap, dict, notes) };
        notes.push(format!("the weights were taken from the checkpoint's `{key}`"));
        value = inner;
    }
    Err(Fault::NotWeights(format!("dicts are nested more than {DEPTH} deep in it")))
}

/// The first wrapper that leads on to tensors.
fn wrapped<'a>(heap: &Heap<'a>, dict: usize) -> Option<(&'static str, Value<'a>)> {
    WRAPPERS.into_iter().find_map(|wrapper| {
        let entries = heap.dict(dict).iter().rev();
        let (_, value) =
            entries.into_iter().find(|(key, _)| matches!(key, Value::Str(key) if *key == wrapper))?;
        let Value::Dict(inner) = value else { return None };
        let leads_on = heap.dict(*inner).iter().any(|(key, value)| match (key, value) {
            (_, Value::Tensor(_)) => true,
            (Value::Str(key), Value::Dict(_)) => WRAPPERS.contains(key),
            _ => false,
        });
        leads_on.then_some((wrapper, *value))
    })
}

fn tensors(heap: &Heap<'_>, dict: usize, notes: &mut Vec<String>) -> Sound<Vec<(String, usize)>> {
    let mut found = Vec::new();
    let mut passed = Vec::new();
    for (key, value) in heap.dict(dict) {
        match (key, value) {
            (Value::Str(key), Value::Tensor(tensor)) => found.push(((*key).to_owned(), *tensor)),
            (Value::Str(key), _) => passed.push(format!("`{}`", shown(key))),
            (key, Value::Tensor(_)) => {
                return Err(Fault::NotWeights(format!("a tensor's name in it is {}", key.kind())));
            }
            (key, _) => passed.push(key.kind().to_owned()),
        }
    }
    if found.is_empty() && !heap.dict(dict).is_empty() {
        return Err(Fault::NotWeights(format!("its dict has no tensors, only {}", some(&passed))));
    }
    if !passed.is_empty() {
        notes.push(format!("entries that are no tensors were passed over: {}", some(&passed)));
    }
    Ok(found)
}

/// The first few, and how many more.
fn some(names: &[String]) -> String {
    const FEW: usize = 5;
    match names.get(FEW..) {
        Some(rest) if !rest.is_empty() => format!("{} and {} more", names[..FEW].join(", "), rest.len()),
        _ => names.join(", "),
    }
}
