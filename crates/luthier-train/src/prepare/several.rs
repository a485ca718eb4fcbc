//! Several heads or several streams: a plan for each stream, over one model.

use std::path::Path;

use luthier_model::Model;
use luthier_plan::{Plan, PlanError, resolve, streams};
use luthier_recipe::{Recipe, Task};
use tch::Device;

use super::{Prepared, emulated, machine, model_plan, whole};
use crate::TrainError;
use crate::prefix::plan_prefixes;
use crate::samples::{data_plan, tasks};

/// A model that learns several things, from several streams or from one.
pub(super) fn several(
    recipe: &Recipe,
    base: &Path,
    device: &str,
    place: Device,
    ranks: u64,
) -> Result<Prepared, TrainError> {
    let owns: Vec<Recipe> = (0..recipe.streams.len().max(1)).map(|at| recipe.of_stream(at)).collect();
    let (mut data, mut notes) = (Vec::new(), Vec::new());
    for (at, own) in owns.iter().enumerate() {
        let found = data_plan(own, base).and_then(|(mut found, _, notes)| {
            if recipe.task == Task::MultiTask {
                tasks::add(recipe, at, base, &mut found)?;
            }
            Ok((found, notes))
        });
        let (found, own_notes) = found.map_err(|error| within(recipe, at, error))?;
        data.push(found);
        notes.push(own_notes);
    }
    let heads = if recipe.task == Task::MultiTask {
        tasks::unite(recipe, &mut data)?
    } else {
        for other in data.get(1..).unwrap_or_default() {
            if other.classes != data[0].classes {
                let what = "two streams have other classes".to_owned();
                let help = "give each a head of its own: `task = \"multi-task\"` and `model.heads`";
                return Err(PlanError::at("streams", what).help(help).into());
            }
        }
        Vec::new()
    };
    let outputs = heads.iter().map(|(_, classes)| classes).sum::<u64>().max(data[0].classes.len() as u64);
    let (model, planned, more) = model_plan(recipe, base, outputs, (&heads, &[]), None, place)?;
    notes[0].extend(more);
    notes[0].extend(emulated(machine(recipe, device, place, ranks, false).precision, place));
    let mut plans = Vec::new();
    for (at, (own, data)) in owns.iter().zip(data).enumerate() {
        let mut planned = planned.clone();
        let stream = recipe.streams.get(at);
        if let Some(stream) = stream {
            let key = format!("streams[{at}].train");
            streams::narrow(&mut planned.tensors, &stream.train, &key)?;
        }
        let machine = machine(recipe, device, place, ranks, false);
        let plan = resolve(own, &whole(base), data, None, planned, machine);
        let mut plan = plan.map_err(|error| within(recipe, at, error.into()))?;
        plan.stream = stream.map(|stream| stream.name.clone()).unwrap_or_default();
        plan.notes.splice(0..0, std::mem::take(&mut notes[at]));
        plans.push(plan);
    }
    let plan = joined(plans, &model)?;
    Ok(Prepared { plan, model })
}

/// The plans of all streams as one run's: they take turns, and the first holds the others.
///
/// # Errors
/// They cannot take turns, or there is no plan at all.
pub(crate) fn joined(mut plans: Vec<Plan>, model: &Model) -> Result<Plan, TrainError> {
    if plans.len() > 1 {
        streams::interleave(&mut plans)?;
        // one prefix is kept for one order of samples
        plans.iter_mut().for_each(|plan| plan.recipe.train.prefix_cache.enabled = false);
    }
    let mut plans = plans.into_iter();
    let mut plan = plans.next().ok_or_else(|| TrainError::State("there is no stream".into()))?;
    plan.streams = plans.collect();
    for other in &mut plan.streams {
        other.recipe.streams.clear();
    }
    plan_prefixes(&mut plan, model)?;
    Ok(plan)
}

/// An error of a stream's plan, at the stream's own keys.
pub(crate) fn within(recipe: &Recipe, at: usize, error: TrainError) -> TrainError {
    match (error, recipe.streams.get(at)) {
        (TrainError::Plan(PlanError { key, what, help }), Some(stream)) => {
            let what = format!("stream `{}`: {what}", stream.name);
            PlanError { key: recipe.key_of(at, &key), what, help }.into()
        }
        (other, _) => other,
    }
}
