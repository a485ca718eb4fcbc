//! Which leading parts can run once, what keeping what they give takes, and what it saves.

use luthier_data::Chain;
use luthier_model::{Flow, Input, Model, Tokens};
use luthier_plan::{Plan, PrefixPlan, Role, StagePlan};
use luthier_recipe::{Every, SplitName};
use luthier_torch::{MemoryFormat, channels_last};
use tch::{Kind, Tensor};

use crate::TrainError;

/// Fills in what each stage of a plan keeps, and says why where it keeps nothing although parts are frozen.
pub(crate) fn plan_prefixes(plan: &mut Plan, model: &Model) -> Result<(), TrainError> {
    let mut notes = Vec::new();
    for index in 0..plan.stages.len() {
        let stage = &plan.stages[index];
        match stage_prefix(plan, stage, model)? {
            Ok(prefix) => plan.stages[index].prefix = prefix,
            Err(why) if !notes.contains(&why) => notes.push(why),
            Err(_) => {}
        }
    }
    plan.notes.extend(notes);
    Ok(())
}

/// `Ok(None)` where no leading part is frozen; `Err` says why frozen ones are run anew each time.
fn stage_prefix(
    plan: &Plan,
    stage: &StagePlan,
    model: &Model,
) -> Result<Result<Option<PrefixPlan>, String>, TrainError> {
    let frozen = frozen_parts(plan, stage);
    let quiet = model.parts().iter().take(frozen).take_while(|part| !part.noisy).count();
    let name = |index: usize| model.parts().get(index).map_or("", |part| part.name.as_str());
    let cache = plan.recipe.train.prefix_cache;
    // rows of a table are too small for it to be worth keeping anything
    if frozen == 0 || !cache.enabled || plan.table.is_some() {
        return Ok(Ok(None));
    }
    if quiet == 0 {
        return Ok(Err(format!(
            "`{}` is frozen but drops out at random, so it runs anew each time; `model.dropout = 0` would let frozen \
             parts run once",
            name(0)
        )));
    }
    if plan.text.is_none() && !Chain::new(plan.recipe.data.train_transform())?.deterministic() {
        return Ok(Err(format!(
            "`{}` to `{}` are frozen, but pictures are changed at random for training, so they run anew each time",
            name(0),
            name(quiet - 1)
        )));
    }
    let samples: u64 = plan.data.splits.iter().map(|split| split.samples.len() as u64).sum();
    let row = row_of(plan, model, quiet)?;
    let rows: u64 = match &plan.text {
        Some(text) if row.per_token => text.splits.iter().map(|split| split.tokens).sum(),
        Some(_) => samples,
        None => kept_pictures(plan)?,
    };
    let bytes = rows * row.floats * 4;
    if bytes > cache.disk_mib << 20 {
        return Ok(Err(format!(
            "what `{}` to `{}` give would take {} MiB, more than `train.prefix_cache.disk_mib`: they run anew each time",
            name(0),
            name(quiet - 1),
            bytes >> 20
        )));
    }
    let scalars = |parts: usize| -> u64 {
        let mine = plan.model.tensors.iter().filter(|t| t.role != Role::Buffer && t.part < parts);
        mine.map(|t| t.shape.iter().product::<i64>().unsigned_abs()).sum()
    };
    Ok(Ok(Some(PrefixPlan {
        parts: quiet,
        samples,
        bytes,
        on_disk: bytes > cache.memory_mib << 20,
        runs_saved: runs(plan, stage).saturating_sub(samples),
        share: scalars(quiet) as f64 / scalars(usize::MAX).max(1) as f64,
    })))
}

/// Leading parts that no stage's optimizer moves now. The last part makes logits and always runs.
pub(crate) fn frozen_parts(plan: &Plan, stage: &StagePlan) -> usize {
    let trained = plan.model.tensors.iter().enumerate();
    let trained = trained.filter(|(index, tensor)| tensor.trainable && !stage.resting.contains(index));
    let first = trained.map(|(_, tensor)| tensor.part).min().unwrap_or(0);
    first.min(plan.model.parts.len().saturating_sub(1))
}

/// Runs of samples through the network in a stage: epochs and evaluations.
fn runs(plan: &Plan, stage: &StagePlan) -> u64 {
    let size = |name: &str| plan.data.split(name).map_or(0, |split| split.samples.len() as u64);
    let updates = stage.epochs * plan.length.updates_per_epoch;
    let eval = &plan.recipe.eval;
    let times = match eval.every {
        Every::Epochs(every) => stage.epochs / every.max(1),
        Every::Steps(every) => updates / every.max(1),
    };
    let batch = plan.recipe.train.batch_size;
    let (quick, whole) = match eval.batches {
        Some(batches) => {
            let some = |name: &str| size(name).min(batches.saturating_mul(batch));
            (times * (some("train") + some("valid")), stage.epochs * size("valid"))
        }
        None => (0, times * size("valid")),
    };
    let last = stage.first_epoch + stage.epochs == plan.length.epochs;
    let others = eval.at_end.iter().filter(|split| last && **split != SplitName::Valid);
    stage.epochs * plan.length.samples + quick + whole + others.map(|split| size(split.as_str())).sum::<u64>()
}

/// Pictures whose activations are kept: see [`super::fill`].
fn kept_pictures(plan: &Plan) -> Result<u64, TrainError> {
    let views = super::fill::picture_views(&plan.recipe.data);
    let size = |name: &str| plan.data.split(name).map_or(0, |split| split.samples.len() as u64);
    Ok(plan.data.splits.iter().map(|split| views.count(&split.name) * size(&split.name)).sum())
}

/// One row of what leading parts give.
pub(super) struct Row {
    pub floats: u64,
    /// A text has a row for each token, not one for all of it
    pub per_token: bool,
}

/// Found by running a text of two tokens, or a black picture.
pub(super) fn row_of(plan: &Plan, model: &Model, parts: usize) -> Result<Row, TrainError> {
    let input = match &plan.text {
        Some(_) => Input::Tokens(Tokens::pack(&[[0u32, 0]])?),
        None => {
            let (height, width) = Chain::new(plan.recipe.data.eval_transform())?.output_size()?;
            let size = [1, 3, i64::from(height), i64::from(width)];
            Input::Pictures(channels_last(&Tensor::f_zeros(size, (Kind::Float, model.device))?)?)
        }
    };
    let flow = tch::no_grad(|| -> Result<Flow, TrainError> {
        Ok(model.run(0..parts, model.begin(&input)?, false)?)
    })?;
    let rows = flow.hidden.size().first().copied().unwrap_or(1).unsigned_abs().max(1);
    Ok(Row { floats: flow.hidden.numel() as u64 / rows, per_token: plan.text.is_some() && rows == 2 })
}

/// A picture's activations as they are kept: `[N, …]` with the channels of a pixel side by side.
pub(super) fn rows_of(hidden: &Tensor) -> Result<Tensor, TrainError> {
    if hidden.dim() == 4 {
        return Ok(MemoryFormat::ChannelsLast.apply(hidden)?.f_permute([0, 2, 3, 1])?);
    }
    Ok(hidden.f_contiguous()?)
}
