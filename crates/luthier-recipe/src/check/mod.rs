//! What the types can't say: values that are impossible together.

mod contrastive;
mod data;
mod heads;
mod layers;
mod lora;
mod model;
mod rows;
mod stages;
mod streams;
mod training;
mod weighting;

use crate::{EpochEnds, Interleave, Recipe};

/// Tells a fault: the keys that don't go together, message, help. The first key is pointed to, unless another one was
/// set on the command line.
pub(crate) type Tell<'a> = dyn FnMut(&[&str], String, &str) + 'a;

/// Checks what has to be in the file, before the first stream's tables stand for those that the whole run has not.
pub(crate) fn given(recipe: &Recipe, tell: &mut Tell<'_>) {
    streams::without_data(recipe, tell);
}

/// Checks a whole recipe.
pub(crate) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    name(&recipe.name, tell);
    model::check(recipe, tell);
    heads::check(recipe, tell);
    weighting::check(recipe, tell);
    lora::check(recipe, tell);
    stages::check(recipe, tell);
    contrastive::check(recipe, tell);
    if recipe.streams.is_empty() {
        let (way, end) = (recipe.train.interleave, recipe.train.epoch_ends);
        for (key, given) in [
            ("train.interleave", way != Interleave::default()),
            ("train.epoch_ends", end != EpochEnds::default()),
        ] {
            if given {
                tell(&[key], format!("`{key}` is for streams, and there are none"), "leave it out");
            }
        }
        own(recipe, tell);
    } else {
        streams::check(recipe, tell);
    }
}

/// What each stream has of its own.
fn own(recipe: &Recipe, tell: &mut Tell<'_>) {
    data::check(recipe, tell);
    training::check(recipe, tell);
}

/// The run directory is named after the recipe, on any system.
fn name(name: &str, tell: &mut Tell<'_>) {
    const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = name.split('.').next().unwrap_or_default().to_lowercase();
    let numbered = stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt"));
    let bad_char = name.chars().find(|c| c.is_control() || r#"/\:*?"<>|"#.contains(*c));
    let why = if let Some(bad) = bad_char {
        format!("it holds `{}`", bad.escape_debug())
    } else if name.starts_with(['.', '-', ' ']) || name.ends_with(['.', ' ']) {
        "it begins with a dot, a dash or a space, or ends with a dot or a space".to_string()
    } else if name.len() > 100 {
        format!("it is {} bytes long", name.len())
    } else if RESERVED.contains(&stem.as_str()) || numbered && stem.ends_with(|c: char| c.is_ascii_digit()) {
        "Windows keeps it for itself".to_string()
    } else {
        return;
    };
    tell(
        &["name"],
        format!("`name` can't be the name of a folder: {why}"),
        "run directories are named after it: use letters, digits, `-` and `_`, at most 100",
    );
}
