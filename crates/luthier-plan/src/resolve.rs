//! From what was typed to what will happen.

use luthier_recipe::{
    ClassWeightRule, ClassWeights, KeyNorm, Loss, Recipe, Schedule, TaskWeighting, Train, Unit,
};

use crate::{
    DataPlan, Length, ModelPlan, Plan, PlanError, ResolvedPrecision, TextPlan, contrast, groups, schedule,
    stages, weighting,
};

/// What the machine decides about a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Device, as the command line names it
    pub device: String,
    /// What `precision` came to
    pub precision: ResolvedPrecision,
    /// `channels_last` or `contiguous`
    pub memory_format: String,
    /// Processes that train the model together
    pub ranks: u64,
}

/// Decides everything that will happen.
///
/// `data` and `model` are what was found on disk; the optimizer groups of `model.tensors` are filled in here. `base` is
/// the folder that the recipe's relative paths start from.
pub fn resolve(
    recipe: &Recipe,
    base: &str,
    mut data: DataPlan,
    text: Option<TextPlan>,
    mut model: ModelPlan,
    machine: Machine,
) -> Result<Plan, PlanError> {
    let train = data
        .split("train")
        .ok_or_else(|| PlanError::at(recipe.data.source_key(), "there are no training samples"))?;
    let ranks = machine.ranks.max(1);
    let length = length(&recipe.train, train.samples.len() as u64, ranks)?;
    check_synced(recipe, train.samples.len() as u64, ranks)?;
    contrast::check(recipe, &length, &data.classes, train.samples.labels(), ranks)?;
    let labels = |task: usize| train.samples.labels_of(task).unwrap_or(train.samples.labels());
    let weights = if data.tasks.is_empty() {
        class_weights(&recipe.loss, &data.classes, labels(0), "loss")?
    } else {
        Vec::new()
    };
    let mut each = Vec::new();
    for (at, task) in data.tasks.iter().enumerate() {
        let Some(head) = recipe.model.heads.get(&task.head) else { continue };
        let key = format!("model.heads.{}.loss", task.head);
        each.push(class_weights(&head.loss, &task.classes, labels(at), &key)?);
    }
    for (task, weights) in data.tasks.iter_mut().zip(each) {
        task.class_weights = weights;
    }
    let groups = groups::assign(&recipe.optim, &model.parts, &mut model.tensors)?;
    let mut stages = stages::plan(&recipe.stages, &length, &model.tensors)?;
    contrast::rest(recipe, &mut stages, &model.tensors)?;
    // of several streams, how long each runs is decided when all are known
    if recipe.streams.is_empty() {
        check_schedule(&recipe.schedule, &length)?;
    }
    let mut lr_factors = schedule::factors(&recipe.schedule, recipe.optim.lr, &length);
    stages::scale(&stages, &length, &mut lr_factors);
    let mut notes = notes(recipe, &length, &data, ranks);
    notes.extend(ranks_notes(recipe, &length, &model, ranks));
    let mut plan = Plan {
        schema: crate::PLAN_SCHEMA,
        recipe: recipe.clone(),
        base: base.into(),
        data,
        text,
        table: None,
        contrast: None,
        model,
        groups,
        stages,
        length,
        lr_factors,
        precision: machine.precision,
        device: machine.device,
        ranks,
        memory_format: machine.memory_format,
        class_weights: weights,
        weighting: None,
        streams: Vec::new(),
        stream: String::new(),
        notes,
    };
    plan.weighting = weighting::plan(&plan)?;
    if plan.recipe.train.task_weighting != TaskWeighting::Fixed && plan.data.tasks.len() == 1 {
        plan.notes
            .push("it trains one head: there is nothing to weigh it against, and its weight stays".into());
    }
    Ok(plan)
}

/// Length of a run over `samples` training samples, of which each of `ranks` processes takes a share.
pub fn length(train: &Train, samples: u64, ranks: u64) -> Result<Length, PlanError> {
    let batch_size = train.batch_size.saturating_mul(ranks);
    let batches = if train.drop_last { samples / batch_size } else { samples.div_ceil(batch_size) };
    if batches == 0 {
        let together = if ranks > 1 { format!(" on {ranks} ranks together") } else { String::new() };
        let what =
            format!("an epoch has no batch: {samples} training samples, batches of {batch_size}{together}");
        return Err(
            PlanError::at("train.batch_size", what).help("use a smaller batch, or `drop_last = false`")
        );
    }
    let updates_per_epoch = batches.div_ceil(train.grad_accum);
    Ok(Length {
        epochs: train.epochs,
        samples: if train.drop_last { batches * batch_size } else { samples },
        batches_per_epoch: batches,
        updates_per_epoch,
        updates: updates_per_epoch * train.epochs,
        effective_batch: batch_size * train.grad_accum,
    })
}

fn class_weights(loss: &Loss, classes: &[String], labels: &[u32], key: &str) -> Result<Vec<f64>, PlanError> {
    match loss.class_weights().unwrap_or(&ClassWeights::Rule(ClassWeightRule::None)) {
        ClassWeights::Rule(ClassWeightRule::None) => Ok(Vec::new()),
        ClassWeights::Rule(ClassWeightRule::Balanced) => {
            let mut counts = vec![0u64; classes.len()];
            for label in labels {
                counts[*label as usize] += 1;
            }
            let all = labels.len() as f64;
            Ok(counts.iter().map(|count| all / (classes.len() as f64 * (*count).max(1) as f64)).collect())
        }
        ClassWeights::Each(weights) if weights.len() == classes.len() => Ok(weights.clone()),
        ClassWeights::Each(weights) => {
            let what = format!("{} class weights for {} classes", weights.len(), classes.len());
            Err(PlanError::at(format!("{key}.class_weights"), what)
                .help(format!("give one per class, in this order: {}", classes.join(", "))))
        }
    }
}

fn check_schedule(schedule: &Schedule, length: &Length) -> Result<(), PlanError> {
    if schedule.warmup.steps >= length.updates {
        let what =
            format!("the warm-up takes {} steps, but the run has {}", schedule.warmup.steps, length.updates);
        return Err(PlanError::at("schedule.warmup.steps", what).help(
            "the learning rate would never reach its value; a warm-up of 5 to 10 % of the run is usual",
        ));
    }
    Ok(())
}

/// What ranks make of a recipe that was written for one process.
/// Statistics over all ranks need every rank in every batch.
fn check_synced(recipe: &Recipe, samples: u64, ranks: u64) -> Result<(), PlanError> {
    let tail = samples % (recipe.train.batch_size * ranks).max(1);
    let short = tail > 0 && tail < ranks && !recipe.train.drop_last;
    if ranks == 1 || !recipe.distributed.sync_batch_norm || !short {
        return Ok(());
    }
    let samples = if tail == 1 { "1 sample".into() } else { format!("{tail} samples") };
    let what = format!(
        "the last batch of an epoch has {samples} for {ranks} ranks, and one without any has no part in BatchNorm's statistics"
    );
    Err(PlanError::at("distributed.sync_batch_norm", what)
        .help("set `train.drop_last = true`, or another batch size"))
}

fn ranks_notes(recipe: &Recipe, length: &Length, model: &ModelPlan, ranks: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if ranks == 1 {
        return notes;
    }
    let per_update = recipe.train.batch_size * recipe.train.grad_accum;
    notes.push(format!(
        "{ranks} ranks of {per_update} samples make updates of {}: a learning rate that was found with one process fits \
         updates of {per_update}; with SGD, {ranks} times the rate and a warm-up are usual",
        length.effective_batch
    ));
    if model.tensors.iter().any(|tensor| tensor.name.ends_with("running_mean")) {
        let batch = recipe.train.batch_size;
        let contrast = recipe.contrastive.as_ref();
        notes.push(if contrast.is_some_and(|asked| asked.key_norm == KeyNorm::Batch) {
            format!("pictures are shuffled between the {ranks} ranks before their keys are made, so that a key has other \
                     company in BatchNorm than its query")
        } else if recipe.distributed.sync_batch_norm {
            format!("BatchNorm normalises by the {} samples of all ranks", batch * ranks)
        } else {
            format!(
                "BatchNorm normalises by the {batch} samples of its own rank, and evaluation uses rank 0's statistics"
            )
        });
    }
    notes
}

fn notes(recipe: &Recipe, length: &Length, data: &DataPlan, ranks: u64) -> Vec<String> {
    let mut notes = Vec::new();
    let train = &recipe.train;
    let found = data.split("train").map_or(0, |split| split.samples.len() as u64);
    let tail = found % (train.batch_size * ranks);
    if tail != 0 && train.drop_last {
        notes.push(format!("{tail} of {found} training samples are left out of each epoch (`drop_last`)"));
    } else if tail != 0 && length.batches_per_epoch > 1 {
        let shared = if ranks > 1 {
            format!(", shared out to {ranks} ranks, at most one more to some than to others")
        } else {
            String::new()
        };
        notes.push(format!(
            "the last batch of an epoch has {tail} samples{shared}; means are taken over true counts"
        ));
    }
    if tail == 1 && !train.drop_last {
        notes.push(
            "a batch of one sample has no batch statistics worth the name; `drop_last = true` avoids it"
                .into(),
        );
    }
    if train.grad_accum > 1 && recipe.contrasts_in_batch() {
        notes.push(format!(
            "{} batches make an update, and each contrasts its {} samples alone: positives and negatives are no more than \
             in one batch",
            train.grad_accum, train.batch_size
        ));
    }
    let lone = length.batches_per_epoch % train.grad_accum;
    if lone != 0 {
        notes.push(format!("the last update of an epoch accumulates {lone} of {} batches", train.grad_accum));
    }
    if data.split("valid").is_none() && recipe.contrastive.is_some() {
        notes.push(
            "there are no labelled pictures aside: what the embeddings are worth is not measured".into(),
        );
    } else if data.split("valid").is_none() {
        notes.push("there is no validation split: nothing will tell learning from memorising".into());
    }
    if recipe.schedule.unit == Unit::Epoch && train.epochs == 1 && recipe.schedule != Schedule::default() {
        notes
            .push("the schedule counts epochs and the run has one: the learning rate will not change".into());
    }
    notes
}
