//! Tables of numbers and words as splits.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use luthier_data::{Cells, Grid, GridColumn, TableError, read_grid};
use luthier_plan::{
    ColumnStats, DataPlan, FeatureKind, FeaturePlan, PlanError, Repeats, Scaling, Skipped, SplitPlan,
    TablePlan, TargetPlan,
};
use luthier_recipe::{Data, Recipe, Task, did_you_mean};

use super::{balanced_note, divided};
use crate::TrainError;
use crate::rows::{encode, first_options, options};
use crate::texts::hex;

/// How many left-out rows a plan names; they are counted all.
const MOST_SKIPPED: usize = 100;

/// More different words than this in a column, and in more than half of the rows, are names, not kinds of things.
const MOST_WORDS: usize = 50;

pub(super) fn splits(recipe: &Recipe, base: &Path) -> Result<(DataPlan, TablePlan, Vec<String>), TrainError> {
    let data = &recipe.data;
    let path = base.join(data.source());
    let grid = read_grid(&path, &first_options(data, recipe.task)?)?;
    let root = data.source().to_string_lossy().into_owned();
    let mut notes = Vec::from_iter(notes_of(&root, &grid));
    let (classes, labels) = if recipe.task == Task::Regression {
        (Vec::new(), vec![0; grid.lines.len()])
    } else {
        classes(&grid, &path)?
    };
    let parts = divided(data, &labels, recipe.seed)?;
    notes.extend(balanced_note(data, labels.len(), &parts));
    let picked: Vec<usize> = parts.train.iter().map(|row| *row as usize).collect();
    let mut table = table_plan(recipe, &grid, &picked, &mut notes)?;
    let mut splits = vec![split_plan("train", &root, &grid, &labels, &parts.train, true)];
    for (name, file, part) in [("valid", &data.valid, parts.valid), ("test", &data.test, parts.test)] {
        let own = match file {
            None => None,
            Some(file) => {
                let own = read_grid(&base.join(file), &options(data, recipe.task, &table, true)?)?;
                let root = file.to_string_lossy().into_owned();
                notes.extend(notes_of(&root, &own));
                let labels = labels_like(&own, &base.join(file), &classes)?;
                Some((root, own, labels))
            }
        };
        let (root, from, labels, part) = match &own {
            Some((root, own, labels)) => (root, own, labels, (0..own.lines.len() as u32).collect()),
            None => (&root, &grid, &labels, part),
        };
        if !part.is_empty() {
            if name == "valid" {
                table.repeats = repeats(&grid, &picked, from, &part);
            }
            notes.extend(unknown_words(name, from, &table, &part));
            splits.push(split_plan(name, root, from, labels, &part, own.is_some()));
        }
    }
    Ok((DataPlan::new(classes, splits), table, notes))
}

/// Counts rows that are known already: a row is known by a hash of all its cells.
fn repeats(grid: &Grid, train: &[usize], from: &Grid, valid: &[u32]) -> Repeats {
    let mut seen = HashSet::with_capacity(train.len());
    let train_keys = keys(grid);
    let known = train.iter().filter(|row| !seen.insert(train_keys[**row])).count();
    let valid_keys = keys(from);
    let mut shared = valid.iter().map(|row| *row as usize).filter(|row| seen.contains(&valid_keys[*row]));
    let first = shared.next();
    Repeats {
        train: known as u64,
        valid: first.map_or(0, |_| 1 + shared.count() as u64),
        first: first.map_or(0, |row| from.lines[row]),
    }
}

/// A hash of each row's cells.
fn keys(grid: &Grid) -> Vec<u64> {
    let mut hashers = vec![DefaultHasher::new(); grid.lines.len()];
    for column in grid.features.iter().chain(&grid.targets) {
        for (row, hasher) in hashers.iter_mut().enumerate() {
            match &column.cells {
                Cells::Numbers(numbers) => numbers[row].to_bits().hash(hasher),
                Cells::Words { words, codes } => words[codes[row] as usize].hash(hasher),
            }
        }
    }
    hashers.into_iter().map(|hasher| hasher.finish()).collect()
}

/// Classes and the label of each row.
fn classes(grid: &Grid, path: &Path) -> Result<(Vec<String>, Vec<u32>), TrainError> {
    let Some(GridColumn { name, cells: Cells::Words { words, codes } }) = grid.targets.first() else {
        return Err(PlanError::at("data.target", "there is no column of classes").into());
    };
    if let [class] = words.as_slice() {
        return Err(TableError::OneClass { path: path.to_owned(), class: class.clone() }.into());
    }
    let rows = codes.len();
    if words.len() > MOST_WORDS.min(rows / 2) && words.len() * 2 > rows && rows > 9 {
        let what = format!(
            "the column `{name}` has {} different values in {rows} rows: they are no classes",
            words.len()
        );
        let numbers = words.iter().all(|word| word.parse::<f64>().is_ok());
        let help = if numbers {
            "to learn its numbers, set `task = \"regression\"`"
        } else {
            "point `target` to the column that holds the class of each row"
        };
        return Err(PlanError::at("data.target", what).help(help).into());
    }
    Ok((words.clone(), codes.clone()))
}

/// Labels among the classes of training.
fn labels_like(grid: &Grid, path: &Path, classes: &[String]) -> Result<Vec<u32>, TrainError> {
    let Some(Cells::Words { words, codes }) = grid.targets.first().map(|column| &column.cells) else {
        return Ok(vec![0; grid.lines.len()]);
    };
    let places: Vec<Option<usize>> =
        words.iter().map(|word| classes.iter().position(|class| class == word)).collect();
    let mut labels = Vec::with_capacity(codes.len());
    for (code, line) in codes.iter().zip(&grid.lines) {
        let Some(place) = places[*code as usize] else {
            let label = &words[*code as usize];
            let meant = did_you_mean(label, classes.iter().map(String::as_str));
            let meant = meant.map(|class| format!("did you mean `{class}`? ")).unwrap_or_default();
            let named: Vec<String> = classes.iter().take(20).map(|class| format!("`{class}`")).collect();
            return Err(TableError::UnknownLabel {
                path: path.to_owned(),
                line: *line,
                label: label.clone(),
                help: format!("{meant}the training classes are {}", named.join(", ")),
            }
            .into());
        };
        labels.push(place as u32);
    }
    Ok(labels)
}

/// What becomes of the columns, by what the training rows hold.
fn table_plan(
    recipe: &Recipe,
    grid: &Grid,
    picked: &[usize],
    notes: &mut Vec<String>,
) -> Result<TablePlan, TrainError> {
    let data = &recipe.data;
    let key = if data.features.is_some() { "data.features" } else { "data.target" };
    if grid.features.is_empty() {
        let what = "no column is left to learn from: the table has the target alone";
        return Err(PlanError::at(key, what).help("add columns to the table").into());
    }
    let mut table = TablePlan {
        features: Vec::with_capacity(grid.features.len()),
        class_column: (recipe.task != Task::Regression)
            .then(|| grid.targets.first().map(|t| t.name.clone()))
            .flatten(),
        targets: Vec::new(),
        header: grid.header,
        repeats: Repeats::default(),
    };
    for column in &grid.features {
        let kind = feature(column, data, picked, key, notes)?;
        table.features.push(FeaturePlan { name: column.name.clone(), kind });
    }
    for target in &grid.targets {
        if data.features.is_some() && grid.features.iter().any(|feature| feature.name == target.name) {
            notes.push(format!("the target `{}` is a feature, too: it tells itself", target.name));
        }
        let Cells::Numbers(numbers) = &target.cells else { continue };
        let stats = ColumnStats::of(picked.iter().map(|row| numbers[*row]));
        if stats.min == stats.max {
            let what = format!("the target `{}` is {} in every training row", target.name, stats.min);
            let help = "there is nothing to learn about it: name another column";
            return Err(PlanError::at("data.target", what).help(help).into());
        }
        let scale = Scaling::fit(data.scale_target, &stats);
        table.targets.push(TargetPlan { name: target.name.clone(), stats, scale });
    }
    Ok(table)
}

fn feature(
    column: &GridColumn,
    data: &Data,
    picked: &[usize],
    key: &str,
    notes: &mut Vec<String>,
) -> Result<FeatureKind, TrainError> {
    let name = &column.name;
    match &column.cells {
        Cells::Numbers(numbers) => {
            let stats = ColumnStats::of(picked.iter().map(|row| numbers[*row]));
            if stats.count > 0 && stats.min == stats.max {
                notes.push(format!("the column `{name}` is {} in every training row", stats.min));
            }
            if stats.non_finite > 0 {
                notes.push(format!(
                    "{} training rows have no finite number in the column `{name}` (`data.on_error` keeps them)",
                    stats.non_finite
                ));
            }
            Ok(FeatureKind::Numbers { stats, scale: Scaling::fit(data.scale, &stats) })
        }
        Cells::Words { words, codes } => {
            let mut counts = vec![0u64; words.len()];
            for row in picked {
                counts[codes[*row] as usize] += 1;
            }
            let (words, counts): (Vec<String>, Vec<u64>) =
                words.iter().cloned().zip(counts).filter(|(_, count)| *count > 0).unzip();
            if words.len() > MOST_WORDS && words.len() * 2 > picked.len() {
                let what = format!(
                    "the column `{name}` has {} different words in {} rows: one number for each would tell the rows by \
                     heart",
                    words.len(),
                    picked.len()
                );
                let help = "leave it out: `data.features` lists the columns that are used";
                return Err(PlanError::at(key, what).help(help).into());
            }
            Ok(FeatureKind::Words { words, counts })
        }
    }
}

/// Words that no training row has.
fn unknown_words(split: &str, grid: &Grid, table: &TablePlan, part: &[u32]) -> Vec<String> {
    let picked: Vec<usize> = part.iter().map(|row| *row as usize).collect();
    let (_, unknown) = encode(&grid.features, table, &picked);
    let told = table.features.iter().zip(unknown).filter(|(_, count)| *count > 0);
    told.map(|(feature, count)| {
        format!(
            "{count} of {} {split} rows have a word in the column `{}` that no training row has: the model sees none",
            picked.len(),
            feature.name
        )
    })
    .collect()
}

/// What reading a table met, in words.
fn notes_of(root: &str, grid: &Grid) -> Option<String> {
    (!grid.skipped.is_empty()).then(|| format!("{} rows of `{root}` are left out", grid.skipped.len()))
}

fn split_plan(name: &str, root: &str, grid: &Grid, labels: &[u32], part: &[u32], skipped: bool) -> SplitPlan {
    let sample = |row: &u32| (grid.lines[*row as usize].to_string(), labels[*row as usize]);
    let skip = |(line, why): &(u64, String)| Skipped { path: line.to_string(), why: why.clone() };
    SplitPlan {
        name: name.into(),
        root: root.into(),
        hash: Some(hex(grid.hash)),
        samples: part.iter().map(sample).collect(),
        skipped: if skipped {
            grid.skipped.iter().take(MOST_SKIPPED).map(skip).collect()
        } else {
            Vec::new()
        },
    }
}
