//! `luthier doctor RECIPE --probe lr|batch|overfit`: one measurement by itself, as numbers and as a picture.

use std::path::{Path, PathBuf};
use std::time::Duration;

use luthier::text::{Align, table};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_probe::{BatchCurve, BatchLimits, LrCurve, Overfit, find_batch, find_lr, overfit_one_batch};
use luthier_train::Prepared;
use serde::Serialize;

use crate::job;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Loss over the learning rate
    Lr,
    /// Speed and memory over the batch size
    Batch,
    /// One batch learned by heart
    Overfit,
}

/// What was asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    pub recipe: &'a Path,
    pub sets: &'a [String],
    pub which: Which,
    /// Where the picture goes: this name with the endings `.svg`, `.png` and `.pdf`
    pub picture: &'a Path,
    pub budget: Duration,
    /// Memory that a batch may take, in bytes
    pub memory: Option<u64>,
}

pub fn run(asked: &Asked<'_>, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let (_, prepared) = job::prepare(asked.recipe, asked.sets, device, voice)?;
    if prepared.plan.recipe.contrastive.is_some() && asked.which != Which::Lr {
        return Err(Failure::misuse(
            "a contrastive run has no answers to learn by heart, and its queue is cut for its batch",
            "`--probe lr` finds a rate; `luthier doctor RUN` looks at what happened",
        ));
    }
    match asked.which {
        Which::Lr => lr(asked, prepared, voice),
        Which::Batch => batch(asked, prepared, voice),
        Which::Overfit => overfit(asked, prepared, voice),
    }
}

fn lr(asked: &Asked<'_>, prepared: Prepared, voice: &Voice) -> Result<(), Failure> {
    voice.status("measuring", "one update at each of 100 learning rates from 1e-8 to 10");
    let (curve, _) = find_lr(prepared, asked.budget).or_subject()?;
    let drawn = curve.draw(asked.picture).or_subject()?;
    told(&curve, &lr_text(&curve), &drawn, voice)
}

fn lr_text(curve: &LrCurve) -> String {
    let rate =
        |rate: Option<f64>| rate.map_or("none: the loss does not fall".into(), |rate| format!("{rate:.1e}"));
    let end = match curve.blown_up {
        Some(rate) => format!("blows up at {rate:.1e}"),
        None => "does not blow up".into(),
    };
    let lowest = curve.smooth.iter().copied().fold(f64::INFINITY, f64::min);
    let first = curve.smooth.first().copied().unwrap_or(f64::NAN);
    let rows = [
        ["steepest descent".to_owned(), rate(curve.steepest)],
        ["a tenth of the minimum".to_owned(), rate(curve.tenth)],
        ["the recipe's".to_owned(), format!("{:.1e}", curve.recipe)],
        ["loss".to_owned(), format!("from {first:.3} to {lowest:.3}, {end}")],
    ];
    table(&rows.map(Vec::from), &[Align::Left; 2], "  ")
}

fn batch(asked: &Asked<'_>, prepared: Prepared, voice: &Voice) -> Result<(), Failure> {
    voice.status("measuring", "updates of 2, 4, 8 … samples");
    let limits = BatchLimits { bytes: asked.memory, budget: asked.budget };
    let (curve, _) = find_batch(prepared, limits).or_subject()?;
    let drawn = curve.draw(asked.picture).or_subject()?;
    told(&curve, &batch_text(&curve), &drawn, voice)
}

fn batch_text(curve: &BatchCurve) -> String {
    let mib = |bytes: Option<u64>| bytes.map_or("unknown".into(), |bytes| format!("{} MiB", bytes >> 20));
    let heads = ["batch", "samples/s", "update", "memory"].map(String::from).to_vec();
    let rows = curve.points.iter().map(|point| {
        let speed = format!("{:.1}", point.throughput);
        vec![point.size.to_string(), speed, format!("{:.3} s", point.seconds), mib(point.bytes)]
    });
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    let size = |size: Option<u64>| size.map_or("none".into(), |size| size.to_string());
    format!(
        "{}\nThe largest that fits is {}; the smallest that is about as fast as any is {}. The recipe has {}. The search \
         ended because {}.\n",
        table(&rows, &[Align::Right; 4], "  "),
        size(curve.largest),
        size(curve.fastest),
        curve.recipe,
        curve.ended
    )
}

fn overfit(asked: &Asked<'_>, prepared: Prepared, voice: &Voice) -> Result<(), Failure> {
    voice.status("measuring", "one batch, again and again");
    let (fits, _) = overfit_one_batch(prepared, asked.budget).or_subject()?;
    let drawn = fits.draw(asked.picture).or_subject()?;
    told(&fits, &overfit_text(&fits), &drawn, voice)
}

fn overfit_text(fits: &Overfit) -> String {
    let row = |name: &str, fit: &luthier_doctor::FitFacts| {
        let loss = |loss: Option<&f64>| loss.map_or(String::new(), |loss| format!("{loss:.3}"));
        vec![
            name.to_owned(),
            fit.losses.len().saturating_sub(1).to_string(),
            loss(fit.losses.first()),
            loss(fit.losses.last()),
            format!("{:.0} %", fit.score * 100.0),
        ]
    };
    let heads = ["optimizer", "updates", "first loss", "last loss", "right"].map(String::from).to_vec();
    let rows = [heads, row("the recipe's", &fits.own), row("Adam, 0.001", &fits.adam)];
    let align = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Right];
    let verdict = if fits.learned {
        "The recipe learns one batch by heart."
    } else {
        "The recipe does not learn one batch by heart: look for the cause before training on more."
    };
    format!("{}\n{verdict}\n", table(&rows, &align, "  "))
}

/// Numbers to stdout, as JSON if asked for, and where the picture is to stderr.
fn told(numbers: &impl Serialize, text: &str, drawn: &[PathBuf], voice: &Voice) -> Result<(), Failure> {
    if let Some(png) = drawn.iter().find(|path| path.extension().is_some_and(|ending| ending == "png")) {
        voice.status("picture", &png.display().to_string());
    }
    if voice.json { voice::print_json(numbers) } else { voice::print(text) }
}
