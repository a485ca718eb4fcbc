//! The tables of the report.

use luthier_plan::{LoadReport, Plan, PrefixPlan, StagePlan};
use maud::{Markup, PreEscaped, html};

use crate::figures::{count, epochs, percent};
use crate::plot::{Confused, confused, confusion};
use crate::{Metrics, Score, classification_report};

/// Longer lists are cut, with a word on how much is left.
const LONGEST_LIST: usize = 200;

/// Confusion matrix and the scores of each class, of every head.
pub fn classes(plan: &Plan, metrics: &Metrics) -> Markup {
    let all = confused(plan, metrics);
    html! {
        @if !all.is_empty() { h2 { "Classes" } }
        @for one in &all { (of_head(one)) }
    }
}

fn of_head(one: &Confused) -> Markup {
    let eval = one.eval;
    let report = classification_report(&one.confusion.rows(), one.classes);
    let picture = confusion(one);
    let scores = |score: &Score| {
        html! {
            td.number { (percent(score.precision)) }
            td.number { (percent(score.recall)) }
            td.number { (percent(score.f1)) }
        }
    };
    html! {
        @if !one.head.is_empty() { h3 { (one.head) @if !one.stream.is_empty() { ", stream " (one.stream) } } }
        p.soft { "Split " code { (eval.split) } ", " (count(eval.count)) " samples, epoch " (epochs(eval.at.epochs)) }
        div.plots {
            figure.plot { figcaption { (picture.title) } (PreEscaped(picture.svg)) }
            div.scroll {
                table {
                    thead { tr { th { "Class" } th.number { "Precision" } th.number { "Recall" } th.number { "F1" } th.number { "Samples" } } }
                    tbody {
                        @for class in report.classes.iter().take(LONGEST_LIST) {
                            tr { td { (class.name) } (scores(&class.score)) td.number { (count(class.support)) } }
                        }
                    }
                    tfoot {
                        tr { td { "Mean over classes" } (scores(&report.macro_average)) td.number { (count(report.support)) } }
                        tr { td { "Mean over samples" } (scores(&report.weighted_average)) td.number { (count(report.support)) } }
                        tr { td { "Accuracy" } td {} td {} td.number { (percent(report.accuracy)) } td.number { (count(report.support)) } }
                    }
                }
                (more(report.classes.len()))
            }
        }
    }
}

/// Model, optimizer groups, and what loading the weights matched.
pub fn model(plan: &Plan) -> Markup {
    let scalars = |trainable: bool| -> u64 {
        let wanted = plan.model.tensors.iter().filter(|tensor| tensor.trainable == trainable);
        wanted.map(|tensor| tensor.shape.iter().map(|&size| size.max(0) as u64).product::<u64>()).sum()
    };
    let facts = [
        ("Architecture", plan.model.arch.clone()),
        ("Weights", plan.model.weights.clone()),
        ("Trainable scalars", count(scalars(true))),
        ("Other scalars", format!("{} (frozen, or state of normalisation layers)", count(scalars(false)))),
        ("Device", plan.device.clone()),
        ("Precision", plan.precision.words().to_owned()),
        ("Memory format", plan.memory_format.clone()),
        ("Stages", stages(plan)),
        ("Run once per sample", prefixes(plan)),
        ("Texts", texts(plan)),
        ("Effective batch", format!("{} samples an update", count(plan.length.effective_batch))),
        (
            "Updates",
            format!(
                "{} an epoch, {} in all",
                count(plan.length.updates_per_epoch),
                count(plan.length.updates)
            ),
        ),
    ];
    html! {
        h2 { "Plan" }
        div.scroll { table { @for (fact, value) in facts.iter().filter(|(_, value)| !value.is_empty()) { tr { th { (fact) } td { (value) } } } } }
        h3 { "Optimizer groups" }
        div.scroll {
            table {
                thead { tr { th { "Group" } th.number { "Learning rate" } th.number { "Weight decay" } th.number { "Tensors" } th.number { "Scalars" } } }
                tbody {
                    @for group in &plan.groups {
                        tr {
                            td { code { (group.name) } }
                            td.number { (group.lr) }
                            td.number { (group.weight_decay) }
                            td.number { (count(group.tensors as u64)) }
                            td.number { (count(group.scalars)) }
                        }
                    }
                }
            }
        }
        @if let Some(load) = &plan.model.load { (loaded(load)) }
        @if !plan.notes.is_empty() {
            h3 { "Notes" }
            (list(&plan.notes))
        }
    }
}

/// Stages in words; nothing where there is but one.
fn stages(plan: &Plan) -> String {
    let word = |stage: &StagePlan| {
        let last = stage.first_epoch + stage.epochs;
        format!("{} (epochs {} to {last})", stage.name, stage.first_epoch + 1)
    };
    let named = plan.stages.iter().filter(|stage| !stage.name.is_empty());
    named.map(word).collect::<Vec<_>>().join(", ")
}

/// Frozen leading parts that run once per sample, in words.
fn prefixes(plan: &Plan) -> String {
    let word = |prefix: &PrefixPlan| {
        let last = plan.model.parts.get(prefix.parts.saturating_sub(1)).map_or("", String::as_str);
        let first = plan.model.parts.first().map_or("", String::as_str);
        let place = if prefix.on_disk { "on disk" } else { "in memory" };
        format!(
            "{first} to {last}: {} MiB {place}, {} runs saved",
            prefix.bytes >> 20,
            count(prefix.runs_saved)
        )
    };
    let kept = plan.stages.iter().filter_map(|stage| stage.prefix.as_ref());
    kept.map(word).collect::<Vec<_>>().join("; ")
}

/// What becomes of texts, in words.
fn texts(plan: &Plan) -> String {
    let Some(text) = &plan.text else { return String::new() };
    let tokens: u64 = text.splits.iter().map(|split| split.tokens).sum();
    format!(
        "{} tokens by {}, at most {} of a text, read at: {}",
        count(tokens),
        text.tokenizer,
        count(text.max_length),
        text.pool
    )
}

fn loaded(load: &LoadReport) -> Markup {
    let shapes: Vec<String> = load
        .wrong_shape
        .iter()
        .map(|(name, file, model)| format!("{name}: {file:?} in the file, {model:?} in the model"))
        .collect();
    let lists = [
        ("starting random, as a new head does", &load.head),
        ("in the model and not in the file", &load.missing),
        ("in the file and not in the model", &load.unexpected),
        ("of another shape", &shapes),
    ];
    html! {
        h3 { "Weights" }
        p { (count(load.matched as u64)) " tensors loaded" }
        @for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            details { summary { (names.len()) " " (what) } (list(names)) }
        }
    }
}

/// Samples of each split, and what was left out.
pub fn data(plan: &Plan, metrics: &Metrics) -> Markup {
    let in_class = |split: &luthier_plan::SplitPlan, class: usize| {
        split.samples.labels().iter().filter(|label| **label as usize == class).count() as u64
    };
    let before = plan.data.splits.iter().flat_map(|split| {
        split.skipped.iter().map(move |file| (split.name.as_str(), file.path.as_str(), file.why.as_str()))
    });
    let during = metrics.skipped.iter().map(|file| ("while training", file.path.as_str(), file.why.as_str()));
    let skipped: Vec<_> = before.chain(during).collect();
    html! {
        h2 { "Data" }
        div.scroll {
            table {
                thead { tr { th { "Class" } @for split in &plan.data.splits { th.number { (split.name) } } } }
                tbody {
                    @for (class, name) in plan.data.classes.iter().enumerate().take(LONGEST_LIST) {
                        tr { td { (name) } @for split in &plan.data.splits { td.number { (count(in_class(split, class))) } } }
                    }
                }
                tfoot { tr { td { "All" } @for split in &plan.data.splits { td.number { (count(split.samples.len() as u64)) } } } }
            }
            (more(plan.data.classes.len()))
        }
        @if !skipped.is_empty() {
            h3 { "Left out" }
            div.scroll {
                table {
                    thead { tr { th { "Split" } th { "File" } th { "Why" } } }
                    tbody {
                        @for (split, path, why) in skipped.iter().take(LONGEST_LIST) {
                            tr { td { (split) } td { code { (path) } } td { (why) } }
                        }
                    }
                }
                (more(skipped.len()))
            }
        }
    }
}

fn list(items: &[String]) -> Markup {
    html! {
        ul { @for item in items.iter().take(LONGEST_LIST) { li { (item) } } }
        (more(items.len()))
    }
}

fn more(length: usize) -> Markup {
    html! { @if length > LONGEST_LIST { p.soft { "and " (count((length - LONGEST_LIST) as u64)) " more" } } }
}
