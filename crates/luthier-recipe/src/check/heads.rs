//! Several heads, and the labels they need.

use super::Tell;
use crate::{Arch, Hidden, Loss, Recipe, Task};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let heads = &recipe.model.heads;
    if recipe.task == Task::MultiTask {
        if heads.is_empty() {
            let help = "name them in `model.heads`, such as `heads = { classifier = {}, yaw = {} }`";
            tell(&["model.heads", "model"], "a multi-task model has heads".to_string(), help);
        }
    } else if !heads.is_empty() {
        let help = "write `task = \"multi-task\"`, or leave `heads` out";
        tell(&["model.heads", "task"], "several heads learn several tasks".to_string(), help);
        return;
    }
    if !heads.is_empty() && (recipe.model.arch.reads_text() || recipe.model.arch == Arch::Sequential) {
        let help = "heads go with architectures of pictures: a ResNet, an EfficientNet, a ViT";
        tell(&["model.heads", "model.arch"], "this architecture has one head".to_string(), help);
    }
    if recipe.task == Task::MultiTask && recipe.loss != Loss::default() {
        let help = "write `loss` in each of `model.heads`";
        tell(&["loss", "task"], "a multi-task model has a loss for each head".to_string(), help);
    }
    for (name, head) in heads {
        let key = format!("model.heads.{name}");
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        if !plain(name) {
            let message = format!("`{name}` can't be the name of a head");
            tell(&[&key], message, "its layers are called by it: use letters, digits, `_` and `-`");
        }
        for (at, hidden) in head.hidden.iter().enumerate() {
            let Hidden::Name(layer) = hidden else { continue };
            let at = format!("{key}.hidden[{at}]");
            if !plain(layer) {
                let help = "parameters are called by it: use letters, digits, `_` and `-`";
                tell(&[&at], format!("`{layer}` can't be the name of a layer"), help);
            } else if heads.contains_key(layer) {
                tell(&[&at], format!("`{layer}` is a head and a hidden layer"), "give one another name");
            }
        }
        if matches!(head.loss, Loss::Mse { .. } | Loss::Mae { .. } | Loss::SmoothL1 { .. }) {
            let message = format!("`{}` measures numbers, and a head learns classes", head.loss.name());
            tell(&[&format!("{key}.loss")], message, "write `cross_entropy`, `bce` or `hinge`");
        }
    }
    if !heads.is_empty() && heads.values().all(|head| head.weight == 0.0) {
        tell(&["model.heads"], "no head has any weight".to_string(), "nothing would be learned");
    }
}
