//! From a recipe to a plan and the model it is about: what is on disk is looked at here, and nowhere later.

use std::path::Path;

use luthier_data::{
    Chain, FolderOptions, Limits, Listing, image_folder, image_folder_like, stratified_split,
};
use luthier_model::{Model, from_huggingface};
use luthier_plan::{
    DataPlan, Machine, ModelPlan, Plan, PlanError, ResolvedPrecision, Sample, Skipped, SplitPlan, resolve,
};
use luthier_recipe::{Arch, Data, Precision, Recipe};
use luthier_torch::{bf16_is_fast, parse_device};
use tch::Device;

use crate::TrainError;

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
    let (data, mut notes) = data_plan(&recipe.data, recipe.seed, base)?;
    let (model, plan, more) = model_plan(recipe, base, data.classes.len() as u64, place)?;
    notes.extend(more);
    let machine = Machine {
        device: device.into(),
        precision: precision(recipe.train.precision, recipe.model.arch, place),
        memory_format: "channels_last".into(),
    };
    let base = base.canonicalize().unwrap_or_else(|_| base.to_path_buf());
    let mut plan = resolve(recipe, &base.to_string_lossy(), data, plan, machine)?;
    plan.notes.splice(0..0, notes);
    Ok(Prepared { plan, model })
}

/// The model of a plan, weights random, parts frozen as planned.
pub(crate) fn bare_model(plan: &Plan, device: Device) -> Result<Model, TrainError> {
    let recipe = &plan.recipe;
    let model = Model::new(
        recipe.model.arch,
        plan.data.classes.len() as u64,
        recipe.model.dropout,
        recipe.seed,
        device,
    )?;
    model.freeze(&recipe.model.freeze)?;
    if plan.memory_format == "channels_last" {
        model.to_channels_last()?;
    }
    Ok(model)
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
    let mut model = Model::new(asked.arch, classes, asked.dropout, recipe.seed, device)?;
    let mut notes = Vec::new();
    let load = if asked.weights == "none" {
        None
    } else {
        let path = luthier_weights::resolve(&asked.weights, base)?;
        let names: Vec<String> = model.store.entries().iter().map(|entry| entry.name.clone()).collect();
        let weights = from_huggingface(asked.arch, &names, luthier_weights::read(&path)?);
        notes.extend(weights.notes.iter().map(|note| format!("weights: {note}")));
        Some(model.load(&weights, &asked.allow_unmatched)?)
    };
    model.freeze(&asked.freeze)?;
    model.to_channels_last()?;
    let plan = ModelPlan {
        arch: luthier_model::arch_name(asked.arch).into(),
        weights: asked.weights.clone(),
        load,
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

/// The splits of a recipe, and what is worth saying about them.
fn data_plan(data: &Data, seed: u64, base: &Path) -> Result<(DataPlan, Vec<String>), TrainError> {
    let options = FolderOptions {
        exclude: &data.exclude,
        on_error: data.on_error,
        limits: Limits { max_megapixels: data.max_megapixels },
    };
    let listing = image_folder(&base.join(&data.train), &options)?;
    let root = data.train.to_string_lossy().into_owned();
    let mut notes = listing.notes.clone();
    let everything: Vec<u32> = (0..listing.samples.len() as u32).collect();
    let mut splits = Vec::new();
    let mut found = None;
    if let Some(split) = data.split {
        let labels: Vec<u32> = listing.samples.iter().map(|(_, label)| *label).collect();
        let (train, valid) = stratified_split(&labels, split.valid, split.fold, seed)?;
        splits.push(split_plan("train", &root, &listing, &train, true));
        splits.push(split_plan("valid", &root, &listing, &valid, false));
    } else {
        splits.push(split_plan("train", &root, &listing, &everything, true));
        if let Some(valid) = &data.valid {
            let listed = image_folder_like(&base.join(valid), &listing.classes, &options)?;
            notes.extend(listed.notes.clone());
            let all: Vec<u32> = (0..listed.samples.len() as u32).collect();
            splits.push(split_plan("valid", &valid.to_string_lossy(), &listed, &all, true));
            found = Some(listed);
        }
    }
    for (name, transforms) in [("train", &data.transform.train), ("eval", &data.transform.eval)] {
        let chain = Chain::new(transforms)?;
        chain.output_size()?;
        refuse_padding(&chain, name, &listing)?;
        if let Some(valid) = found.as_ref().filter(|_| name == "eval") {
            refuse_padding(&chain, name, valid)?;
        }
        if name == "train" {
            notes.extend(chain.notes(&listing.sizes));
        }
    }
    Ok((DataPlan { classes: listing.classes, splits }, notes))
}

fn split_plan(name: &str, root: &str, listing: &Listing, indices: &[u32], skipped: bool) -> SplitPlan {
    let sample = |index: &u32| {
        let (path, label) = &listing.samples[*index as usize];
        Sample { path: path.clone(), label: *label }
    };
    // a file that is left out belongs to no part of a split: it is told once
    let skipped = if skipped { listing.skipped.as_slice() } else { &[] };
    let skip = |(path, why): &(String, String)| Skipped { path: path.clone(), why: why.clone() };
    SplitPlan {
        name: name.into(),
        root: root.into(),
        samples: indices.iter().map(sample).collect(),
        skipped: skipped.iter().map(skip).collect(),
    }
}

/// A crop that is larger than a picture would be filled up with black.
fn refuse_padding(chain: &Chain, name: &str, listing: &Listing) -> Result<(), TrainError> {
    let Some((at, picture)) = chain.first_padded(&listing.sizes) else { return Ok(()) };
    let ((width, height), (path, _)) = (listing.sizes[picture], &listing.samples[picture]);
    let what =
        format!("`{path}` ({width} × {height}) is smaller than this crop, which would pad it with black");
    let help = "put a `Resize` before it, or crop less";
    Err(PlanError::at(format!("data.transform.{name}[{at}].size"), what).help(help).into())
}
