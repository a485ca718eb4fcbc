//! Weights of several heads that are learned, and what is measured between heads.

use super::Tell;
use crate::{Recipe, Task, TaskWeighting};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let learned = recipe.train.task_weighting != TaskWeighting::Fixed;
    let compared = recipe.train.monitor.gradient_cosine;
    let several = recipe.task == Task::MultiTask && recipe.model.heads.len() > 1;
    for (key, asked) in [("train.task_weighting", learned), ("train.monitor.gradient_cosine", compared)] {
        if asked && !several {
            let help =
                "name several heads in `model.heads` and write `task = \"multi-task\"`, or leave it out";
            tell(
                &[key, "model.heads", "task"],
                format!("`{key}` is for several heads, and there is one"),
                help,
            );
        }
    }
    if compared && !recipe.train.monitor.enabled {
        tell(
            &["train.monitor.gradient_cosine", "train.monitor.enabled"],
            "gradients are compared when tensors are looked at, and `train.monitor` is off".to_string(),
            "write `enabled = true`, or leave `gradient_cosine` out",
        );
    }
    if !learned {
        return;
    }
    let heads =
        recipe.model.heads.iter().map(|(name, head)| (format!("model.heads.{name}.weight"), head.weight));
    let streams = recipe.streams.iter().enumerate().flat_map(|(at, stream)| {
        let key = move |name: &String| format!("streams[{at}].loss_weights.{name}");
        stream.loss_weights.iter().map(move |(name, weight)| (key(name), *weight))
    });
    for (key, _) in heads.chain(streams).filter(|(_, weight)| *weight == 0.0) {
        let name = recipe.train.task_weighting.name();
        tell(
            &[&key, "train.task_weighting"],
            format!("`{key}` is 0, and `{name}` has no way up from there"),
            "give it a weight to begin with, 1.0 say, or leave the head out",
        );
    }
}
