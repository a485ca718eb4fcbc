//! `luthier eval`: how good a run's weights are, and where they fail.

use luthier::args::EvalArgs;
use luthier::text::{Align, count, percent, table};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_track::{ClassificationReport, classification_report};
use luthier_train::{Answer, Evaluation};
use serde_json::json;

use super::{eval_probe, rows};
use crate::opened::{self, Opened};

/// How many of the worst samples are shown.
const WORST: usize = 10;

pub fn run(args: &EvalArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let opened = opened::open(&args.run, &args.checkpoint, device, voice)?;
    let plan = &opened.runner.plan;
    let split = match &args.split {
        Some(split) => split.clone(),
        None if plan.data.split("valid").is_some() => "valid".into(),
        None => "train".into(),
    };
    if plan.data.split(&split).is_none() {
        let has: Vec<String> = plan.data.splits.iter().map(|split| format!("`{}`", split.name)).collect();
        return Err(Failure::misuse(
            format!("the run has no split `{split}`"),
            format!("it has {}", has.join(", ")),
        ));
    }
    if let Some(probe) = args.probe {
        return eval_probe::told(&opened, &split, probe, voice);
    }
    let evaluation = opened.runner.evaluate(&split).or_subject()?;
    for (path, why) in &evaluation.skipped {
        voice.warn(&format!("`{path}` is left out: {why}"));
    }
    if plan.data.classes.is_empty() {
        return rows::told(&opened, &evaluation, voice);
    }
    let report = classification_report(&evaluation.summary.confusion, &plan.data.classes);
    if voice.json {
        return print_json(&opened, &evaluation, &report);
    }
    voice::print(&page(&opened, &evaluation, &report))
}

fn worst(evaluation: &Evaluation) -> Vec<&Answer> {
    let mut worst: Vec<&Answer> = evaluation.answers.iter().collect();
    worst.sort_by(|a, b| b.loss.total_cmp(&a.loss).then_with(|| a.path.cmp(&b.path)));
    worst.truncate(WORST);
    worst
}

fn print_json(
    opened: &Opened,
    evaluation: &Evaluation,
    report: &ClassificationReport,
) -> Result<(), Failure> {
    let summary = &evaluation.summary;
    voice::print_json(&json!({
        "checkpoint": opened.checkpoint,
        "split": summary.split,
        "classes": opened.runner.plan.data.classes,
        "count": summary.count,
        "loss": summary.loss,
        "accuracy": summary.accuracy,
        "report": report,
        "confusion": summary.confusion,
        "worst": worst(evaluation),
        "skipped": evaluation.skipped,
    }))
}

fn page(opened: &Opened, evaluation: &Evaluation, report: &ClassificationReport) -> String {
    let summary = &evaluation.summary;
    let classes = &opened.runner.plan.data.classes;
    let mut text = format!(
        "{} of {}, {}\n\n  accuracy  {}\n  loss      {:.4}\n\n",
        summary.split,
        opened.checkpoint,
        count(summary.count, "sample", "samples"),
        percent(summary.accuracy.unwrap_or(f64::NAN)),
        summary.loss
    );
    text += "per class\n";
    let mut rows = vec![row(["", "precision", "recall", "f1", "support"])];
    for score in &report.classes {
        let cells = [
            score.name.clone(),
            format!("{:.3}", score.score.precision),
            format!("{:.3}", score.score.recall),
            format!("{:.3}", score.score.f1),
            score.support.to_string(),
        ];
        rows.push(cells.to_vec());
    }
    let right = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Right];
    text += &table(&rows, &right, "  ");
    text += "\nconfusion: rows are the truth, columns the guess\n";
    let mut rows = vec![std::iter::once(String::new()).chain(classes.iter().cloned()).collect()];
    for (class, counts) in classes.iter().zip(&summary.confusion) {
        rows.push(std::iter::once(class.clone()).chain(counts.iter().map(u64::to_string)).collect());
    }
    let mut align = vec![Align::Right; classes.len() + 1];
    align[0] = Align::Left;
    text += &table(&rows, &align, "  ");
    text += "\nworst samples\n";
    let mut rows = vec![row(["loss", "truth", "guess", "sure", "file"])];
    for answer in worst(evaluation) {
        let name = |label: u32| classes.get(label as usize).cloned().unwrap_or_default();
        let sure = answer.probabilities.get(answer.guess as usize).copied().unwrap_or_default();
        rows.push(vec![
            format!("{:.3}", answer.loss),
            name(answer.label),
            name(answer.guess),
            percent(f64::from(sure)),
            answer.path.clone(),
        ]);
    }
    text += &table(&rows, &[Align::Right, Align::Left, Align::Left, Align::Right, Align::Left], "  ");
    text
}

fn row(cells: [&str; 5]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}
