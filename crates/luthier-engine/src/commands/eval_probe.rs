//! `luthier eval --probe`: what the features before the head are worth, by a classifier or by their neighbours.

use luthier::args::FeatureProbe;
use luthier::text::{count, percent};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_contrast::{ContrastError, Knn, LinearProbe, knn_accuracy, linear_probe, normalize};
use luthier_train::Embedded;
use serde_json::json;

use crate::opened::Opened;

pub fn told(opened: &Opened, split: &str, probe: FeatureProbe, voice: &Voice) -> Result<(), Failure> {
    let plan = &opened.runner.plan;
    if plan.table.is_some() || plan.text.is_some() || plan.data.classes.is_empty() {
        return Err(Failure::misuse(
            "the run's samples are no pictures of one class each",
            "`--probe` judges classifiers of pictures; leave it out",
        ));
    }
    if split == "train" && probe == FeatureProbe::Knn {
        return Err(Failure::misuse(
            "every training sample would be its own nearest neighbour",
            "ask `--probe knn` of `valid` or `test`",
        ));
    }
    let embed = |split: &str| -> Result<Embedded, Failure> {
        let embedded = opened.runner.embed(split).or_subject()?;
        for (path, why) in &embedded.skipped {
            voice.warn(&format!("`{path}` is left out: {why}"));
        }
        Ok(embedded)
    };
    let bank = embed("train")?;
    let asked = if split == "train" { None } else { Some(embed(split)?) };
    let asked = asked.as_ref().unwrap_or(&bank);
    let classes = plan.data.classes.len() as i64;
    let (name, accuracy) = match probe {
        FeatureProbe::Linear => ("linear", linear(&bank, asked, classes).or_subject()?),
        FeatureProbe::Knn => ("knn", neighbours(&bank, asked, classes).or_subject()?),
    };
    let (fitted, samples) = (bank.labels.size()[0] as u64, asked.labels.size()[0] as u64);
    if voice.json {
        return voice::print_json(&json!({
            "checkpoint": opened.checkpoint,
            "split": split,
            "probe": name,
            "accuracy": accuracy,
            "count": samples,
            "train": fitted,
            "width": bank.features.size()[1],
        }));
    }
    voice::print(&format!(
        "{split} of {}, {}\n\n  {name} probe  {}   on {} features of {}\n",
        opened.checkpoint,
        count(samples, "sample", "samples"),
        percent(accuracy),
        bank.features.size()[1],
        count(fitted, "training sample", "training samples"),
    ))
}

fn linear(bank: &Embedded, asked: &Embedded, classes: i64) -> Result<f64, ContrastError> {
    let probe = linear_probe(&bank.features, &bank.labels, classes, LinearProbe::default())?;
    probe.accuracy(&asked.features, &asked.labels)
}

fn neighbours(bank: &Embedded, asked: &Embedded, classes: i64) -> Result<f64, ContrastError> {
    let (rows, queries) = (normalize(&bank.features)?, normalize(&asked.features)?);
    knn_accuracy(&queries, &asked.labels, &rows, &bank.labels, classes, Knn::default())
}
