//! `luthier predict` and `luthier eval` for tables of numbers and words.

use luthier::args::PredictArgs;
use luthier::text::{Align, count, number, percent, table as columns};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_plan::TablePlan;
use luthier_train::{Estimate, Evaluation, RowPrediction, Runner};
use serde_json::{Value, json};

use super::predict::ranked;
use crate::opened::Opened;

/// How many of the worst rows are shown.
const WORST: usize = 10;

/// Answers for every row of the files.
pub fn run(runner: &Runner, table: &TablePlan, args: &PredictArgs, voice: &Voice) -> Result<(), Failure> {
    if args.inputs.is_empty() || !args.text.is_empty() {
        return Err(Failure::misuse(
            "this run knows rows of a table, and none is named",
            "name files with the feature columns of the training table",
        ));
    }
    let (mut answered, mut all) = (false, Vec::new());
    for path in &args.inputs {
        let place = path.display().to_string();
        let predictions = runner.predict_rows(path).or_call()?;
        answered |= predictions.iter().any(|prediction| prediction.result.is_ok());
        if voice.json {
            all.extend(predictions.iter().map(|row| as_json(row, &place, runner, table, args.top)));
        } else {
            voice::print(&page(&predictions, &place, runner, table, args.top, voice))?;
        }
    }
    if voice.json {
        voice::print_json(&all)?;
    }
    if answered { Ok(()) } else { Err(Failure::quiet(1)) }
}

fn as_json(row: &RowPrediction, path: &str, runner: &Runner, table: &TablePlan, top: u16) -> Value {
    let numbers = match &row.result {
        Ok(numbers) => numbers,
        Err(why) => return json!({"path": path, "line": row.line, "error": why}),
    };
    if table.targets.is_empty() {
        let ranked = ranked(&single(numbers), &runner.plan.data.classes, top)
            .into_iter()
            .map(|(class, p)| json!({"class": class, "probability": p}))
            .collect::<Vec<_>>();
        let class = ranked.first().map(|first| first["class"].clone());
        return json!({"path": path, "line": row.line, "class": class, "classes": ranked});
    }
    let values: serde_json::Map<String, Value> =
        table.targets.iter().zip(numbers).map(|(target, x)| (target.name.clone(), json!(x))).collect();
    json!({"path": path, "line": row.line, "values": values})
}

fn page(
    rows: &[RowPrediction],
    path: &str,
    runner: &Runner,
    table: &TablePlan,
    top: u16,
    voice: &Voice,
) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let place = format!("{path}:{}", row.line);
        match &row.result {
            Err(why) => voice.warn(&format!("`{place}` is left out: it {why}")),
            Ok(numbers) if table.targets.is_empty() => {
                let mut line = vec![place];
                for (class, probability) in ranked(&single(numbers), &runner.plan.data.classes, top) {
                    line.extend([class.to_owned(), percent(f64::from(probability))]);
                }
                lines.push(line);
            }
            Ok(numbers) => {
                let mut line = vec![place];
                for (target, x) in table.targets.iter().zip(numbers) {
                    line.extend([target.name.clone(), number(*x)]);
                }
                lines.push(line);
            }
        }
    }
    let width = lines.iter().map(Vec::len).max().unwrap_or(1);
    let align: Vec<Align> =
        (0..width).map(|at| if at > 0 && at % 2 == 0 { Align::Right } else { Align::Left }).collect();
    columns(&lines, &align, "")
}

fn single(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

/// What an evaluated regression came to.
pub fn told(opened: &Opened, evaluation: &Evaluation, voice: &Voice) -> Result<(), Failure> {
    let summary = &evaluation.summary;
    let targets: Vec<&str> = opened
        .runner
        .plan
        .table
        .iter()
        .flat_map(|table| &table.targets)
        .map(|target| target.name.as_str())
        .collect();
    let mut worst: Vec<&Estimate> = evaluation.estimates.iter().collect();
    worst.sort_by(|a, b| b.error.total_cmp(&a.error).then_with(|| a.path.cmp(&b.path)));
    worst.truncate(WORST);
    if voice.json {
        return voice::print_json(&json!({
            "checkpoint": opened.checkpoint,
            "split": summary.split,
            "targets": targets,
            "count": summary.count,
            "loss": summary.loss,
            "r2": summary.r2,
            "mae": summary.mae,
            "worst": worst,
            "skipped": evaluation.skipped,
        }));
    }
    let figure = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), |x| format!("{x:.4}"));
    let mut text = format!(
        "{} of {}, {}\n\n  R²                   {}\n  mean absolute error  {}\n  loss                 {:.4}\n\nworst rows\n",
        summary.split,
        opened.checkpoint,
        count(summary.count, "row", "rows"),
        figure(summary.r2),
        summary.mae.map_or_else(|| "–".to_owned(), number),
        summary.loss
    );
    let mut rows = vec![["target", "truth", "estimate", "row"].map(str::to_owned).to_vec()];
    for estimate in worst {
        for ((target, truth), value) in targets.iter().zip(&estimate.truth).zip(&estimate.value) {
            rows.push(vec![(*target).to_owned(), number(*truth), number(*value), estimate.path.clone()]);
        }
    }
    text += &columns(&rows, &[Align::Left, Align::Right, Align::Right, Align::Left], "  ");
    voice::print(&text)
}
