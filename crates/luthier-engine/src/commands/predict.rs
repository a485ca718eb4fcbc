//! `luthier predict`: labels and probabilities for files and folders.

use std::path::{Path, PathBuf};

use luthier::args::PredictArgs;
use luthier::text::{Align, percent, table};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_train::{KnownHead, Prediction};
use serde_json::{Value, json};

use super::{rows, texts};
use crate::opened;

pub fn run(args: &PredictArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let opened = opened::open(&args.run, &args.checkpoint, device, voice)?;
    let heads = opened.runner.known_heads();
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
            predictions.iter().map(|prediction| as_json(prediction, &heads, args.top)).collect();
        voice::print_json(&rows)?;
    } else {
        voice::print(&page(&predictions, &heads, args.top, voice))?;
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

/// A head's answer: its first class, and as many with their probabilities as were asked for.
fn answer(probabilities: &[f32], classes: &[String], top: u16) -> Value {
    let ranked = ranked(probabilities, classes, top);
    let list: Vec<_> = ranked.iter().map(|(class, p)| json!({"class": class, "probability": p})).collect();
    json!({"class": ranked.first().map(|(class, _)| class), "classes": list})
}

fn as_json(prediction: &Prediction, heads: &[KnownHead], top: u16) -> Value {
    let path = prediction.path.display().to_string();
    let told = match &prediction.result {
        Ok(told) => told,
        Err(why) => return json!({"path": path, "error": why}),
    };
    if let ([head], [only]) = (heads, told.as_slice())
        && head.name.is_empty()
    {
        let mut whole = answer(only, &head.classes, top);
        whole["path"] = path.into();
        return whole;
    }
    let each = heads.iter().zip(told);
    let each: serde_json::Map<String, Value> = each
        .map(|(head, probabilities)| (head.name.clone(), answer(probabilities, &head.classes, top)))
        .collect();
    json!({"path": path, "heads": each})
}

/// One line a picture; of several heads, the first class of each.
fn page(predictions: &[Prediction], heads: &[KnownHead], top: u16, voice: &Voice) -> String {
    let several = heads.len() > 1;
    let shown = if several { 1 } else { top };
    let mut rows = Vec::new();
    if several {
        let names = heads.iter().flat_map(|head| [head.name.clone(), String::new()]);
        rows.push(std::iter::once(String::new()).chain(names).collect());
    }
    for prediction in predictions {
        let mut row = vec![prediction.path.display().to_string()];
        match &prediction.result {
            Ok(told) => {
                for (head, probabilities) in heads.iter().zip(told) {
                    for (class, probability) in ranked(probabilities, &head.classes, shown) {
                        row.push(class.into());
                        row.push(percent(f64::from(probability)));
                    }
                }
                rows.push(row);
            }
            Err(why) => voice.warn(&format!("`{}` is left out: {why}", row[0])),
        }
    }
    let mut align = vec![Align::Left];
    for head in heads {
        for _ in 0..head.classes.len().min(usize::from(shown)) {
            align.extend([Align::Left, Align::Right]);
        }
    }
    table(&rows, &align, "")
}
