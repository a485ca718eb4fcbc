//! Loss, optimizer, schedule and length.

use super::Tell;
use crate::{
    ClassWeights, Curve, GradScaler, Group, Loss, LossInput, Metric, Optim, Precision, Recipe, Rule,
    Schedule, Task, Train, Unit,
};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    loss(&recipe.loss, tell);
    if recipe.task == Task::Regression {
        regression(recipe, tell);
    } else if recipe.eval.metric == Metric::R2 {
        tell(
            &["eval.metric", "task"],
            "`r2` measures a regression, and this task has classes".to_string(),
            "write `metric = \"accuracy\"` or `\"loss\"`",
        );
    }
    scaled(&recipe.train, tell);
    optim(&recipe.optim, tell);
    schedule(&recipe.schedule, tell);
    if recipe.data.valid.is_none() && recipe.data.split.is_none() {
        needs_validation(recipe, tell);
    }
}

fn loss(loss: &Loss, tell: &mut Tell<'_>) {
    if let Loss::CrossEntropy { label_smoothing, input: LossInput::Probabilities, .. } = loss
        && *label_smoothing > 0.0
    {
        tell(
            &["loss.label_smoothing", "loss.input"],
            "labels are smoothed for logits alone".to_string(),
            "leave `label_smoothing` out, or give the loss logits",
        );
    }
    let Some(ClassWeights::Each(weights)) = loss.class_weights() else { return };
    if let Some((index, weight)) = weights.iter().enumerate().find(|(_, weight)| **weight < 0.0) {
        tell(
            &[&format!("loss.class_weights[{index}]")],
            format!("`loss.class_weights[{index}]` must be at least 0, found {weight}"),
            "a negative weight would reward wrong answers",
        );
    } else if weights.iter().all(|weight| *weight == 0.0) {
        tell(
            &["loss.class_weights"],
            "`loss.class_weights` leaves no class any weight".to_string(),
            "give one number per class, in class order, or `balanced`",
        );
    }
}

fn scaled(train: &Train, tell: &mut Tell<'_>) {
    if train.precision != Precision::Fp16 && train.grad_scaler != GradScaler::default() {
        tell(
            &["train.grad_scaler", "train.precision"],
            "the loss is scaled in fp16 alone".to_string(),
            "write `precision = \"fp16\"`, or leave `grad_scaler` out: fp32 and bf16 reach far enough down",
        );
    }
}

fn regression(recipe: &Recipe, tell: &mut Tell<'_>) {
    if let Loss::CrossEntropy { .. } | Loss::Hinge { .. } = recipe.loss {
        tell(
            &["loss.type", "task"],
            format!("`{}` is a loss for classes, and a regression has none", recipe.loss.name()),
            "add `[loss]` with `type = \"mse\"`, `\"mae\"` or `\"smooth_l1\"`",
        );
    }
    if recipe.loss.class_weights().is_some_and(|weights| *weights != ClassWeights::default()) {
        tell(
            &["loss.class_weights", "task"],
            "a regression has no classes to weigh".to_string(),
            "leave `class_weights` out",
        );
    }
    if recipe.eval.metric == Metric::Accuracy {
        tell(
            &["eval.metric", "task"],
            "a regression has no right answers to count".to_string(),
            "write `metric = \"r2\"` or `\"loss\"`",
        );
    }
}

fn optim(optim: &Optim, tell: &mut Tell<'_>) {
    if let Rule::SGD { momentum, dampening, nesterov: true } = optim.rule
        && (momentum == 0.0 || dampening != 0.0)
    {
        tell(
            &["optim.nesterov", "optim.momentum", "optim.dampening", "optim.type"],
            format!("Nesterov momentum can't work with momentum {momentum} and dampening {dampening}"),
            "it needs `momentum` above 0 (0.9 is usual) and no `dampening`",
        );
    }
    for (index, entry) in optim.groups.iter().enumerate() {
        group(entry, &format!("optim.groups[{index}]"), tell);
    }
}

fn group(group: &Group, key: &str, tell: &mut Tell<'_>) {
    if group.lr.is_some() && group.lr_scale.is_some() {
        tell(
            &[&format!("{key}.lr_scale"), &format!("{key}.lr")],
            format!("`{key}` has both `lr` and `lr_scale`"),
            "give the rate itself or a multiple of `optim.lr`, not both",
        );
    }
    if group.lr.is_none() && group.lr_scale.is_none() && group.weight_decay.is_none() {
        tell(
            &[key],
            format!("`{key}` changes nothing"),
            "give it `lr`, `lr_scale` or `weight_decay`; to keep parameters as they are, use `model.freeze`",
        );
    }
}

fn schedule(schedule: &Schedule, tell: &mut Tell<'_>) {
    match &schedule.curve {
        Curve::MultiStepLR { milestones, .. } => {
            if let Some(index) = milestones.windows(2).position(|pair| pair[0] >= pair[1]) {
                tell(
                    &[&format!("schedule.milestones[{}]", index + 1)],
                    "`schedule.milestones` do not rise".to_string(),
                    "write them in rising order, each once",
                );
            }
        }
        Curve::OneCycleLR { .. } => {
            if schedule.unit != Unit::Step {
                tell(
                    &["schedule.unit", "schedule.type"],
                    "OneCycleLR counts steps, not epochs".to_string(),
                    "write `unit = \"step\"`",
                );
            }
            if schedule.warmup.steps > 0 {
                tell(
                    &["schedule.warmup", "schedule.type"],
                    "OneCycleLR has a warm-up of its own".to_string(),
                    "leave `warmup` out; `pct_start` says how long the rate rises",
                );
            }
        }
        _ => {}
    }
}

fn needs_validation(recipe: &Recipe, tell: &mut Tell<'_>) {
    let help = "give `data.valid` or `data.split`, such as `split = { valid = 0.2 }`";
    if let Curve::ReduceLROnPlateau { .. } = recipe.schedule.curve {
        tell(&["schedule.type"], "ReduceLROnPlateau needs a validation split to look at".to_string(), help);
    }
    if recipe.train.early_stopping.is_some() {
        tell(
            &["train.early_stopping"],
            "early stopping needs a validation split to look at".to_string(),
            help,
        );
    }
}
