//! From a recipe to a plan and the model it is about: what is on disk is looked at here, and nowhere later.

pub(crate) mod from_run;
pub(crate) mod several;

use std::path::Path;

use luthier_data::Chain;
use luthier_model::{
    HeadSpec, Model, ModelError, ProjectionSpec, Shape, Spec, config_of, config_of_weights, read_adapter,
};
use luthier_plan::{
    DataPlan, LoadReport, LoraPlan, Machine, ModelPlan, Plan, ResolvedPrecision, TablePlan, resolve,
};
use luthier_recipe::{Arch, Lora, Precision, ProjectionHead, Recipe, Task};
use luthier_torch::{bf16_is_fast, fp16_is_native, parse_device};
use tch::Device;

use crate::contrast;
use crate::prefix::plan_prefixes;
use crate::samples::data_plan;
use crate::{TrainError, outputs, texts};

/// A plan and the model that was planned, its weights loaded.
pub struct Prepared {
    /// What was decided
    pub plan: Plan,
    /// The model
    pub model: Model,
}

/// Looks at the data and the weights and decides everything. `base` is the folder that relative paths start from.
pub fn prepare(recipe: &Recipe, base: &Path, device: &str) -> Result<Prepared, TrainError> {
    prepare_for(recipe, base, device, 1)
}

/// As [`prepare`], for so many ranks.
pub fn prepare_for(recipe: &Recipe, base: &Path, device: &str, ranks: u64) -> Result<Prepared, TrainError> {
    let place = parse_device(device)?;
    if recipe.task == Task::MultiTask || !recipe.streams.is_empty() {
        return several::several(recipe, base, device, place, ranks);
    }
    let (data, table, mut notes) = data_plan(recipe, base)?;
    let wanted = wanted(recipe, &data, table.as_ref());
    let (model, plan, more) = model_plan(recipe, base, wanted, (&[], &data.classes), table.as_ref(), place)?;
    notes.extend(more);
    notes.extend(outputs::check(recipe, wanted, model.outputs(), &model.head)?);
    let text = match recipe.task {
        Task::ImageClassification
        | Task::MultiTask
        | Task::Classification
        | Task::Regression
        | Task::Contrastive => None,
        Task::TextClassification => {
            let (text, more) = texts::text_plan(recipe, base, &data.splits, &data.classes, &model)?;
            notes.extend(more);
            Some(text)
        }
    };
    let machine = machine(recipe, device, place, ranks, table.is_some());
    notes.extend(emulated(machine.precision, place));
    let mut plan = resolve(recipe, &whole(base), data, text, plan, machine)?;
    plan.table = table;
    plan.notes.splice(0..0, notes);
    match recipe.contrastive {
        // every sample is seen in views that are drawn anew
        Some(_) => contrast::settle(&mut plan),
        None => plan_prefixes(&mut plan, &model)?,
    }
    Ok(Prepared { plan, model })
}

fn machine(recipe: &Recipe, device: &str, place: Device, ranks: u64, rows: bool) -> Machine {
    Machine {
        device: device.into(),
        precision: precision(recipe.train.precision, recipe.model.arch, place),
        memory_format: if rows { "contiguous" } else { "channels_last" }.into(),
        ranks,
    }
}

fn whole(base: &Path) -> String {
    base.canonicalize().unwrap_or_else(|_| base.to_path_buf()).to_string_lossy().into_owned()
}

/// The model of a plan, weights random, parts frozen as planned.
pub(crate) fn bare_model(plan: &Plan, device: Device) -> Result<Model, TrainError> {
    let (heads, table) = (&plan.model.heads, plan.table.as_ref());
    let wanted = planned_outputs(plan);
    let input = input(&plan.recipe, table)?;
    let spec = Spec::of(&plan.recipe.model, wanted, plan.model.config.clone(), input);
    let (heads, projection) = (head_specs(&plan.recipe, heads), projection(&plan.recipe));
    let spec = Spec { heads, projection, ..spec };
    let mut model = Model::build(&spec, plan.recipe.seed, device)?;
    if let Some(lora) = &plan.model.lora {
        model.add_lora(lora, plan.recipe.seed)?;
    }
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
        let (base, table) = (Path::new(&plan.base), plan.table.as_ref());
        let heads = (plan.model.heads.as_slice(), plan.data.classes.as_slice());
        return Ok(model_plan(&plan.recipe, base, planned_outputs(plan), heads, table, device)?.0);
    }
    bare_model(plan, device)
}

/// Numbers that a planned model gives.
fn planned_outputs(plan: &Plan) -> u64 {
    match plan.model.heads.as_slice() {
        [] => wanted(&plan.recipe, &plan.data, plan.table.as_ref()),
        heads => heads.iter().map(|(_, classes)| classes).sum(),
    }
}

/// What makes embeddings in a contrastive run.
fn projection(recipe: &Recipe) -> Option<ProjectionSpec> {
    let asked = recipe.contrastive.as_ref()?;
    let has = |head| asked.heads.contains(&head);
    Some(ProjectionSpec { mlp: asked.mlp, a: has(ProjectionHead::A), b: has(ProjectionHead::B) })
}

/// Several heads as they are built.
fn head_specs(recipe: &Recipe, heads: &[(String, u64)]) -> Vec<HeadSpec> {
    let spec = |(name, classes): &(String, u64)| HeadSpec {
        name: name.clone(),
        classes: i64::try_from(*classes).unwrap_or(i64::MAX),
        hidden: recipe.model.heads.get(name).map(|head| head.hidden.clone()).unwrap_or_default(),
    };
    heads.iter().map(spec).collect()
}

/// The model with its weights, what there is to say of it, and of them. `heads` are those of a model that learns several
/// things, and the classes of one that learns one.
fn model_plan(
    recipe: &Recipe,
    base: &Path,
    wanted: u64,
    (heads, classes): (&[(String, u64)], &[String]),
    table: Option<&TablePlan>,
    device: Device,
) -> Result<(Model, ModelPlan, Vec<String>), TrainError> {
    let asked = &recipe.model;
    let run = from_run::named(asked.weights());
    let mut run = run.map(|name| from_run::read(name, recipe, base)).transpose()?;
    let path = match asked.weights() {
        "none" => None,
        _ if run.is_some() => None,
        weights => Some(luthier_weights::resolve(weights, base)?),
    };
    let mut weights = match &run {
        Some(run) => Some(run.weights.clone()),
        None => path.as_deref().map(luthier_weights::read).transpose()?,
    };
    let mut config = config_of(asked, base, path.as_deref())?;
    if let Some(run) = run.as_ref().filter(|_| asked.config.is_none()) {
        config.clone_from(&run.plan.model.config);
    }
    if let Some(weights) = &weights {
        config = config_of_weights(asked.arch, config, weights);
    }
    let spec = Spec::of(asked, wanted, config, input(recipe, table)?);
    let spec = Spec { heads: head_specs(recipe, heads), projection: projection(recipe), ..spec };
    let mut model = match Model::build(&spec, recipe.seed, device) {
        // a layer that does not fit is told where the recipe lists it
        Err(ModelError::Pattern(error)) => return Err(error.into()),
        built => built?,
    };
    if let Some(run) = &mut run {
        run.without_heads(&model, recipe, classes);
        weights = Some(run.weights.clone());
    }
    let mut notes = Vec::new();
    let load = match &weights {
        None => None,
        Some(weights) => {
            notes.extend(weights.notes.iter().map(|note| format!("weights: {note}")));
            let report = model.load(weights, &asked.allow_unmatched)?;
            notes.extend(report.notes.iter().map(|note| format!("weights: {note}")));
            Some(report)
        }
    };
    let mut load = load;
    let lora = match &asked.lora {
        None => None,
        Some(lora) => Some(adapted(recipe, lora, base, &mut model, &mut load, &mut notes)?),
    };
    settle(recipe, &model)?;
    if table.is_none() {
        model.to_channels_last()?;
    }
    let plan = ModelPlan {
        arch: luthier_model::arch_name(asked.arch).into(),
        weights: asked.weights().into(),
        load,
        config: model.config(),
        heads: heads.to_vec(),
        lora,
        parts: model.parts().iter().map(|part| part.name.clone()).collect(),
        tensors: model.tensor_plans(),
    };
    Ok((model, plan, notes))
}

/// Puts LoRA into a model that has its weights, and says what that came to.
fn adapted(
    recipe: &Recipe,
    asked: &Lora,
    base: &Path,
    model: &mut Model,
    load: &mut Option<LoadReport>,
    notes: &mut Vec<String>,
) -> Result<LoraPlan, TrainError> {
    let folder = asked.adapter.as_ref().map(|folder| base.join(folder));
    let file = folder.as_deref().map(read_adapter).transpose()?;
    // without weights all is random, and only a head that has learned something is of use
    let mut fresh: Vec<String> = match load.as_ref() {
        Some(load) => load.head.iter().chain(&load.missing).cloned().collect(),
        None => model.head_layers().into_iter().map(|layer| format!("{layer}.weight")).collect(),
    };
    if let Some(file) = &file {
        let replaced = file.replaces(model);
        fresh.retain(|name| !replaced.contains(&name.as_str()));
    }
    let plan = model.plan_lora(asked, file.as_ref(), &fresh)?;
    model.add_lora(&plan, recipe.seed)?;
    let mut told = vec![model.lora_note(&plan)];
    if let Some(file) = &file {
        told.extend(file.copy_into(model)?);
    }
    if let Some(load) = load {
        load.notes.extend(told.iter().cloned());
        load.head.retain(|name| fresh.contains(name));
        load.missing.retain(|name| fresh.contains(name));
    }
    notes.extend(told);
    Ok(plan)
}

/// Numbers of a sample that are learned: classes, target columns, or those of an embedding.
fn wanted(recipe: &Recipe, data: &DataPlan, table: Option<&TablePlan>) -> u64 {
    if let Some(contrastive) = &recipe.contrastive {
        return contrastive.dim;
    }
    match table {
        Some(table) if table.class_column.is_none() => table.targets.len() as u64,
        _ => data.classes.len() as u64,
    }
}

/// The shape of a sample, for an architecture whose layers are the recipe's, and of a picture for a ViT.
fn input(recipe: &Recipe, table: Option<&TablePlan>) -> Result<Option<Shape>, TrainError> {
    if !matches!(recipe.model.arch, Arch::Sequential | Arch::Vit) || recipe.task == Task::TextClassification {
        return Ok(None);
    }
    Ok(Some(match table {
        Some(table) => Shape::Row(i64::try_from(table.width()).unwrap_or(i64::MAX)),
        None => {
            let (height, width) = Chain::new(recipe.data.eval_transform())?.output_size()?;
            Shape::Picture(3, i64::from(height), i64::from(width))
        }
    }))
}

/// What fp16 costs where the device does not have it.
fn emulated(precision: ResolvedPrecision, device: Device) -> Option<String> {
    let slow = precision == ResolvedPrecision::Fp16 && !fp16_is_native(device);
    slow.then(|| {
        "this processor has no fp16 arithmetic: libtorch converts every number, and a step of a ResNet was measured to take \
         about ten times what it takes in fp32; bf16 or fp32 are faster here, and as good"
            .to_owned()
    })
}

/// `auto` is bf16 where that is faster: on CPUs with bf16 instructions, except for depthwise convolutions, whose backward
/// pass libtorch computes slower in bf16 than in fp32 (14 against 19 pictures a second, two cores with AMX).
fn precision(asked: Precision, arch: Arch, device: Device) -> ResolvedPrecision {
    let depthwise = matches!(arch, Arch::EfficientnetLite0) && device == Device::Cpu;
    // small layers gain nothing, and a regression wants its digits
    let small = arch == Arch::Sequential;
    match asked {
        Precision::Fp32 => ResolvedPrecision::Fp32,
        Precision::Bf16 => ResolvedPrecision::Bf16,
        Precision::Fp16 => ResolvedPrecision::Fp16,
        Precision::Auto if bf16_is_fast(device) && !depthwise && !small => ResolvedPrecision::Bf16,
        Precision::Auto => ResolvedPrecision::Fp32,
    }
}
