//! `luthier eval`: how good a run's weights are, and where they fail.

use luthier::args::EvalArgs;
use luthier::text::{Align, count, percent, table};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_plan::Plan;
use luthier_track::{ClassificationReport, classification_report};
use luthier_train::{Answer, Evaluation};
use serde_json::{Value, json};

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
    skipped(&evaluation, voice);
    if plan.data.classes.is_empty() {
        return rows::told(&opened, &evaluation, voice);
    }
    let mut judged = vec![Judged::new(plan, evaluation)];
    for runner in opened.runner.beside_it().or_subject()? {
        if runner.plan.data.split(&split).is_some() {
            let evaluation = runner.evaluate(&split).or_subject()?;
            skipped(&evaluation, voice);
            judged.push(Judged::new(&runner.plan, evaluation));
        }
    }
    if voice.json {
        let mut parts = judged.iter().map(|judged| as_json(&opened, judged));
        let mut whole = parts.next().unwrap_or_default();
        let others: Vec<Value> = parts.collect();
        if !others.is_empty() {
            whole["streams"] = others.into();
        }
        return voice::print_json(&whole);
    }
    let pages: Vec<String> = judged.iter().map(|judged| page(&opened, judged)).collect();
    voice::print(&pages.join("\n"))
}

fn skipped(evaluation: &Evaluation, voice: &Voice) {
    for (path, why) in &evaluation.skipped {
        voice.warn(&format!("`{path}` is left out: {why}"));
    }
}

/// An evaluated split of a stream, and what its heads were asked.
struct Judged {
    /// Name of the stream; empty where there is one
    stream: String,
    heads: Vec<Head>,
    evaluation: Evaluation,
}

/// One head's figures.
struct Head {
    /// Empty where there is one head
    name: String,
    classes: Vec<String>,
    loss: f64,
    confusion: Vec<Vec<u64>>,
    report: ClassificationReport,
}

impl Judged {
    fn new(plan: &Plan, evaluation: Evaluation) -> Self {
        let head = |name: &str, classes: &[String], loss, confusion: &[Vec<u64>]| Head {
            name: name.to_owned(),
            classes: classes.to_vec(),
            loss,
            report: classification_report(confusion, classes),
            confusion: confusion.to_vec(),
        };
        let summary = &evaluation.summary;
        let heads = if summary.tasks.is_empty() {
            vec![head("", &plan.data.classes, summary.loss, &summary.confusion)]
        } else {
            let tasks = plan.data.tasks.iter().zip(&summary.tasks);
            tasks.map(|(task, score)| head(&task.head, &task.classes, score.loss, &score.confusion)).collect()
        };
        Judged { stream: plan.stream.clone(), heads, evaluation }
    }

    fn worst(&self) -> Vec<&Answer> {
        let mut worst: Vec<&Answer> = self.evaluation.answers.iter().collect();
        worst.sort_by(|a, b| b.loss.total_cmp(&a.loss).then_with(|| a.path.cmp(&b.path)));
        worst.truncate(WORST);
        worst
    }
}

/// The first head's figures stand at the top, as those of the only one would; each of several has its own besides.
fn as_json(opened: &Opened, judged: &Judged) -> Value {
    let (summary, first) = (&judged.evaluation.summary, judged.heads.first());
    let mut whole = json!({
        "checkpoint": opened.checkpoint,
        "split": summary.split,
        "classes": first.map(|head| &head.classes),
        "count": summary.count,
        "loss": summary.loss,
        "accuracy": summary.accuracy,
        "report": first.map(|head| &head.report),
        "confusion": summary.confusion,
        "worst": judged.worst(),
        "skipped": judged.evaluation.skipped,
    });
    if !judged.stream.is_empty() {
        whole["stream"] = judged.stream.as_str().into();
    }
    let several = judged.heads.iter().filter(|head| !head.name.is_empty());
    let heads: serde_json::Map<String, Value> = several
        .map(|head| {
            let figures = json!({
                "classes": head.classes,
                "loss": head.loss,
                "accuracy": head.report.accuracy,
                "report": head.report,
                "confusion": head.confusion,
            });
            (head.name.clone(), figures)
        })
        .collect();
    if !heads.is_empty() {
        whole["heads"] = heads.into();
    }
    whole
}

fn page(opened: &Opened, judged: &Judged) -> String {
    let summary = &judged.evaluation.summary;
    let stream = if judged.stream.is_empty() { String::new() } else { format!(", stream {}", judged.stream) };
    let several = judged.heads.len() > 1;
    let mut text = format!(
        "{} of {}{stream}, {}\n\n  accuracy  {}{}\n  loss      {:.4}\n\n",
        summary.split,
        opened.checkpoint,
        count(summary.count, "sample", "samples"),
        percent(summary.accuracy.unwrap_or(f64::NAN)),
        if several { "   of all heads together" } else { "" },
        summary.loss
    );
    if several {
        text += "per head\n";
        let mut rows = vec![row(["", "classes", "accuracy", "chance", "loss"])];
        for head in &judged.heads {
            rows.push(vec![
                head.name.clone(),
                head.classes.len().to_string(),
                percent(head.report.accuracy),
                percent(chance(&head.confusion)),
                format!("{:.4}", head.loss),
            ]);
        }
        text += &table(&rows, &RIGHT, "  ");
        text += "\n";
    }
    for head in &judged.heads {
        text += &figures(head);
    }
    text + &worst_samples(judged)
}

const RIGHT: [Align; 5] = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Right];

/// The share that naming the largest class would get right.
fn chance(confusion: &[Vec<u64>]) -> f64 {
    let of = |row: &Vec<u64>| row.iter().sum::<u64>();
    let all: u64 = confusion.iter().map(of).sum();
    confusion.iter().map(of).max().unwrap_or(0) as f64 / all.max(1) as f64
}

/// The figures of each class of a head, and which it took for which.
fn figures(head: &Head) -> String {
    let of = if head.name.is_empty() { String::new() } else { format!(", {}", head.name) };
    let mut text = format!("per class{of}\n");
    let mut rows = vec![row(["", "precision", "recall", "f1", "support"])];
    for score in &head.report.classes {
        let cells = [
            score.name.clone(),
            format!("{:.3}", score.score.precision),
            format!("{:.3}", score.score.recall),
            format!("{:.3}", score.score.f1),
            score.support.to_string(),
        ];
        rows.push(cells.to_vec());
    }
    text += &table(&rows, &RIGHT, "  ");
    text += &format!("\nconfusion{of}: rows are the truth, columns the guess\n");
    let mut rows = vec![std::iter::once(String::new()).chain(head.classes.iter().cloned()).collect()];
    for (class, counts) in head.classes.iter().zip(&head.confusion) {
        rows.push(std::iter::once(class.clone()).chain(counts.iter().map(u64::to_string)).collect());
    }
    let mut align = vec![Align::Right; head.classes.len() + 1];
    align[0] = Align::Left;
    text + &table(&rows, &align, "  ") + "\n"
}

/// The samples with the highest losses: truth and guess, of several heads of each that is wrong.
fn worst_samples(judged: &Judged) -> String {
    let named = |classes: &[String], label: u32| classes.get(label as usize).cloned().unwrap_or_default();
    if judged.heads.len() > 1 {
        let mut rows = vec![["loss", "wrong", "file"].map(String::from).to_vec()];
        for answer in judged.worst() {
            let wrong = answer.heads.iter().zip(&judged.heads).filter(|(said, _)| said.label != said.guess);
            let told = wrong.map(|(said, head)| {
                let (truth, guess) = (named(&head.classes, said.label), named(&head.classes, said.guess));
                format!("{} {guess} for {truth}", head.name)
            });
            let wrong = told.collect::<Vec<_>>().join(", ");
            rows.push(vec![format!("{:.3}", answer.loss), wrong, answer.path.clone()]);
        }
        return "worst samples\n".to_owned() + &table(&rows, &[Align::Right, Align::Left, Align::Left], "  ");
    }
    let classes = judged.heads.first().map(|head| head.classes.as_slice()).unwrap_or_default();
    let mut rows = vec![row(["loss", "truth", "guess", "sure", "file"])];
    for answer in judged.worst() {
        let sure = answer.probabilities.get(answer.guess as usize).copied().unwrap_or_default();
        rows.push(vec![
            format!("{:.3}", answer.loss),
            named(classes, answer.label),
            named(classes, answer.guess),
            percent(f64::from(sure)),
            answer.path.clone(),
        ]);
    }
    let align = [Align::Right, Align::Left, Align::Left, Align::Right, Align::Left];
    "worst samples\n".to_owned() + &table(&rows, &align, "  ")
}

fn row(cells: [&str; 5]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}
