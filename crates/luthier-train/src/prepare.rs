//! From a recipe to a plan and the model it is about: what is on disk is looked at here, and nowhere later.

use std::path::Path;

use luthier_model::{Model, Spec, config_of};
use luthier_plan::{Machine, ModelPlan, Plan, ResolvedPrecision, resolve};
use luthier_recipe::{Arch, Precision, Recipe, Task};
use luthier_torch::{bf16_is_fast, parse_device};
use tch::Device;

use crate::prefix::plan_prefixes;
use crate::samples::data_plan;
use crate::{TrainError, texts};

/// A plan and the model that was planned, its weights loaded.
pub struct Prepared {
    /// What was decided
    pub plan: Plan,
    /// The model
    pub model: Model,
}

/// Looks at the data and the weights and decides everything. `base` is the folder that relative paths start from.
pub fn prepare(recipe: &Recipe, base: &Path, device: &str) -> Result<Prepared, TrainError> {
    let place = parse_device(device)?;
    let (data, mut notes) = data_plan(recipe, base)?;
    let (model, plan, more) = model_plan(recipe, base, data.classes.len() as u64, place)?;
    notes.extend(more);
    let text = match recipe.task {
        Task::ImageClassification => None,
        Task::TextClassification => {
            let (text, more) = texts::text_plan(recipe, base, &data.splits, &data.classes, &model)?;
            notes.extend(more);
            Some(text)
        }
    };
    let machine = Machine {
        device: device.into(),
        precision: precision(recipe.train.precision, recipe.model.arch, place),
        memory_format: "channels_last".into(),
    };
    let base = base.canonicalize().unwrap_or_else(|_| base.to_path_buf());
    let mut plan = resolve(recipe, &base.to_string_lossy(), data, text, plan, machine)?;
    plan.notes.splice(0..0, notes);
    plan_prefixes(&mut plan, &model)?;
    Ok(Prepared { plan, model })
}

/// The model of a plan, weights random, parts frozen as planned.
pub(crate) fn bare_model(plan: &Plan, device: Device) -> Result<Model, TrainError> {
    let spec = Spec::of(&plan.recipe.model, plan.data.classes.len() as u64, plan.model.config.clone());
    let model = Model::build(&spec, plan.recipe.seed, device)?;
    settle(&plan.recipe, &model)?;
    if plan.memory_format == "channels_last" {
        model.to_channels_last()?;
    }
    Ok(model)
}

/// What is trained, and which shortcuts are taken.
fn settle(recipe: &Recipe, model: &Model) -> Result<(), TrainError> {
    match &recipe.model.train {
        Some(patterns) => model.train_only(patterns)?,
        None => model.freeze(&recipe.model.freeze)?,
    };
    model.set_shortcuts(recipe.train.shortcuts);
    model.keep_bf16_of_frozen(true);
    Ok(())
}

/// The model of a plan: with the weights it starts from, or random ones for a run that takes them from a checkpoint.
pub fn planned_model(plan: &Plan, start: bool) -> Result<Model, TrainError> {
    let device = parse_device(&plan.device)?;
    if start {
        let classes = plan.data.classes.len() as u64;
        return Ok(model_plan(&plan.recipe, Path::new(&plan.base), classes, device)?.0);
    }
    bare_model(plan, device)
}

fn model_plan(
    recipe: &Recipe,
    base: &Path,
    classes: u64,
    device: Device,
) -> Result<(Model, ModelPlan, Vec<String>), TrainError> {
    let asked = &recipe.model;
    let path = match asked.weights.as_str() {
        "none" => None,
        weights => Some(luthier_weights::resolve(weights, base)?),
    };
    let config = config_of(asked, base, path.as_deref())?;
    let mut model = Model::build(&Spec::of(asked, classes, config), recipe.seed, device)?;
    let mut notes = Vec::new();
    let load = match &path {
        None => None,
        Some(path) => {
            let weights = luthier_weights::read(path)?;
            notes.extend(weights.notes.iter().map(|note| format!("weights: {note}")));
            let report = model.load(&weights, &asked.allow_unmatched)?;
            notes.extend(report.notes.iter().map(|note| format!("weights: {note}")));
            Some(report)
        }
    };
    settle(recipe, &model)?;
    model.to_channels_last()?;
    let plan = ModelPlan {
        arch: luthier_model::arch_name(asked.arch).into(),
        weights: asked.weights.clone(),
        load,
        config: model.config(),
        parts: model.parts().iter().map(|part| part.name.clone()).collect(),
        tensors: model.tensor_plans(),
    };
    Ok((model, plan, notes))
}

/// `auto` is bf16 where that is faster: on CPUs with bf16 instructions, except for depthwise convolutions, whose backward
/// pass libtorch computes slower in bf16 than in fp32 (14 against 19 pictures a second, two cores with AMX).
fn precision(asked: Precision, arch: Arch, device: Device) -> ResolvedPrecision {
    let depthwise = matches!(arch, Arch::EfficientnetLite0) && device == Device::Cpu;
    match asked {
        Precision::Fp32 => ResolvedPrecision::Fp32,
        Precision::Bf16 => ResolvedPrecision::Bf16,
        Precision::Auto if bf16_is_fast(device) && !depthwise => ResolvedPrecision::Bf16,
        Precision::Auto => ResolvedPrecision::Fp32,
    }
}
