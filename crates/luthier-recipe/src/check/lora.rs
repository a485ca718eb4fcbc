//! Low-rank adaptation.

use super::Tell;
use crate::{Arch, Recipe};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let model = &recipe.model;
    let Some(lora) = &model.lora else { return };
    for (key, given) in [("model.freeze", !model.freeze.is_empty()), ("model.train", model.train.is_some())] {
        if given {
            tell(
                &[key, "model.lora"],
                format!("`{key}` and `model.lora` both say what is trained"),
                "with LoRA all rests but A, B and `modules_to_save`: name there what else is to be trained",
            );
        }
    }
    if lora.adapter.is_some() {
        adapter(recipe, tell);
        return;
    }
    if lora.alpha.is_none() {
        tell(
            &["model.lora.alpha", "model.lora"],
            "`alpha` is missing in `[model.lora]`".to_string(),
            "add `alpha`: B A x is multiplied by alpha / r; twice the rank is usual",
        );
    }
    if lora.target_modules.is_none() && !matches!(model.arch, Arch::Gpt2 | Arch::Bert | Arch::Vit) {
        tell(
            &["model.lora.target_modules", "model.lora"],
            "`target_modules` is missing in `[model.lora]`, and this architecture has no usual ones"
                .to_string(),
            "name linear layers, or write `target_modules = \"all-linear\"`",
        );
    }
}

/// What an adapter brings along.
fn adapter(recipe: &Recipe, tell: &mut Tell<'_>) {
    let Some(lora) = &recipe.model.lora else { return };
    let given = [
        ("r", lora.r.is_some()),
        ("alpha", lora.alpha.is_some()),
        ("target_modules", lora.target_modules.is_some()),
        ("use_rslora", lora.use_rslora),
        ("use_dora", lora.use_dora),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        tell(
            &[&format!("model.lora.{key}"), "model.lora.adapter"],
            format!("`model.lora.adapter` brings its own `{key}`"),
            "leave it out: `adapter_config.json` has it",
        );
    }
}
