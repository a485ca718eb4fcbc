//! Several heads, and several streams with an optimizer each.

use std::collections::BTreeMap;

use luthier_plan::streams::{self, all};
use luthier_plan::{Plan, Role, TaskPlan};
use luthier_recipe::TaskWeighting;

use super::{Page, words};
use crate::text::{self, Align};

/// What each head learns, by which streams.
pub fn heads(page: &mut Page, plan: &Plan) {
    if plan.model.heads.is_empty() {
        return;
    }
    page.section("Heads", &text::count(plan.model.heads.len() as u64, "head", "heads"));
    let mut rows = vec![["", "classes", "column", "loss", "weight"].map(|title| page.dim(title)).to_vec()];
    for (name, classes) in &plan.model.heads {
        let tasks: Vec<(&str, &TaskPlan)> = all(plan)
            .filter_map(|stream| {
                let task = stream.data.tasks.iter().find(|task| task.head == *name)?;
                Some((stream.stream.as_str(), task))
            })
            .collect();
        let weight = |(stream, task): &(&str, &TaskPlan)| {
            let gap = if stream.is_empty() { "" } else { " " };
            format!("{stream}{gap}{}", text::number(task.weight))
        };
        let loss = plan.recipe.model.heads.get(name).map_or("", |head| head.loss.name());
        rows.push(vec![
            name.clone(),
            classes.to_string(),
            tasks.first().map_or(String::new(), |(_, task)| task.column.clone()),
            loss.to_owned(),
            tasks.iter().map(weight).collect::<Vec<_>>().join(", "),
        ]);
    }
    page.table(&rows, &[Align::Left, Align::Right, Align::Left, Align::Left, Align::Left]);
    for stream in all(plan) {
        let Some(weighting) = &stream.weighting else { continue };
        let lr = text::number(weighting.group.lr);
        let own = if stream.stream.is_empty() { String::new() } else { format!("{}: ", stream.stream) };
        let told = match &plan.recipe.train.task_weighting {
            TaskWeighting::GradNorm { alpha, .. } => format!(
                "{own}weights are learned from there: GradNorm with alpha {}, Adam at {lr}, gradients compared at {}",
                text::number(*alpha),
                weighting.shared.join(", ")
            ),
            _ => format!(
                "{own}weights are learned from there: exp(−log-variance), in an optimizer group of their own at lr \
                 {lr}, no decay"
            ),
        };
        page.wrapped("", &told);
    }
}

/// What each stream trains on and with, and which optimizers move what.
pub fn streams(page: &mut Page, plan: &Plan, verbose: u8) {
    if plan.streams.is_empty() {
        return;
    }
    let way = words::name(&plan.recipe.train.interleave);
    let ends = words::name(&plan.recipe.train.epoch_ends);
    page.section("Streams", &page.dim(&format!("{way}, an epoch ends with the {ends}")));
    let titles = ["", "samples", "batch", "optimizer", "lr", "schedule", "updates", "lr budget"];
    let mut rows = vec![titles.map(|title| page.dim(title)).to_vec()];
    for (at, stream) in all(plan).enumerate() {
        let recipe = &stream.recipe;
        let samples = stream.data.split("train").map_or(0, |split| split.samples.len() as u64);
        let (curve, _) = words::call(&recipe.schedule.curve, "type");
        let budget: f64 = stream.lr_factors.iter().map(|factor| factor * recipe.optim.lr).sum();
        if at > 0 && streams::summed(plan) {
            // the first stream's optimizer steps for all
            let batch = recipe.train.batch_size.to_string();
            let mut row = vec![stream.stream.clone(), text::grouped(samples), batch];
            row.resize(titles.len(), String::new());
            rows.push(row);
            continue;
        }
        rows.push(vec![
            stream.stream.clone(),
            text::grouped(samples),
            recipe.train.batch_size.to_string(),
            words::call(&recipe.optim.rule, "type").0,
            text::number(recipe.optim.lr),
            if curve == "constant" {
                curve
            } else {
                format!("{curve} per {}", words::name(&recipe.schedule.unit))
            },
            text::grouped(stream.length.updates),
            if stream.lr_factors.is_empty() { String::new() } else { text::number(budget) },
        ]);
    }
    let right = Align::Right;
    page.table(&rows, &[Align::Left, right, right, Align::Left, right, Align::Left, right, right]);
    moved(page, plan, verbose);
}

/// Which optimizers move which parameters: those that two move have two memories of their gradients.
fn moved(page: &mut Page, plan: &Plan, verbose: u8) {
    let mut kinds: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (tensor, movers) in streams::movers(plan) {
        if tensor.role != Role::Buffer {
            kinds.entry(movers).or_default().push(&tensor.name);
        }
    }
    page.line("");
    for (movers, names) in kinds {
        let tensors = text::count(names.len() as u64, "tensor", "tensors");
        let (who, mark) = match movers.as_slice() {
            [] => ("moved by none".to_owned(), ""),
            [one] if streams::summed(plan) => (format!("moved by {one}"), " (with all streams' gradients)"),
            [one] => (format!("moved by {one} alone"), ""),
            several => (format!("moved by {}", several.join(" and ")), " (an optimizer each)"),
        };
        let shown = if verbose > 0 { names.len() } else { names.len().min(4) };
        let more = if shown < names.len() { ", …" } else { "" };
        page.wrapped(&format!("{who}{mark}: "), &format!("{tensors}: {}{more}", names[..shown].join(", ")));
    }
}
