//! `luthier predict`: labels and probabilities for files and folders.

use std::path::{Path, PathBuf};

use luthier::args::PredictArgs;
use luthier::text::{Align, percent, table};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_train::Prediction;
use serde_json::json;

use super::{rows, texts};
use crate::opened;

pub fn run(args: &PredictArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let opened = opened::open(&args.run, &args.checkpoint, device, voice)?;
    let classes = &opened.runner.plan.data.classes;
    if opened.runner.plan.text.is_some() {
        return texts::run(&opened.runner, args, voice);
    }
    if let Some(table) = &opened.runner.plan.table {
        return rows::run(&opened.runner, table, args, voice);
    }
    if args.inputs.is_empty() || !args.text.is_empty() {
        return Err(Failure::misuse(
            "this run knows pictures, and none is named",
            "name pictures, or folders of pictures",
        ));
    }
    let files = files(&args.inputs)?;
    let predictions = opened.runner.predict(&files).or_subject()?;
    let unreadable = predictions.iter().filter(|prediction| prediction.result.is_err()).count();
    if voice.json {
        let rows: Vec<_> =
            predictions.iter().map(|prediction| as_json(prediction, classes, args.top)).collect();
        voice::print_json(&rows)?;
    } else {
        voice::print(&page(&predictions, classes, args.top, voice))?;
    }
    if unreadable == predictions.len() { Err(Failure::quiet(1)) } else { Ok(()) }
}

/// Pictures named, and pictures in folders named, in order.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for input in inputs {
        if input.is_dir() {
            let found = luthier_data::pictures_in(input).or_call()?;
            if found.is_empty() {
                voice_misuse(input, "holds no picture")?;
            }
            files.extend(found);
        } else if input.exists() {
            files.push(input.clone());
        } else {
            voice_misuse(input, "is not there")?;
        }
    }
    Ok(files)
}

fn voice_misuse(path: &Path, what: &str) -> Result<(), Failure> {
    Err(Failure::misuse(format!("`{}` {what}", path.display()), "name pictures, or folders of pictures"))
}

pub(super) fn ranked<'a>(probabilities: &[f32], classes: &'a [String], top: u16) -> Vec<(&'a str, f32)> {
    let mut ranked: Vec<(&str, f32)> =
        classes.iter().map(String::as_str).zip(probabilities.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(usize::from(top));
    ranked
}

fn as_json(prediction: &Prediction, classes: &[String], top: u16) -> serde_json::Value {
    let path = prediction.path.display().to_string();
    match &prediction.result {
        Ok(probabilities) => {
            let ranked = ranked(probabilities, classes, top);
            let list: Vec<_> =
                ranked.iter().map(|(class, p)| json!({"class": class, "probability": p})).collect();
            json!({"path": path, "class": ranked.first().map(|(class, _)| class), "classes": list})
        }
        Err(why) => json!({"path": path, "error": why}),
    }
}

fn page(predictions: &[Prediction], classes: &[String], top: u16, voice: &Voice) -> String {
    let mut rows = Vec::new();
    for prediction in predictions {
        let mut row = vec![prediction.path.display().to_string()];
        match &prediction.result {
            Ok(probabilities) => {
                for (class, probability) in ranked(probabilities, classes, top) {
                    row.push(class.into());
                    row.push(percent(f64::from(probability)));
                }
                rows.push(row);
            }
            Err(why) => voice.warn(&format!("`{}` is left out: {why}", row[0])),
        }
    }
    let mut align = vec![Align::Left];
    for _ in 0..classes.len().min(usize::from(top)) {
        align.extend([Align::Left, Align::Right]);
    }
    table(&rows, &align, "")
}
