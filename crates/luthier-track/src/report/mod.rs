//! `report.html`: the run on one page, in one file that asks for nothing else.

mod evidence;
mod findings;
mod parts;

use std::path::PathBuf;

use luthier_plan::{MonitorPoint, Outcome, Plan};
use luthier_recipe::Metric;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::figures::{count, duration, epochs, number, percent};
use crate::plot::{Picture, pictures};
use crate::{EvalPoint, Metrics, RunDir, Timing, TrackError, write_atomic};

/// What the page is made of.
struct Run {
    name: String,
    recipe: String,
    plan: Plan,
    metrics: Metrics,
    timing: Timing,
    looks: Vec<MonitorPoint>,
    verdict: Option<findings::Verdict>,
}

/// Writes `report.html` anew and says where. `environment` are facts that the caller knows (versions, processor),
/// shown as a table.
///
/// # Errors
/// The run cannot be read, or the file cannot be written.
pub fn write_report(run: &RunDir, environment: &[(String, String)]) -> Result<PathBuf, TrackError> {
    let path = run.report_path();
    write_atomic(&path, report_html(run, environment)?.as_bytes())?;
    Ok(path)
}

/// The text of `report.html`. A run that is not over, has no validation, or has diverged, has a report too.
///
/// # Errors
/// The run cannot be read.
pub fn report_html(run: &RunDir, environment: &[(String, String)]) -> Result<String, TrackError> {
    let run = Run {
        name: run.name(),
        recipe: run.recipe()?,
        plan: run.plan()?,
        metrics: run.metrics()?,
        timing: run.timing()?,
        looks: run.monitor()?.0,
        verdict: findings::read(run)?,
    };
    Ok(page(&run, environment).into_string())
}

fn page(run: &Run, environment: &[(String, String)]) -> Markup {
    // names and paths come from strangers: besides being escaped, nothing on the page may load or run anything
    let pictures = pictures(&run.plan, &run.metrics, &run.looks);
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (run.name) " · Luthier" }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (header(run))
                @if let Some(verdict) = &run.verdict { (findings::findings(verdict, &pictures)) }
                (curves(&pictures))
                (parts::classes(&run.plan, &run.metrics))
                (parts::model(&run.plan))
                (parts::data(&run.plan, &run.metrics))
                h2 { "Recipe" }
                pre { (run.recipe) }
                @if !environment.is_empty() {
                    h2 { "Environment" }
                    div.scroll { table { @for (fact, value) in environment { tr { th { (fact) } td { (value) } } } } }
                }
            }
        }
    }
}

fn header(run: &Run) -> Markup {
    let (word, class) = match run.metrics.end.as_ref().map(|end| end.outcome) {
        Some(Outcome::Finished) => ("finished", "good"),
        Some(Outcome::Stopped) => ("stopped early", "good"),
        Some(Outcome::Interrupted) => ("interrupted", "warn"),
        Some(Outcome::Diverged) => ("diverged", "bad"),
        None => ("not over: running, or killed", "warn"),
    };
    let plan = &run.plan;
    let done = run.metrics.steps.last().map(|step| step.at);
    html! {
        header {
            h1 { (run.name) }
            p {
                span class={ "outcome " (class) } { (word) }
                span.soft { " " (plan.model.arch) " from " code { (plan.model.weights) } ", "
                    (epochs(done.map_or(0.0, |at| at.epochs))) " of " (plan.length.epochs) " epochs, "
                    (count(done.map_or(0, |at| at.update))) " of " (count(plan.length.updates)) " updates" }
            }
            @if let Some(cut) = &run.metrics.cut {
                p.warn { "The last line of " code { "metrics.jsonl" } " (line " (cut.line) ") was cut off; all before it is shown" }
            }
            (tiles(run))
        }
    }
}

fn tiles(run: &Run) -> Markup {
    let metric = run.plan.recipe.eval.metric;
    let mut tiles: Vec<(String, String)> = Vec::new();
    if let (Some(best), Some(last)) = (run.metrics.best_eval("valid", metric), run.metrics.last_eval("valid"))
    {
        let by = match metric {
            Metric::Loss => "lowest validation loss",
            Metric::Accuracy => "highest validation accuracy",
            Metric::R2 => "highest validation R²",
        };
        let when = epochs(best.at.epochs);
        tiles.extend(scores(best, |what| format!("validation {what}, epoch {when}: the {by}")));
        tiles.push((number(best.loss), format!("validation loss, epoch {when}")));
        tiles.extend(scores(last, |what| format!("final validation {what}")));
        tiles.push((number(last.loss), "final validation loss".to_owned()));
    } else if let Some(epoch) = run.metrics.epochs.last() {
        let what = "training accuracy of the last epoch; no validation";
        tiles.extend(epoch.accuracy.map(|accuracy| (percent(accuracy), what.to_owned())));
        tiles.push((number(epoch.loss), "training loss of the last epoch".to_owned()));
    } else if let Some(step) = run.metrics.steps.last() {
        tiles.push((number(step.loss), "training loss of the last update".to_owned()));
    }
    for split in ["train", "test"] {
        if let Some(eval) = run.metrics.last_eval(split) {
            let what = if split == "train" { "training" } else { split };
            tiles.extend(scores(eval, |figure| {
                format!("{what} {figure} at the end, all {} samples", count(eval.count))
            }));
        }
    }
    tiles.push((duration(run.timing.seconds()), "wall time, interruptions not counted".to_owned()));
    if let Some(rate) = run.timing.samples_per_second() {
        let wait = run.timing.data_seconds / run.timing.train_seconds;
        tiles.push((
            number(rate),
            format!("training samples a second; {} of the time waiting for data", percent(wait)),
        ));
    }
    html! { div.tiles { @for (value, what) in &tiles { div.tile { b { (value) } span { (what) } } } } }
}

/// The figures of an evaluation besides its loss.
fn scores(eval: &EvalPoint, title: impl Fn(&str) -> String) -> Vec<(String, String)> {
    let all = [
        (eval.accuracy.map(percent), "accuracy"),
        (eval.r2.map(number), "R²"),
        (eval.mae.map(number), "mean absolute error"),
    ];
    all.into_iter().filter_map(|(figure, what)| Some((figure?, title(what)))).collect()
}

fn curves(pictures: &[Picture]) -> Markup {
    // confusion matrices stand with the classes
    let curves = || pictures.iter().filter(|picture| !picture.name.starts_with("confusion"));
    html! {
        h2 { "Curves" }
        @if curves().next().is_none() { p.soft { "No update is done yet" } }
        div.plots {
            @for picture in curves() {
                figure.plot { figcaption { (picture.title) } (PreEscaped(&picture.svg)) }
            }
        }
    }
}
