use luthier_data::scan::{Duplicate, Quantiles, ScanReport};

use super::Page;
use crate::{
    text::{self, Align},
    voice::{BOLD, GREEN, Look, RED, YELLOW},
};

/// How many files or groups of a kind are named; `-v` names all.
const MOST: usize = 5;

/// A data set on a page: classes, sizes, and what is wrong with it.
pub fn scan_text(report: &ScanReport, look: &Look, verbose: u8) -> String {
    let mut page = Page { text: String::new(), look: *look };
    let most = if verbose > 0 { usize::MAX } else { MOST };
    let pictures = text::count(report.pictures as u64, "picture", "pictures");
    let classes = text::count(report.classes.len() as u64, "class", "classes");
    page.text.push_str(&format!(
        "{}  {}\n",
        look.paint(BOLD, &report.path),
        page.dim(&format!("{pictures}, {classes}"))
    ));
    counts(&mut page, report);
    sizes(&mut page, report);
    broken(&mut page, report, most);
    placeholders(&mut page, report, most);
    duplicates(&mut page, report, most);
    if report.broken.is_empty() && report.placeholders.is_empty() && report.duplicates.is_empty() {
        page.text
            .push_str(&format!("\n{}\n", look.paint(GREEN, "no broken file, no placeholder, no duplicate")));
    }
    page.text
}

fn counts(page: &mut Page, report: &ScanReport) {
    page.section("Classes", "");
    let mut titles = vec![page.dim("class")];
    titles.extend(
        report
            .splits
            .iter()
            .map(|split| page.dim(if split.name.is_empty() { "pictures" } else { &split.name })),
    );
    let mut rows = vec![titles];
    for class in &report.classes {
        let mut row = vec![class.clone()];
        row.extend(report.splits.iter().map(|split| {
            let found = split.classes.iter().find(|found| found.name == *class);
            match found.map(|found| found.pictures) {
                Some(0) => page.look.paint(RED, "empty"),
                Some(pictures) => text::grouped(pictures as u64),
                None => page.look.paint(RED, "missing"),
            }
        }));
        rows.push(row);
    }
    let mut total = vec![page.dim("all")];
    let sum =
        |classes: &[luthier_data::scan::ClassReport]| classes.iter().map(|class| class.pictures as u64).sum();
    total.extend(report.splits.iter().map(|split| text::grouped(sum(&split.classes))));
    rows.push(total);
    let mut align = vec![Align::Left];
    align.extend(report.splits.iter().map(|_| Align::Right));
    page.table(&rows, &align);
    for split in &report.splits {
        if let Some(imbalance) = split.imbalance.filter(|imbalance| *imbalance >= 2.0) {
            let name = if split.name.is_empty() { String::new() } else { format!("{}: ", split.name) };
            page.line(&format!(
                "{name}the largest class has {} times as many as the smallest",
                text::number(imbalance)
            ));
        }
    }
}

fn sizes(page: &mut Page, report: &ScanReport) {
    let Some(sizes) = report.sizes else { return };
    let formats: Vec<String> = report
        .formats
        .iter()
        .map(|(format, count)| format!("{} {format}", text::grouped(*count as u64)))
        .collect();
    page.section("Sizes", &page.dim(&formats.join(", ")));
    let titles = ["pixels", "smallest", "5 %", "median", "95 %", "largest"];
    let mut rows = vec![titles.map(|title| page.dim(title)).to_vec()];
    let row = |name: &str, Quantiles { min, p5, median, p95, max }: Quantiles| {
        let mut row = vec![page.dim(name)];
        row.extend([min, p5, median, p95, max].map(|pixels| pixels.to_string()));
        row
    };
    rows.push(row("width", sizes.width));
    rows.push(row("height", sizes.height));
    let mut align = vec![Align::Right; titles.len()];
    align[0] = Align::Left;
    page.table(&rows, &align);
}

fn broken(page: &mut Page, report: &ScanReport, most: usize) {
    if report.broken.is_empty() {
        return;
    }
    let title = text::count(report.broken.len() as u64, "broken file", "broken files");
    page.section(&title, "");
    for file in report.broken.iter().take(most) {
        page.wrapped("", &format!("`{}`: {}", file.path, file.reason));
    }
    more(page, report.broken.len(), most);
}

fn placeholders(page: &mut Page, report: &ScanReport, most: usize) {
    if report.placeholders.is_empty() {
        return;
    }
    let title = text::count(report.placeholders.len() as u64, "placeholder", "placeholders");
    page.section(&title, &page.dim("pictures that seem to stand for one that could not be had"));
    for path in report.placeholders.iter().take(most) {
        page.line(&format!("`{path}`"));
    }
    more(page, report.placeholders.len(), most);
}

fn duplicates(page: &mut Page, report: &ScanReport, most: usize) {
    if report.duplicates.is_empty() {
        return;
    }
    let title = text::count(report.duplicates.len() as u64, "group of duplicates", "groups of duplicates");
    page.section(&title, &page.dim("files with the same bytes"));
    // those that spoil a measurement first
    let mut groups: Vec<&Duplicate> = report.duplicates.iter().collect();
    groups.sort_by_key(|group| (!group.across_splits, !group.conflicting_labels));
    for group in groups.iter().take(most) {
        let paths: Vec<String> = group.paths.iter().map(|path| format!("`{path}`")).collect();
        page.wrapped("", &paths.join(", "));
        if group.across_splits {
            page.line(&page.look.paint(RED, "  in more than one split: what is validated on was trained on"));
        }
        if group.conflicting_labels {
            page.line(&page.look.paint(YELLOW, "  in more than one class: at most one label is right"));
        }
    }
    more(page, groups.len(), most);
}

fn more(page: &mut Page, all: usize, most: usize) {
    if let Some(more) = all.checked_sub(most).filter(|more| *more > 0) {
        page.quiet(&format!("and {more} more; `-v` names all"));
    }
}
