//! A look at a folder of pictures before anything is trained on it. Every file is read and decoded in full.

mod files;
mod layout;
mod sheet;
mod text;

use std::{collections::BTreeMap, path::Path};

use serde::Serialize;

pub use layout::Layout;
pub use sheet::{SheetError, contact_sheet};

use crate::{folder::FolderError, picture::Limits};
use files::File;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScanReport {
    /// The folder
    pub path: String,
    /// How it is arranged
    pub layout: Layout,
    /// Class names over all splits, sorted
    pub classes: Vec<String>,
    /// Each split with its classes; one split named after nothing where the layout has none
    pub splits: Vec<SplitReport>,
    /// Pictures that can be decoded
    pub pictures: usize,
    /// Widths and heights of the pictures that can be decoded; none if there is none
    pub sizes: Option<Sizes>,
    /// How many pictures there are of each format and mode, such as `JPEG RGB`
    pub formats: BTreeMap<String, usize>,
    /// Files that are named as pictures and can't be decoded
    pub broken: Vec<Broken>,
    /// Groups of files with the same bytes
    pub duplicates: Vec<Duplicate>,
    /// Pictures that seem to stand for one that could not be had
    pub placeholders: Vec<String>,
}

/// The classes of one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitReport {
    /// Name of its folder; empty where the layout has no splits
    pub name: String,
    /// Pictures of each class that can be decoded, in class order
    pub classes: Vec<ClassReport>,
    /// The largest class over the smallest; none where a class is empty
    pub imbalance: Option<f64>,
}

/// One class of one split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassReport {
    /// Its name
    pub name: String,
    /// Pictures that can be decoded
    pub pictures: usize,
    /// Their paths below the folder, in loading order; for the contact sheet
    #[serde(skip)]
    pub(crate) paths: Vec<String>,
}

/// Quantiles of widths and heights, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Of the widths
    pub width: Quantiles,
    /// Of the heights
    pub height: Quantiles,
}

/// Smallest, 5 %, median, 95 %, largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Smallest
    pub min: u32,
    /// A twentieth is at most this
    pub p5: u32,
    /// Half is at most this
    pub median: u32,
    /// All but a twentieth is at most this
    pub p95: u32,
    /// Largest
    pub max: u32,
}

/// A file that can't be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Path below the folder
    pub path: String,
    /// Why
    pub reason: String,
}

/// Files with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// Paths below the folder
    pub paths: Vec<String>,
    /// They lie in more than one split: what is validated on was trained on
    pub across_splits: bool,
    /// They lie in more than one class: at most one label is right
    pub conflicting_labels: bool,
}

/// Reads every picture below a folder: one of classes, or one of splits (`train`, `val`, `test` …) of classes.
///
/// # Errors
/// A missing folder, one that can't be read, or one without class folders. Broken pictures are part of the report.
pub fn scan(path: &Path, limits: Limits) -> Result<ScanReport, FolderError> {
    let (layout, tree) = layout::find(path)?;
    let files = files::look_at(path, &tree, limits);
    let mut classes: Vec<String> =
        tree.iter().flat_map(|split| split.classes.iter().map(|c| c.name.clone())).collect();
    classes.sort();
    classes.dedup();
    let splits = tree.iter().enumerate().map(|(at, split)| split_report(at, split, &files)).collect();
    let readable = || files.iter().filter_map(|file| file.seen.as_ref().ok());
    let mut formats = BTreeMap::new();
    for seen in readable() {
        *formats.entry(format!("{} {}", seen.format, seen.mode)).or_insert(0) += 1;
    }
    let broken = files.iter().filter_map(|file| {
        let reason = file.seen.as_ref().err()?.to_string();
        Some(Broken { path: file.path.clone(), reason })
    });
    let placeholders = files.iter().filter(|f| f.seen.as_ref().is_ok_and(|s| s.placeholder));
    Ok(ScanReport {
        path: path.display().to_string(),
        layout,
        classes,
        splits,
        pictures: readable().count(),
        sizes: quantiles(readable().map(|s| s.width))
            .zip(quantiles(readable().map(|s| s.height)))
            .map(|(width, height)| Sizes { width, height }),
        formats,
        broken: broken.collect(),
        duplicates: duplicates(&files),
        placeholders: placeholders.map(|f| f.path.clone()).collect(),
    })
}

fn split_report(at: usize, split: &layout::Split, files: &[File]) -> SplitReport {
    let classes: Vec<ClassReport> = (0..split.classes.len())
        .map(|class| {
            let mine = files.iter().filter(|f| (f.split, f.class) == (at, class) && f.seen.is_ok());
            let paths: Vec<String> = mine.map(|f| f.path.clone()).collect();
            ClassReport { name: split.classes[class].name.clone(), pictures: paths.len(), paths }
        })
        .collect();
    let counts = || classes.iter().map(|c| c.pictures);
    let imbalance = match (counts().max(), counts().min()) {
        (Some(most), Some(fewest)) if fewest > 0 => Some(most as f64 / fewest as f64),
        _ => None,
    };
    SplitReport { name: split.name.clone(), classes, imbalance }
}

fn duplicates(files: &[File]) -> Vec<Duplicate> {
    let mut same: BTreeMap<u128, Vec<&File>> = BTreeMap::new();
    for file in files {
        // empty files are all alike, and reported as broken
        if let Some(hash) = file.hash {
            same.entry(hash).or_default().push(file);
        }
    }
    let mut groups: Vec<Duplicate> = same
        .into_values()
        .filter(|group| group.len() > 1)
        .map(|group| Duplicate {
            across_splits: group.iter().any(|f| f.split != group[0].split),
            conflicting_labels: group.iter().any(|f| f.class_name != group[0].class_name),
            paths: group.iter().map(|f| f.path.clone()).collect(),
        })
        .collect();
    groups.sort_by(|a, b| a.paths.cmp(&b.paths));
    groups
}

fn quantiles(values: impl Iterator<Item = u32>) -> Option<Quantiles> {
    let mut values: Vec<u32> = values.collect();
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| values[(share * last as f64).round() as usize];
    Some(Quantiles { min: at(0.0), p5: at(0.05), median: at(0.5), p95: at(0.95), max: at(1.0) })
}
