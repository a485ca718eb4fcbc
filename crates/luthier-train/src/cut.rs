//! A prepared run on less: fewer samples, another length, no checkpoints' worth of work.

use luthier_plan::{DataPlan, Machine, Plan, SplitPlan, TextPlan, TextSplit, resolve, streams};
use luthier_recipe::Recipe;

use crate::contrast;
use crate::prepare::several::{joined, within};
use crate::texts::Reader;
use crate::{Prepared, TrainError};

/// The same run for another `recipe` (of the same data and model, say with fewer epochs) and on other splits, such as a
/// sample of its own: lengths, schedules and class weights are decided anew, as for a recipe with that data. `data` is that
/// of each stream, the first one's first; of a run without streams, one.
///
/// # Errors
/// Nothing is left to train on, or a table has changed.
pub fn cut(prepared: Prepared, recipe: &Recipe, data: Vec<DataPlan>) -> Result<Prepared, TrainError> {
    let Prepared { plan: old, model } = prepared;
    let mut plans = Vec::new();
    for (at, (own, data)) in streams::all(&old).zip(data).enumerate() {
        let plan = again(own, &recipe.of_stream(at), data);
        plans.push(plan.map_err(|error| within(recipe, at, error))?);
    }
    let plan = joined(plans, &model)?;
    Ok(Prepared { plan, model })
}

/// The plan of one stream, decided anew.
fn again(old: &Plan, recipe: &Recipe, data: DataPlan) -> Result<Plan, TrainError> {
    let text = old.text.as_ref().map(|text| text_plan(old, text, &data.splits)).transpose()?;
    let mut model = old.model.clone();
    model.tensors.iter_mut().for_each(|tensor| tensor.group = None);
    let machine = Machine {
        device: old.device.clone(),
        precision: old.precision,
        memory_format: old.memory_format.clone(),
        ranks: old.ranks,
    };
    let mut plan = resolve(recipe, &old.base, data, text, model, machine)?;
    contrast::settle(&mut plan);
    Ok(Plan { table: old.table.clone(), stream: old.stream.clone(), ..plan })
}

fn text_plan(plan: &Plan, text: &TextPlan, splits: &[SplitPlan]) -> Result<TextPlan, TrainError> {
    let reader = Reader::of(plan);
    let mut cut = TextPlan { splits: Vec::new(), ..text.clone() };
    for split in splits {
        let tokens = reader.tokens(split, text)?;
        let lengths = || tokens.iter().map(|ids| ids.len() as u64);
        let at_limit = lengths().filter(|length| *length == text.max_length).count() as u64;
        let longest = lengths().max().unwrap_or(0);
        cut.splits.push(TextSplit { tokens: lengths().sum(), longest, cut: at_limit });
    }
    Ok(cut)
}
