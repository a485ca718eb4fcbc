//! The layers of a `sequential`.

use super::Tell;
use crate::{BiasInit, DataWidth, Init, Layer, LayerKind, Recipe, Task, WeightInit, Width};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let model = &recipe.model;
    match &model.layers {
        None => tell(
            &["model.layers", "model"],
            "`layers` is missing in `[model]`".to_string(),
            "add `layers = [{ linear = 64 }, { act = \"relu\" }, { linear = \"classes\" }]`",
        ),
        Some(layers) => {
            for (index, layer) in layers.iter().enumerate() {
                one(layer, &format!("model.layers[{index}]"), recipe.task, tell);
            }
        }
    }
    if let Some(init) = &model.init {
        start(init, tell);
    }
}

fn one(layer: &Layer, key: &str, task: Task, tell: &mut Tell<'_>) {
    const KINDS: &str = "`linear`, `act`, `dropout`, `batch_norm`, `layer_norm`, `conv`, `max_pool`, `flatten` or \
                         `unflatten`";
    let named = layer.named();
    let kind = match named.as_slice() {
        [(_, kind)] => *kind,
        [] => {
            return tell(&[key], format!("`{key}` is no layer"), &format!("give it one of {KINDS}"));
        }
        several => {
            let names: Vec<String> = several.iter().map(|(name, _)| format!("`{name}`")).collect();
            return tell(
                &[key],
                format!("`{key}` is several layers: {}", names.join(" and ")),
                "write each as an entry of its own: `{ linear = 64 }, { act = \"relu\" }`",
            );
        }
    };
    let conv = matches!(kind, LayerKind::Conv { .. });
    let options = [
        (
            "bias",
            layer.bias.is_some(),
            conv || matches!(kind, LayerKind::Linear { .. }),
            "`linear` and `conv`",
        ),
        ("kernel", layer.kernel.is_some(), conv, "`conv`"),
        ("stride", layer.stride.is_some(), conv, "`conv`"),
        ("padding", layer.padding.is_some(), conv, "`conv`"),
    ];
    for (option, _, _, of) in options.iter().filter(|(_, given, fits, _)| *given && !fits) {
        tell(
            &[&format!("{key}.{option}")],
            format!("`{key}.{option}` is an option of {of}"),
            "leave it out here",
        );
    }
    let wrong = match kind {
        LayerKind::Linear { width: Width::Data(DataWidth::Classes), .. } if task == Task::Regression => {
            Some(("classes", "targets", "a regression has no classes"))
        }
        LayerKind::Linear { width: Width::Data(DataWidth::Targets), .. } if task != Task::Regression => {
            Some(("targets", "classes", "a classifier has classes, not targets"))
        }
        _ => None,
    };
    if let Some((word, other, why)) = wrong {
        tell(
            &[&format!("{key}.linear"), "task"],
            format!("`{key}.linear` is `{word}`, and {why}"),
            &format!("write `linear = \"{other}\"`"),
        );
    }
}

fn start(init: &Init, tell: &mut Tell<'_>) {
    let needs = |key: &str, of: &str, tell: &mut Tell<'_>| {
        tell(
            &[&format!("model.init.{key}"), "model.init.weights", "model.init"],
            format!("`model.init` has no `{key}`, and `{of}` needs it"),
            &format!("add `{key} = 0.01`, or another number"),
        );
    };
    match init.weights {
        WeightInit::Normal if init.std.is_none() => needs("std", "normal", tell),
        WeightInit::Uniform if init.value.is_none() => needs("value", "uniform", tell),
        WeightInit::Constant if init.value.is_none() => needs("value", "constant", tell),
        _ => {}
    }
    let idle = [
        ("std", init.std.is_some() && init.weights != WeightInit::Normal, "`normal`"),
        (
            "value",
            init.value.is_some() && !matches!(init.weights, WeightInit::Uniform | WeightInit::Constant),
            "`uniform` and `constant`",
        ),
    ];
    for (key, _, of) in idle.iter().filter(|(_, idle, _)| *idle) {
        tell(
            &[&format!("model.init.{key}"), "model.init.weights"],
            format!("`model.init.{key}` is a number of {of}"),
            "leave it out, or change `weights`",
        );
    }
    if let BiasInit::Number(number) = init.bias
        && !(number as f32).is_finite()
    {
        tell(
            &["model.init.bias"],
            "`model.init.bias` is too large for a 32-bit float".to_string(),
            "0.0 is usual",
        );
    }
}
