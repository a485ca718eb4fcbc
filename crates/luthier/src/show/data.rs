use luthier_plan::{Plan, SplitPlan};
use luthier_recipe::Transform;

use super::{Page, words};
use crate::text::{self, Align};

/// With more classes than this, the smallest and the largest few stand for all.
const MOST_CLASSES: usize = 14;
/// How many of the smallest, and of the largest, classes then stand for all.
const FEW_CLASSES: usize = 4;
/// How many skipped files of a split are named.
const MOST_SKIPPED: usize = 5;
/// Columns of the longest bar.
const BAR: usize = 20;

/// Splits, and the classes with their counts.
pub fn samples(page: &mut Page, plan: &Plan) {
    let data = &plan.data;
    let about = if data.classes.is_empty() {
        "rows".to_owned()
    } else {
        text::count(data.classes.len() as u64, "class", "classes")
    };
    page.section("Data", &about);
    let counts: Vec<Vec<u64>> = data.splits.iter().map(|split| count(split, data.classes.len())).collect();

    let mut rows = vec![vec![page.dim(if data.classes.is_empty() { "" } else { "class" })]];
    rows[0].extend(data.splits.iter().map(|split| page.dim(&split.name)));
    let first: &[u64] = counts.first().map_or(&[], Vec::as_slice);
    let most = first.iter().copied().max().unwrap_or(0).max(1);
    for class in shown(first) {
        let Some(class) = class else {
            rows.push(vec![page.dim(page.look.sign("…", "..."))]);
            continue;
        };
        let mut row = vec![data.classes.get(class).cloned().unwrap_or_default()];
        row.extend(counts.iter().map(|counts| text::grouped(counts.get(class).copied().unwrap_or(0))));
        row.push(page.dim(&bar(first.get(class).copied().unwrap_or(0), most, page.look.sign("▪", "#"))));
        rows.push(row);
    }
    let mut total = vec![page.dim("all")];
    total.extend(data.splits.iter().map(|split| text::grouped(split.samples.len() as u64)));
    rows.push(total);
    let mut align = vec![Align::Left];
    align.extend(data.splits.iter().map(|_| Align::Right));
    align.push(Align::Left);
    page.table(&rows, &align);

    for split in &data.splits {
        page.quiet(&format!("{} from `{}`", split.name, split.root));
    }
    for split in data.splits.iter().filter(|split| !split.skipped.is_empty()) {
        skipped(page, split);
    }
}

fn skipped(page: &mut Page, split: &SplitPlan) {
    let (one, many) = if split.hash.is_some() { ("row", "rows") } else { ("file", "files") };
    let number = text::count(split.skipped.len() as u64, one, many);
    page.line(&format!("{}: {number} left out", split.name));
    for file in split.skipped.iter().take(MOST_SKIPPED) {
        let place =
            if split.hash.is_some() { format!("{}:{}", split.root, file.path) } else { file.path.clone() };
        page.wrapped("  ", &format!("`{place}`: {}", file.why));
    }
    if let Some(more) = split.skipped.len().checked_sub(MOST_SKIPPED).filter(|more| *more > 0) {
        page.line(&format!("  and {more} more"));
    }
}

fn count(split: &SplitPlan, classes: usize) -> Vec<u64> {
    let mut counts = vec![0; classes];
    for label in split.samples.labels() {
        if let Some(count) = counts.get_mut(*label as usize) {
            *count += 1;
        }
    }
    counts
}

/// Class indices to show, in label order; `None` where some are left out.
fn shown(counts: &[u64]) -> Vec<Option<usize>> {
    if counts.len() <= MOST_CLASSES {
        return (0..counts.len()).map(Some).collect();
    }
    let mut by_count: Vec<usize> = (0..counts.len()).collect();
    by_count.sort_by_key(|class| std::cmp::Reverse(counts.get(*class).copied().unwrap_or(0)));
    let few = by_count.iter().take(FEW_CLASSES).copied().map(Some);
    let last = by_count.iter().skip(counts.len() - FEW_CLASSES).copied().map(Some);
    few.chain([None]).chain(last).collect()
}

fn bar(count: u64, most: u64, sign: &str) -> String {
    sign.repeat((count as f64 / most as f64 * BAR as f64).round() as usize)
}

/// The two transform chains.
pub fn transforms(page: &mut Page, plan: &Plan) {
    page.section("Transforms", "");
    let data = &plan.recipe.data;
    chain(page, "train", data.train_transform());
    chain(page, "eval ", data.eval_transform());
}

fn chain(page: &mut Page, name: &str, chain: &[Transform]) {
    let arrow = page.look.sign("→", "->");
    let first = format!("{}  ", page.dim(name));
    if chain.is_empty() {
        page.line(&format!("{first}none: floats in [0, 1]"));
    }
    for (at, step) in chain.iter().enumerate() {
        let (op, arguments) = words::call(step, "op");
        let start = if at == 0 { first.clone() } else { format!("{:>5}  ", arrow) };
        page.line(&format!("{start}{op}  {}", page.dim(&arguments)));
    }
}
