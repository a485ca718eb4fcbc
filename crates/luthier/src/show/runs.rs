use luthier_plan::Outcome;
use luthier_recipe::Metric;
use luthier_track::{Comparison, EvalSummary, RunSummary};

use crate::{
    text::{self, Align},
    voice::{BOLD, CYAN, DIM, GREEN, Look, RED, YELLOW},
};

/// Columns that a setting's value gets before it is cut.
const VALUE: usize = 40;

/// One line per run.
pub fn runs_text(runs: &[RunSummary], look: &Look) -> String {
    let titles =
        ["run", "state", "epochs", "valid loss", "acc", "at epoch", "arch", "weights", "time", "samples/s"];
    let mut rows = vec![titles.map(|title| look.paint(DIM, title)).to_vec()];
    for run in runs {
        let (loss, score, at) = numbers(run.best);
        rows.push(vec![
            look.paint(BOLD, &run.name),
            state(run, look),
            epochs(run),
            loss,
            score,
            at,
            run.arch.clone(),
            text::shorten(&file_name(&run.weights), 28),
            text::duration(run.seconds),
            run.samples_per_second.map_or_else(String::new, rate),
        ]);
    }
    use Align::{Left, Right};
    text::table(&rows, &[Left, Left, Right, Right, Right, Right, Left, Left, Right, Right], "")
}

/// Runs side by side: what differs in their recipes, and what came of it. The best run is marked.
pub fn comparison_text(comparison: &Comparison, look: &Look) -> String {
    let runs = &comparison.runs;
    let mut align = vec![Align::Left];
    align.extend(runs.iter().map(|_| Align::Left));
    let names = || runs.iter().map(|run| look.paint(BOLD, &run.name));
    let row = |title: &str, value: &dyn Fn(&RunSummary) -> String| -> Vec<String> {
        [look.paint(DIM, title)].into_iter().chain(runs.iter().map(value)).collect()
    };

    let mut page = format!("{}\n", look.paint(CYAN.bold(), "Settings that differ"));
    if comparison.differences.is_empty() {
        page.push_str("  none\n");
    } else {
        let mut rows = vec![[String::new()].into_iter().chain(names()).collect::<Vec<_>>()];
        for difference in &comparison.differences {
            let values = difference.values.iter().map(|value| match value {
                Some(value) => text::shorten(value, VALUE),
                None => look.paint(DIM, look.sign("–", "-")),
            });
            rows.push([look.paint(DIM, &difference.key)].into_iter().chain(values).collect());
        }
        page.push_str(&text::table(&rows, &align, "  "));
    }

    page.push_str(&format!("\n{}\n", look.paint(CYAN.bold(), "Results")));
    let best = best(runs);
    let mark = |index: usize| {
        if Some(index) == best { look.paint(GREEN, look.sign("★ best", "* best")) } else { String::new() }
    };
    let mut rows = vec![[String::new()].into_iter().chain(names()).collect::<Vec<_>>()];
    if best.is_some() {
        rows.push([String::new()].into_iter().chain((0..runs.len()).map(mark)).collect());
    }
    rows.push(row("state", &|run| state(run, look)));
    rows.push(row("best valid loss", &|run| numbers(run.best).0));
    for name in figures(runs) {
        rows.push(row(&format!("best valid {name}"), &|run| figure(run.best, name)));
    }
    rows.push(row("at epoch", &|run| numbers(run.best).2));
    rows.push(row("last valid loss", &|run| numbers(run.last).0));
    for name in figures(runs) {
        rows.push(row(&format!("last valid {name}"), &|run| figure(run.last, name)));
    }
    rows.push(row("epochs", &|run| epochs(run)));
    rows.push(row("time", &|run| text::duration(run.seconds)));
    rows.push(row("samples/s", &|run| run.samples_per_second.map_or_else(String::new, rate)));
    page.push_str(&text::table(&rows, &align, "  "));
    page
}

/// Samples a second; of few, tenths of one, too.
fn rate(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// Index of the best run by the metric they are judged by; none when they are judged by different ones, or when no run
/// or only one has a number, or when the first two are equal.
fn best(runs: &[RunSummary]) -> Option<usize> {
    let metric = runs.first()?.metric;
    if runs.iter().any(|run| run.metric != metric) {
        return None;
    }
    let mut scores: Vec<(usize, f64)> = runs
        .iter()
        .enumerate()
        .filter_map(|(index, run)| {
            let best = run.best?;
            let score = match metric {
                Metric::Loss => -best.loss,
                Metric::Accuracy => best.accuracy?,
                Metric::R2 => best.r2?,
            };
            score.is_finite().then_some((index, score))
        })
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    match scores.as_slice() {
        [first, second, ..] if first.1 > second.1 => Some(first.0),
        _ => None,
    }
}

fn state(run: &RunSummary, look: &Look) -> String {
    let (style, word) = match run.outcome {
        Some(Outcome::Finished) => (GREEN, "finished"),
        Some(Outcome::Stopped) => (GREEN, "stopped early"),
        Some(Outcome::Interrupted) => (YELLOW, "interrupted"),
        Some(Outcome::Diverged) => (RED, "diverged"),
        None => (YELLOW, "unfinished"),
    };
    look.paint(style, word)
}

/// Figures that evaluations may have besides their loss.
const FIGURES: [&str; 3] = ["accuracy", "R²", "mean absolute error"];

/// Those that any run has; the usual one where none has any.
fn figures(runs: &[RunSummary]) -> Vec<&'static str> {
    let has = |name: &&str| runs.iter().any(|run| !figure(run.last, name).is_empty());
    let found: Vec<&str> = FIGURES.into_iter().filter(has).collect();
    if found.is_empty() { vec![FIGURES[0]] } else { found }
}

/// A figure of an evaluation; nothing where it has none.
fn figure(eval: Option<EvalSummary>, name: &str) -> String {
    let shown = eval.and_then(|eval| match name {
        "accuracy" => eval.accuracy.map(text::percent),
        "R²" => eval.r2.map(|r2| format!("{r2:.4}")),
        _ => eval.mae.map(text::number),
    });
    shown.unwrap_or_default()
}

/// Loss, accuracy (or R²) and epoch of an evaluation; nothing where there is none.
fn numbers(eval: Option<EvalSummary>) -> (String, String, String) {
    eval.map_or_else(Default::default, |eval| {
        let r2 = || eval.r2.map(|r2| format!("R² {r2:.3}"));
        let score = eval.accuracy.map(text::percent).or_else(r2).unwrap_or_default();
        (format!("{:.4}", eval.loss), score, text::number(eval.epochs))
    })
}

/// `5/5`, or `2.29/5` in the middle of one
fn epochs(run: &RunSummary) -> String {
    let digits = if run.epochs.fract() == 0.0 { 0 } else { 2 };
    format!("{:.digits$}/{}", run.epochs, run.planned_epochs)
}

/// Weights are often a long path; its end says which.
fn file_name(weights: &str) -> String {
    if weights.contains(':') {
        return weights.to_owned();
    }
    weights.rsplit('/').next().unwrap_or(weights).to_owned()
}
