//! A fix as a change of the recipe file, with the user's comments and order kept.

use std::collections::BTreeMap;

use miette::Diagnostic;
use serde_json::Value as Json;
use similar::TextDiff;
use thiserror::Error;
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// A patch that does not go with a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{what}")]
pub struct PatchError {
    /// What is wrong
    pub what: String,
    /// What to do
    #[help]
    pub help: Option<String>,
}

/// The recipe with the values of a patch: keys as `--set` takes them (`optim.groups[0].lr`), `null` takes a key out.
/// Tables that are not there are made; entries of lists are not.
///
/// # Errors
/// The text is not TOML, or a key leads through something that is no table or list, or beyond the end of a list.
pub fn apply(text: &str, patch: &BTreeMap<String, Json>) -> Result<String, PatchError> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| PatchError {
        what: format!("the recipe is not TOML: {}", error.message()),
        help: Some("`luthier check` says where".into()),
    })?;
    let mut changes = Vec::with_capacity(patch.len());
    for (key, value) in patch {
        changes.push((steps(key)?, value, key));
    }
    // entries are taken out of lists from the back, so that the numbers of the others stay true
    changes.sort_by(|a, b| b.0.cmp(&a.0));
    for (steps, value, key) in changes {
        put(document.as_item_mut(), &steps, value, key, 0)?;
    }
    Ok(document.to_string())
}

/// Several patches as one. Of two values for a key the first one's is kept; what lies within a key that is taken out is
/// not changed.
pub fn together<'a>(patches: impl IntoIterator<Item = &'a BTreeMap<String, Json>>) -> BTreeMap<String, Json> {
    let mut all = BTreeMap::new();
    for (key, value) in patches.into_iter().flatten() {
        all.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let gone: Vec<String> =
        all.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.clone()).collect();
    all.retain(|key, _| !gone.iter().any(|gone| key != gone && is_within(key, gone)));
    all
}

/// Whether a key is another one, or lies within it: `optim.groups[0].lr` within `optim`.
pub fn is_within(key: &str, outer: &str) -> bool {
    key.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What a patch changed, as a unified diff with one line around each change and without file names.
pub fn diff(before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().context_radius(1).to_string()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step<'a> {
    Key(&'a str),
    Entry(usize),
}

fn steps(key: &str) -> Result<Vec<Step<'_>>, PatchError> {
    let mut steps = Vec::new();
    for part in key.split('.') {
        let (name, entries) = part.split_at(part.find('[').unwrap_or(part.len()));
        if name.is_empty() {
            return Err(refuse(key, "is not a key"));
        }
        steps.push(Step::Key(name));
        for entry in entries.split_inclusive(']') {
            let number = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']'));
            let number = number.and_then(|number| number.parse().ok());
            steps.push(Step::Entry(number.ok_or_else(|| refuse(key, "is not a key"))?));
        }
    }
    Ok(steps)
}

fn put(item: &mut Item, steps: &[Step<'_>], value: &Json, key: &str, depth: usize) -> Result<(), PatchError> {
    let Some((step, rest)) = steps.split_first() else { return set(item, value, key) };
    match step {
        Step::Key(name) => {
            let Some(table) = item.as_table_like_mut() else {
                return Err(refuse(key, &format!("leads through something that has no `{name}`")));
            };
            if rest.is_empty() && value.is_null() {
                table.remove(name);
                return Ok(());
            }
            if !table.contains_key(name) {
                if value.is_null() {
                    return Ok(());
                }
                table.insert(name, fresh(rest, depth == 0, value, key)?);
            }
            let Some(entry) = table.get_mut(name) else { return Ok(()) };
            put(entry, rest, value, key, depth + 1)
        }
        Step::Entry(index) => match item {
            Item::ArrayOfTables(tables) => {
                if rest.is_empty() && value.is_null() && *index < tables.len() {
                    tables.remove(*index);
                    return Ok(());
                }
                let Some(table) = tables.get_mut(*index) else { return Err(beyond(key, *index)) };
                let mut inner = Item::Table(std::mem::take(table));
                let done = put(&mut inner, rest, value, key, depth + 1);
                if let Item::Table(changed) = inner {
                    *table = changed;
                }
                done
            }
            Item::Value(Value::Array(entries)) => {
                if rest.is_empty() && value.is_null() && *index < entries.len() {
                    entries.remove(*index);
                    return Ok(());
                }
                let Some(entry) = entries.get_mut(*index) else { return Err(beyond(key, *index)) };
                let mut inner = Item::Value(entry.clone());
                put(&mut inner, rest, value, key, depth + 1)?;
                if let Item::Value(changed) = inner {
                    *entry = changed;
                }
                Ok(())
            }
            _ => Err(refuse(key, "leads through something that is no list")),
        },
    }
}

/// What a key that is not there begins as: `[table]` at the top of the file, `{ }` below it, or the value.
fn fresh(rest: &[Step<'_>], at_root: bool, value: &Json, key: &str) -> Result<Item, PatchError> {
    match rest.first() {
        None => Ok(Item::Value(toml(value, key)?)),
        Some(Step::Key(_)) if at_root => Ok(Item::Table(Table::new())),
        Some(Step::Key(_)) => Ok(Item::Value(Value::InlineTable(InlineTable::new()))),
        Some(Step::Entry(index)) => Err(beyond(key, *index)),
    }
}

/// Replaces a value; the comment behind it stays.
fn set(item: &mut Item, value: &Json, key: &str) -> Result<(), PatchError> {
    let mut new = toml(value, key)?;
    if let Some(old) = item.as_value() {
        *new.decor_mut() = old.decor().clone();
    }
    *item = Item::Value(new);
    Ok(())
}

fn toml(value: &Json, key: &str) -> Result<Value, PatchError> {
    luthier_recipe::literal(value).parse().map_err(|_| refuse(key, "has a value that TOML cannot write"))
}

fn refuse(key: &str, why: &str) -> PatchError {
    PatchError {
        what: format!("`{key}` {why}"),
        help: Some("keys are written as for `--set`, such as `optim.groups[0].lr`".into()),
    }
}

fn beyond(key: &str, index: usize) -> PatchError {
    PatchError {
        what: format!("`{key}` names entry {index} of a list that is shorter"),
        help: Some("entries are counted from 0; give the whole list instead".into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const RECIPE: &str = "# top\nname = \"t\"\n\n[model]\nlayers = [{ linear = 4 }, { act = \"relu\" }] # small\n\n\
                          [optim]\ntype = \"SGD\" # plain\nlr = 0.1 # high\n[[optim.groups]]\nmatch = \"0.*\"\nlr = 1.0\n";

    fn patched(patch: Json) -> String {
        let patch: BTreeMap<String, Json> = serde_json::from_value(patch).unwrap();
        apply(RECIPE, &patch).unwrap()
    }

    #[test]
    fn values_change_and_comments_stay() {
        let after =
            patched(json!({ "optim.lr": 0.01, "optim.groups[0].lr": 0.5, "model.layers[1].act": "tanh" }));
        assert!(after.contains("lr = 0.01 # high"), "{after}");
        assert!(after.contains("match = \"0.*\"\nlr = 0.5"), "{after}");
        assert!(after.contains("{ act = \"tanh\" }] # small"), "{after}");
        let lines = diff(RECIPE, &after);
        assert!(lines.contains("-lr = 0.1 # high\n+lr = 0.01 # high\n"), "{lines}");
    }

    #[test]
    fn null_takes_a_key_out_and_missing_tables_are_made() {
        let after = patched(json!({ "optim.type": null, "train.clip_grad_norm": 1.0, "model.init.bias": 0.0,
            "model.layers[1]": null, "schedule.warmup": null }));
        assert!(!after.contains("type"), "{after}");
        assert!(after.contains("[train]\nclip_grad_norm = 1.0"), "{after}");
        assert!(after.contains("init = { bias = 0.0 }"), "{after}");
        assert!(after.contains("layers = [{ linear = 4 }]"), "{after}");
        assert!(!after.contains("schedule"), "{after}");
    }

    #[test]
    fn several_patches_are_one_and_nothing_is_changed_within_what_is_taken_out() {
        let one =
            BTreeMap::from([("streams[1].optim".into(), Json::Null), ("train.epochs".into(), json!(3))]);
        let other = BTreeMap::from([
            ("streams[1].optim.lr".into(), json!(0.1)),
            ("streams[1].optimal".into(), json!(1)),
            ("train.epochs".into(), json!(5)),
        ]);
        let expected = json!({ "streams[1].optim": null, "streams[1].optimal": 1, "train.epochs": 3 });
        assert_eq!(serde_json::to_value(together([&one, &other])).unwrap(), expected);
        let both = together([&other, &one]);
        assert_eq!((both["train.epochs"].clone(), both.len()), (json!(5), 3));
    }

    #[test]
    fn what_cannot_be_patched_is_a_sentence() {
        let rows = [
            ("optim.groups[3].lr", "shorter"),
            ("optim.lr.x", "leads through"),
            ("name[0]", "no list"),
            ("a..b", "is not a key"),
        ];
        for (key, part) in rows {
            let patch = BTreeMap::from([(key.to_owned(), json!(1))]);
            let error = apply(RECIPE, &patch).unwrap_err();
            assert!(error.what.contains(part), "{key}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(number in -1e6..1e6f64, word in "[a-z\"\\\\ ]{0,8}", whole in any::<i32>()) {
            let keys = ["optim.lr", "optim.groups[0].lr", "model.layers[0].linear", "new.deep.key", "seed"];
            for value in [json!(number), json!(word), json!(whole), json!([word, "x"]), json!({ "a": [number] })] {
                let patch = keys.map(|key| (key.to_owned(), value.clone())).into();
                let after = apply(RECIPE, &patch).unwrap();
                let document: toml_edit::DocumentMut = after.parse().unwrap();
                let rows = [
                    &document["optim"]["lr"], &document["optim"]["groups"][0]["lr"],
                    &document["model"]["layers"][0]["linear"], &document["new"]["deep"]["key"], &document["seed"],
                ];
                for item in rows {
                    let written = item.to_string();
                    let expected = luthier_recipe::literal(&value).parse::<Value>().unwrap().to_string();
                    // the comment behind the value is part of its text
                    let written = written.split('#').next().unwrap_or_default();
                    prop_assert_eq!(written.trim(), expected.trim());
                }
                prop_assert!(after.contains("# high") && after.contains("# top"));
            }
        }
    }
}
