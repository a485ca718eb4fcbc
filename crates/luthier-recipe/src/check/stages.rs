//! Stages that don't fit together.

use super::Tell;
use crate::Recipe;

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    if recipe.stages.is_empty() {
        return;
    }
    let sum = recipe.stages.iter().fold(0u64, |sum, stage| sum.saturating_add(stage.epochs));
    if sum != recipe.train.epochs {
        tell(
            &["train.epochs", "stages"],
            format!("the stages take {sum} epochs together, and `train.epochs` is {}", recipe.train.epochs),
            &format!("write `epochs = {sum}` in `[train]`, or change the stages"),
        );
    }
    for (index, stage) in recipe.stages.iter().enumerate() {
        if !stage.train.is_empty() && !stage.freeze.is_empty() {
            tell(
                &[&format!("stages[{index}].freeze"), &format!("stages[{index}].train")],
                format!("stage `{}` has both `train` and `freeze`", stage.name),
                "say what it trains, or what rests in it, not both",
            );
        }
        if recipe.stages.iter().take(index).any(|other| other.name == stage.name) {
            tell(
                &[&format!("stages[{index}].name")],
                format!("two stages are called `{}`", stage.name),
                "logs and plots tell stages apart by name",
            );
        }
    }
    if recipe.train.ema.is_some() {
        tell(
            &["train.ema", "stages"],
            "an average of the weights does not go with stages".to_string(),
            "an average over weights that rest part of the time is neither; leave `train.ema` out",
        );
    }
}
