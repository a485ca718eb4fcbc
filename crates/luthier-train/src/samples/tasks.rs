//! What each of several heads learns of some data.

use std::path::Path;

use luthier_data::attributes;
use luthier_plan::{DataPlan, PlanError, TaskPlan};
use luthier_recipe::{CLASS_COLUMN, Recipe};

use crate::TrainError;

/// Gives every sample a label for each head that the stream trains, all heads where the recipe has no streams.
pub(crate) fn add(
    recipe: &Recipe,
    stream: usize,
    base: &Path,
    data: &mut DataPlan,
) -> Result<(), TrainError> {
    let asked =
        recipe.streams.get(stream).map(|stream| &stream.loss_weights).filter(|asked| !asked.is_empty());
    let own = recipe.of_stream(stream);
    let mut table = None;
    for (index, (name, head)) in recipe.model.heads.iter().enumerate() {
        let weight = match asked {
            Some(asked) => asked.get(name).copied(),
            None => Some(head.weight),
        };
        let Some(weight) = weight else { continue };
        let column = head.column(name);
        let mut task = TaskPlan {
            head: name.clone(),
            index,
            column: column.into(),
            classes: data.classes.clone(),
            weight,
            class_weights: Vec::new(),
        };
        if column == CLASS_COLUMN {
            for split in &mut data.splits {
                split.samples.add_task(split.samples.labels().to_vec());
            }
            data.tasks.push(task);
            continue;
        }
        if table.is_none() {
            let Some(path) = &own.data.attributes else {
                let what =
                    format!("the head `{name}` learns the column `{column}`, and there are no attributes");
                let help =
                    "add `attributes`, or name the heads that this stream trains in its `loss_weights`";
                return Err(PlanError::at("data.attributes", what).help(help).into());
            };
            table = Some(attributes(&base.join(path))?);
        }
        let Some(table) = &table else { continue };
        let classes = head.classes.map(|classes| usize::try_from(classes).unwrap_or(usize::MAX));
        let attribute = table.attribute(column, classes)?;
        for split in &mut data.splits {
            let labels = table.labels(&attribute, &base.join(&split.root), split.samples.paths())?;
            split.samples.add_task(labels);
        }
        task.classes = attribute.classes;
        data.tasks.push(task);
    }
    if data.tasks.is_empty() {
        return Err(PlanError::at("model.heads", "no head is trained on these samples").into());
    }
    Ok(())
}

/// Makes one list of classes for each head out of those of all streams: a class is told by its name. The first head's
/// become the data's own. Returns the names of all heads with their numbers of classes.
pub(crate) fn unite(recipe: &Recipe, streams: &mut [DataPlan]) -> Result<Vec<(String, u64)>, PlanError> {
    let mut heads = Vec::new();
    for (name, head) in &recipe.model.heads {
        let mut classes: Vec<String> = Vec::new();
        let of = |data: &DataPlan| data.tasks.iter().position(|task| task.head == *name);
        for data in streams.iter() {
            let Some(task) = of(data).and_then(|at| data.tasks.get(at)) else { continue };
            let new: Vec<String> =
                task.classes.iter().filter(|class| !classes.contains(class)).cloned().collect();
            classes.extend(new);
        }
        if classes.is_empty() {
            let what = format!("no stream trains the head `{name}`");
            return Err(PlanError::at(format!("model.heads.{name}"), what)
                .help("name it in a stream's `loss_weights`, or leave it out"));
        }
        let wanted = head.classes.map_or(classes.len(), |count| usize::try_from(count).unwrap_or(usize::MAX));
        if wanted < classes.len() {
            let what = format!("the head `{name}` has {wanted} classes, and the data has {}", classes.len());
            return Err(PlanError::at(format!("model.heads.{name}.classes"), what)
                .help(format!("they are {}", classes.join(", "))));
        }
        // outputs that no sample is of
        classes.extend((classes.len()..wanted).map(|class| format!("({class})")));
        for data in streams.iter_mut() {
            let Some(at) = of(data) else { continue };
            let places: Vec<u32> = data.tasks[at]
                .classes
                .iter()
                .map(|class| classes.iter().position(|other| other == class).unwrap_or(0) as u32)
                .collect();
            for split in &mut data.splits {
                let united = |_, label: u32| places.get(label as usize).copied().unwrap_or(label);
                split.samples.relabel_task(at, united);
            }
            data.tasks[at].classes.clone_from(&classes);
        }
        heads.push((name.clone(), classes.len() as u64));
    }
    for data in streams {
        data.classes.clone_from(&data.tasks[0].classes);
        for split in &mut data.splits {
            split.samples.label_as_task(0);
        }
    }
    Ok(heads)
}
