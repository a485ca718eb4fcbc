//! Samples and transforms.

use super::Tell;
use crate::{Column, Data, DataFormat, OnError, Recipe, Scale, Split, Task, Transform};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let data = &recipe.data;
    samples(data, tell);
    match (recipe.task, data.format) {
        (
            Task::ImageClassification | Task::MultiTask | Task::Contrastive,
            DataFormat::ImageFolder | DataFormat::Scenes,
        ) => pictures(data, tell),
        (Task::TextClassification, DataFormat::ImageFolder | DataFormat::Scenes) => tell(
            &["data.format", "task"],
            "texts are not in an image folder".to_string(),
            "`data.format` is one of `tsv`, `csv`, `jsonl`, `parquet` for `text-classification`",
        ),
        (Task::ImageClassification | Task::MultiTask | Task::Contrastive, _) => tell(
            &["data.format", "task"],
            "pictures are not read from a table".to_string(),
            "pictures are in an `image-folder` or `scenes`; for a table of texts the task is `text-classification`",
        ),
        (Task::TextClassification, _) => texts(data, tell),
        (Task::Classification | Task::Regression, DataFormat::ImageFolder | DataFormat::Scenes) => tell(
            &["data.format", "task"],
            "rows are not in an image folder".to_string(),
            "`data.format` is one of `tsv`, `csv`, `jsonl`, `parquet` for a table; for pictures the task is \
             `image-classification`",
        ),
        (Task::Classification | Task::Regression, _) => super::rows::check(recipe, tell),
    }
    if data.attributes.is_some() && recipe.task != Task::MultiTask {
        let help = "leave it out, or write `task = \"multi-task\"` and `model.heads`";
        tell(&["data.attributes", "task"], "attributes are labels of several heads".to_string(), help);
    }
    if !recipe.task.reads_rows() {
        let given = [
            ("data.target", data.target.is_some()),
            ("data.features", data.features.is_some()),
            ("data.scale", data.scale != Scale::None),
            ("data.scale_target", data.scale_target != Scale::None),
            ("data.on_error", data.on_error == OnError::Keep),
        ];
        for (key, _) in given.iter().filter(|(_, given)| *given) {
            tell(
                &[key, "task"],
                format!("`{key}` is for tables of numbers and words"),
                "leave it out, or set `task = \"classification\"` or `\"regression\"`",
            );
        }
    }
}

/// Where the samples are and how they are divided.
fn samples(data: &Data, tell: &mut Tell<'_>) {
    match (&data.train, &data.path) {
        (None, None) => tell(
            &["data.train", "data"],
            "`data.train` is missing".to_string(),
            "add `train` (the training samples), or `path` (all samples, which `split` divides)",
        ),
        (Some(_), Some(_)) => tell(
            &["data.path", "data.train"],
            "`data.train` and `data.path` are both given".to_string(),
            "give `train` (the training samples) or `path` (all samples, which `split` divides), not both",
        ),
        (None, Some(_)) if data.split.is_none() => tell(
            &["data.path"],
            "`data.path` is not divided".to_string(),
            "add `split`, such as `split = { valid = 0.1, test = 0.2 }`, or call it `train`",
        ),
        _ => {}
    }
    if data.valid.is_some() && data.split.is_some() {
        tell(
            &["data.split", "data.valid"],
            "`data.valid` and `data.split` are both given".to_string(),
            "give `valid` (samples of their own) or `split` (a share of the others), not both",
        );
    }
    if let Some(split) = &data.split {
        shares(data, split, tell);
        fold(split, tell);
    }
}

fn shares(data: &Data, split: &Split, tell: &mut Tell<'_>) {
    if data.test.is_some() && split.test > 0.0 {
        tell(
            &["data.split.test", "data.test"],
            "`data.test` and `data.split.test` are both given".to_string(),
            "give `test` (samples of their own) or a share in `split`, not both",
        );
    }
    let held_out = split.valid + split.test;
    match split.train {
        Some(train) if (train + held_out - 1.0).abs() > 1e-9 => {
            let sum = (train + held_out) * 100.0;
            let help = format!("leave `train` out, or write `train = {}`", rounded(1.0 - held_out));
            tell(&["data.split"], format!("the shares of `data.split` add up to {} %", rounded(sum)), &help);
        }
        None if held_out >= 1.0 => tell(
            &["data.split"],
            "`data.split` leaves nothing to train on".to_string(),
            "`valid` and `test` together must be less than 1",
        ),
        _ => {}
    }
    if split.fold > 0 && (split.test > 0.0 || !split.stratified) {
        tell(
            &["data.split.fold"],
            "`data.split.fold` goes with a stratified split into training and validation alone".to_string(),
            "for cross-validation leave `test` and `stratified` out; a test set of its own is `data.test`",
        );
    }
}

/// As people write shares: 0.30000000000000004 is 0.3.
fn rounded(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

fn pictures(data: &Data, tell: &mut Tell<'_>) {
    let given = [
        ("data.columns", data.columns.is_some()),
        ("data.header", data.header.is_some()),
        ("data.tokenizer", data.tokenizer.is_some()),
        ("data.pad_token", data.pad_token.is_some()),
        ("data.length_buckets", data.length_buckets),
    ];
    out_of_place(&given, "a folder of pictures", tell);
    match &data.transform {
        None => tell(
            &["data.transform", "data"],
            "`data.transform` is missing".to_string(),
            "add a table `[data.transform]` with `train` and `eval`: what is done to each picture",
        ),
        Some(transform) => {
            chain(&transform.train, "data.transform.train", tell);
            chain(&transform.eval, "data.transform.eval", tell);
        }
    }
}

fn texts(data: &Data, tell: &mut Tell<'_>) {
    let given = [("data.transform", data.transform.is_some()), ("data.exclude", !data.exclude.is_empty())];
    out_of_place(&given, "a table of texts", tell);
    match &data.columns {
        None => tell(
            &["data.columns", "data"],
            "`data.columns` is missing".to_string(),
            "add `columns = { label = 0, text = 1 }`, with names or numbers",
        ),
        Some(columns) if columns.label == columns.text => tell(
            &["data.columns.text"],
            "`data.columns` takes label and text from the same column".to_string(),
            "columns are named, or counted from 0",
        ),
        Some(columns) if data.format == DataFormat::Jsonl => {
            for (key, column) in [("label", &columns.label), ("text", &columns.text)] {
                if let Column::Index(index) = column {
                    tell(
                        &[&format!("data.columns.{key}")],
                        format!("`data.columns.{key}` is {index}, and the values of a JSON line have names"),
                        "write the name, such as `columns = { label = \"label\", text = \"text\" }`",
                    );
                }
            }
        }
        Some(_) => {}
    }
}

pub(super) fn out_of_place(given: &[(&str, bool)], what: &str, tell: &mut Tell<'_>) {
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        tell(&[key], format!("`{key}` does not go with {what}"), "leave it out, or set `data.format`");
    }
}

fn fold(split: &Split, tell: &mut Tell<'_>) {
    let parts = (1.0 / split.valid).round();
    // a float cast saturates, and no fold number reaches that far
    if split.valid > 0.0 && split.valid < 1.0 && split.fold >= parts as u64 {
        tell(
            &["data.split.fold", "data.split.valid"],
            format!("there is no fold {}: `valid = {}` makes {parts} parts", split.fold, split.valid),
            &format!("folds are numbered from 0 to {}", parts - 1.0),
        );
    }
}

fn chain(chain: &[Transform], path: &str, tell: &mut Tell<'_>) {
    for (index, step) in chain.iter().enumerate() {
        let key = format!("{path}[{index}]");
        transform(step, &key, tell);
        if matches!(step, Transform::Normalize { .. }) && index + 1 < chain.len() {
            tell(
                &[&key],
                format!("`Normalize` must be the last step of `{path}`"),
                "the other transforms work on 8-bit pictures: move it to the end of the list",
            );
        }
    }
}

fn transform(step: &Transform, key: &str, tell: &mut Tell<'_>) {
    let ordered = |name: &str, [low, high]: [f64; 2], tell: &mut Tell<'_>| {
        if low > high {
            tell(
                &[&format!("{key}.{name}")],
                format!("`{key}.{name}` goes from {low} down to {high}"),
                "the smaller number comes first",
            );
        }
    };
    match step {
        Transform::RandomResizedCrop { scale, ratio, .. } => {
            ordered("scale", *scale, tell);
            ordered("ratio", *ratio, tell);
        }
        Transform::GaussianBlur { kernel_size, sigma, .. } => {
            if kernel_size % 2 == 0 {
                tell(
                    &[&format!("{key}.kernel_size")],
                    format!("`{key}.kernel_size` must be odd, found {kernel_size}"),
                    &format!("a blur needs a middle pixel: {} would do", kernel_size + 1),
                );
            }
            ordered("sigma", *sigma, tell);
        }
        // a double above 0 may be 0 as a 32-bit float
        Transform::Normalize { std, .. } if std.contains(&0.0) => {
            tell(&[&format!("{key}.std")], format!("`{key}.std` is zero"), "pictures are divided by it");
        }
        _ => {}
    }
}
