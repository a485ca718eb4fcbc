//! Tables of numbers and words.

use super::Tell;
use super::data::out_of_place;
use crate::{Balance, Column, DataFormat, Recipe, Scale, Target, Task};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let data = &recipe.data;
    let given = [
        ("data.columns", data.columns.is_some()),
        ("data.tokenizer", data.tokenizer.is_some()),
        ("data.pad_token", data.pad_token.is_some()),
        ("data.length_buckets", data.length_buckets),
        ("data.transform", data.transform.is_some()),
        ("data.exclude", !data.exclude.is_empty()),
    ];
    out_of_place(&given, "a table of numbers and words", tell);
    match &data.target {
        None => tell(
            &["data.target", "data"],
            "`data.target` is missing".to_string(),
            "add `target = \"NAME\"`: the column that is learned, by name or by number",
        ),
        Some(target) => targets(recipe.task, target, tell),
    }
    if data.format == DataFormat::Jsonl {
        let of = |columns: &[Column]| columns.iter().any(|column| matches!(column, Column::Index(_)));
        let numbered = [
            ("data.target", data.target.as_ref().is_some_and(|target| of(target.columns()))),
            ("data.features", data.features.as_ref().is_some_and(|features| of(features))),
        ];
        for (key, _) in numbered.iter().filter(|(_, numbered)| *numbered) {
            tell(
                &[key],
                format!("`{key}` is a number, and the values of a JSON line have names"),
                "write the name",
            );
        }
    }
    if recipe.task == Task::Classification {
        if data.scale_target != Scale::None {
            tell(
                &["data.scale_target", "task"],
                "classes are not scaled".to_string(),
                "leave `scale_target` out, or set `task = \"regression\"`",
            );
        }
    } else if data.balance != Balance::None {
        tell(
            &["data.balance", "task"],
            "a regression has no classes to even out".to_string(),
            "leave `balance` out",
        );
    }
}

fn targets(task: Task, target: &Target, tell: &mut Tell<'_>) {
    let columns = target.columns();
    if task == Task::Classification && columns.len() > 1 {
        tell(
            &["data.target", "task"],
            format!("`data.target` names {} columns, and a class is in one", columns.len()),
            "name one column, or set `task = \"regression\"`",
        );
    }
    if let Some(index) = (1..columns.len()).find(|index| columns[..*index].contains(&columns[*index])) {
        tell(
            &[&format!("data.target[{index}]")],
            "`data.target` names a column twice".to_string(),
            "name each column once",
        );
    }
}
