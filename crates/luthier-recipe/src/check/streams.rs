//! Streams that don't fit together, and what is impossible within each.

use super::{Tell, own};
use crate::{EpochEnds, Interleave, Recipe};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    if !recipe.task.reads_pictures() {
        let message = "only pictures are trained on in streams".to_string();
        tell(&["streams"], message, "leave `streams` out; `[data]`, `[optim]` and `[schedule]` stand alone");
    }
    if recipe.streams.len() == 1 {
        let help = "add another, or write its tables at the top of the file";
        tell(&["streams"], "one stream is no more than a run".to_string(), help);
    }
    for (index, stream) in recipe.streams.iter().enumerate() {
        let key = |name: &str| format!("streams[{index}].{name}");
        if recipe.streams.iter().take(index).any(|other| other.name == stream.name) {
            let message = format!("two streams are called `{}`", stream.name);
            tell(&[&key("name")], message, "logs and plots tell streams apart by name");
        }
        if stream.name.chars().any(|c| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')) {
            let message = format!("`{}` can't be the name of a stream", stream.name);
            tell(&[&key("name")], message, "use letters, digits, `-` and `_`");
        }
        for (head, weight) in &stream.loss_weights {
            if !recipe.model.heads.contains_key(head) {
                let near = crate::did_you_mean(head, recipe.model.heads.keys().map(String::as_str));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if recipe.model.heads.is_empty() => "heads are listed in `model.heads`".to_string(),
                    None => {
                        let names: Vec<&str> = recipe.model.heads.keys().map(String::as_str).collect();
                        format!("the heads are {}", names.join(", "))
                    }
                };
                let at = key(&format!("loss_weights.{head}"));
                tell(&[&at], format!("there is no head `{head}`"), &help);
            }
            if *weight < 0.0 {
                let at = key(&format!("loss_weights.{head}"));
                tell(&[&at], format!("the weight of `{head}` is negative"), "it would reward wrong answers");
            }
        }
        if stream.steps != 1 && recipe.train.interleave != Interleave::Ratio {
            let help = "write `interleave = \"ratio\"` in `[train]`, or leave `steps` out";
            let message = format!("stream `{}` takes {} steps in a row", stream.name, stream.steps);
            tell(&[&key("steps"), "train.interleave"], message, help);
        }
        let summed = recipe.train.interleave == Interleave::Sum && index > 0;
        if summed {
            for (name, given) in [
                ("optim", stream.optim.is_some()),
                ("schedule", stream.schedule.is_some()),
                ("train", !stream.train.is_empty()),
                ("clip_grad_norm", stream.clip_grad_norm.is_some()),
            ] {
                if given {
                    let message =
                        format!("stream `{}` has `{name}`, and nothing to step with it", stream.name);
                    let help = "`interleave = \"sum\"` steps the first stream's optimizer alone";
                    tell(&[&key(name), "train.interleave"], message, help);
                }
            }
        }
        inside(recipe, index, tell);
    }
    if !recipe.stages.is_empty() {
        let help =
            "leave one of them out; each stream's `train` says what its optimizer moves, for the whole run";
        tell(&["stages", "streams"], "a list of stages does not go with streams".to_string(), help);
    }
    if recipe.train.grad_accum > 1 && recipe.train.epoch_ends == EpochEnds::Longest {
        let message = "an update of several batches can't go over the end of a stream's samples".to_string();
        let help = "write `epoch_ends = \"shortest\"`, or leave `grad_accum` out and take larger batches";
        tell(&["train.grad_accum", "train.epoch_ends"], message, help);
    }
}

/// Which samples a stream is of is nothing to guess: another's would be trained on twice.
pub(super) fn without_data(recipe: &Recipe, tell: &mut Tell<'_>) {
    let without = |stream: &&crate::Stream| stream.data.is_none() && recipe.data.is_absent();
    for (index, stream) in recipe.streams.iter().enumerate().filter(|(_, stream)| without(stream)) {
        lacks(index, &stream.name, "data", tell);
    }
}

fn lacks(index: usize, stream: &str, table: &str, tell: &mut Tell<'_>) {
    let help = format!("add `{table}` to it, or a table `[{table}]` for all streams");
    tell(&[&format!("streams[{index}]")], format!("stream `{stream}` has no `{table}`"), &help);
}

/// What is impossible within one stream, told where the stream says it.
fn inside(recipe: &Recipe, index: usize, tell: &mut Tell<'_>) {
    let stream = &recipe.streams[index];
    for (table, absent) in [
        ("data", stream.data.is_none() && recipe.data.is_absent()),
        ("optim", stream.optim.is_none() && recipe.optim.is_absent()),
    ] {
        if absent {
            return lacks(index, &stream.name, table, tell);
        }
    }
    let mut told = |keys: &[&str], message: String, help: &str| {
        let keys: Vec<String> = keys.iter().map(|key| recipe.key_of(index, key)).collect();
        tell(&keys.iter().map(String::as_str).collect::<Vec<_>>(), message, help);
    };
    own(&recipe.of_stream(index), &mut told);
}
