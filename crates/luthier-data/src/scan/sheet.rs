//! The contact sheet: with two classes the first eight of one and the last eight of the other, as tutorials show
//! them; with more, a row per class.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage, imageops};
use miette::Diagnostic;
use rayon::prelude::*;
use thiserror::Error;

use super::{ClassReport, ScanReport, text};
use crate::{
    picture::{self, Limits, Picture},
    transforms::{Scratch, Step},
};

const COLUMNS: usize = 8;
const MOST_ROWS: usize = 8;
/// Side of the square a picture is fitted into, and the spaces around it.
const CELL: u32 = 160;
const GAP: u32 = 8;
const TITLE: u32 = 24;
const CAPTION: u32 = 28;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([30, 30, 30]);
const PALE: Rgb<u8> = Rgb([120, 120, 120]);
const FRAME: Rgb<u8> = Rgb([240, 240, 240]);

/// Why a contact sheet can't be written.
#[derive(Debug, Error, Diagnostic)]
pub enum SheetError {
    /// There is nothing to show
    #[error("there is no readable picture to show")]
    Nothing,
    /// The file can't be written
    #[error("can't write the contact sheet `{}`: {reason}", .path.display())]
    #[diagnostic(help("check that the folder exists and that you may write into it"))]
    Write {
        /// The file
        path: PathBuf,
        /// What the system says
        reason: String,
    },
}

struct Row {
    title: String,
    paths: Vec<String>,
}

/// Writes a PNG of the first split's pictures.
///
/// # Errors
/// No readable picture, or a path that can't be written.
pub fn contact_sheet(report: &ScanReport, out: &Path, limits: Limits) -> Result<(), SheetError> {
    let rows = rows(report);
    if rows.is_empty() {
        return Err(SheetError::Nothing);
    }
    let row_height = TITLE + CELL + CAPTION;
    let width = GAP + COLUMNS as u32 * (CELL + GAP);
    let mut sheet = RgbImage::from_pixel(width, GAP + rows.len() as u32 * row_height, PAPER);
    let root = Path::new(&report.path);
    for (at, row) in rows.iter().enumerate() {
        let top = GAP + at as u32 * row_height;
        text::line(&mut sheet, &row.title, (GAP, top + 8), width - 2 * GAP, INK);
        let cells: Vec<Option<(Picture, (u32, u32))>> =
            row.paths.par_iter().map(|path| thumbnail(&root.join(path), limits)).collect();
        for (column, (path, cell)) in row.paths.iter().zip(cells).enumerate() {
            let corner = (GAP + column as u32 * (CELL + GAP), top + TITLE);
            place(&mut sheet, path, cell, corner);
        }
    }
    // written beside and then renamed: a full disk leaves no half picture
    let write = |reason: String| SheetError::Write { path: out.to_owned(), reason };
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let part =
        tempfile::Builder::new().suffix(".png").tempfile_in(folder).map_err(|e| write(e.to_string()))?;
    sheet.save_with_format(part.path(), image::ImageFormat::Png).map_err(|e| write(e.to_string()))?;
    part.persist(out).map_err(|e| write(e.error.to_string()))?;
    Ok(())
}

fn rows(report: &ScanReport) -> Vec<Row> {
    let Some(split) = report.splits.first() else { return Vec::new() };
    let shown: Vec<&ClassReport> = split.classes.iter().filter(|c| c.pictures > 0).collect();
    match shown.as_slice() {
        [] => Vec::new(),
        [only] => vec![ends(only, COLUMNS / 2)],
        [first, last] => vec![
            Row {
                title: format!("{}: first {} of {}", first.name, first.pictures.min(COLUMNS), first.pictures),
                paths: first.paths.iter().take(COLUMNS).cloned().collect(),
            },
            Row {
                title: format!("{}: last {} of {}", last.name, last.pictures.min(COLUMNS), last.pictures),
                paths: last.paths.iter().rev().take(COLUMNS).cloned().collect(),
            },
        ],
        many => many.iter().take(MOST_ROWS).map(|class| ends(class, COLUMNS / 2)).collect(),
    }
}

/// The first and the last few of a class; all where there are no more.
fn ends(class: &ClassReport, each: usize) -> Row {
    let tail = class.paths.len().saturating_sub(each).max(each.min(class.paths.len()));
    let paths: Vec<String> = class.paths.iter().take(each).chain(&class.paths[tail..]).cloned().collect();
    let title = if paths.len() == class.pictures {
        format!("{}: all {}", class.name, class.pictures)
    } else {
        format!("{}: first {each} and last {each} of {}", class.name, class.pictures)
    };
    Row { title, paths }
}

/// A picture fitted into a cell, and its real width and height.
fn thumbnail(file: &Path, limits: Limits) -> Option<(Picture, (u32, u32))> {
    let picture = picture::decode_file(file, limits).ok()?;
    let size = (picture.width, picture.height);
    let longer = f64::from(size.0.max(size.1));
    let fit = |side: u32| ((f64::from(side) * f64::from(CELL) / longer).round() as u32).max(1);
    let small = Scratch::default().run(&picture, &[Step::Resize([fit(size.1), fit(size.0)])]);
    Some((small, size))
}

fn place(sheet: &mut RgbImage, path: &str, cell: Option<(Picture, (u32, u32))>, (x, y): (u32, u32)) {
    for dy in 0..CELL {
        for dx in 0..CELL {
            sheet.put_pixel(x + dx, y + dy, FRAME);
        }
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    text::line(sheet, name, (x, y + CELL + 4), CELL, PALE);
    let Some((small, (width, height))) = cell else { return };
    text::line(sheet, &format!("{width} x {height}"), (x, y + CELL + 14), CELL, PALE);
    let (left, top) = ((CELL - small.width) / 2, (CELL - small.height) / 2);
    if let Some(small) = RgbImage::from_raw(small.width, small.height, small.rgb) {
        imageops::replace(sheet, &small, i64::from(x + left), i64::from(y + top));
    }
}
