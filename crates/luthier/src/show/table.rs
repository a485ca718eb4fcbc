use luthier_plan::{ColumnStats, FeatureKind, Plan, Scaling, TablePlan};
use luthier_recipe::Scale;

use super::Page;
use crate::text::{self, Align};

/// With more columns than this, the first few stand for all.
const MOST_COLUMNS: usize = 20;
/// Columns of a list of words.
const WORDS: usize = 40;

/// Features and targets: what the training rows hold, and what the model sees of it.
pub fn columns(page: &mut Page, plan: &Plan, table: &TablePlan) {
    let about = format!(
        "{}, {} for the model",
        text::count(table.features.len() as u64, "feature column", "feature columns"),
        text::count(table.width(), "number", "numbers"),
    );
    page.section("Columns", &about);
    let titles = ["column", "from", "to", "mean", "std", "the model sees"];
    let mut rows = vec![titles.map(|title| page.dim(title)).to_vec()];
    let data = &plan.recipe.data;
    for feature in table.features.iter().take(MOST_COLUMNS) {
        rows.push(match &feature.kind {
            FeatureKind::Numbers { stats, scale } => numbers(&feature.name, stats, scale, data.scale),
            FeatureKind::Words { words, .. } => {
                let list = text::shorten(&words.join(", "), WORDS);
                let seen = format!("one number for each of {}: {list}", words.len());
                let name = feature.name.clone();
                vec![name, String::new(), String::new(), String::new(), String::new(), seen]
            }
        });
    }
    if let Some(more) = table.features.len().checked_sub(MOST_COLUMNS).filter(|more| *more > 0) {
        rows.push(vec![format!("and {more} more")]);
    }
    for target in &table.targets {
        let mut row = numbers(&target.name, &target.stats, &target.scale, data.scale_target);
        if let Some(last) = row.last_mut() {
            last.push_str(" (target)");
        }
        rows.push(row);
    }
    use Align::{Left, Right};
    page.table(&rows, &[Left, Right, Right, Right, Right, Left]);
    if let Some(class) = &table.class_column {
        page.quiet(&format!("classes from the column `{class}`"));
    }
}

fn numbers(name: &str, stats: &ColumnStats, scaling: &Scaling, scale: Scale) -> Vec<String> {
    let seen = match scale {
        Scale::None => "it as it is".to_owned(),
        Scale::Standardize | Scale::Minmax => {
            format!("(x − {}) / {}", text::number(scaling.shift), text::number(scaling.divisor))
        }
    };
    let figures = [stats.min, stats.max, stats.mean, stats.std].map(text::number);
    [name.to_owned()].into_iter().chain(figures).chain([seen]).collect()
}
