//! Contrastive pretraining as it was decided: which losses run when, through which heads.

use luthier_recipe::{ContrastiveLoss, ProjectionHead, Recipe, Stage};
use serde::{Deserialize, Serialize};

use crate::{Length, Plan, PlanError, StagePlan, TensorPlan};

/// What the data makes of `[contrastive]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContrastPlan {
    /// Keys of its own picture that a sample meets in the queue on average: false negatives
    pub false_negatives: f64,
    /// Of a contrast within batches, the share of samples that have another of their class in their batch, on average; of
    /// one with a queue, `None`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positives: Option<f64>,
}

impl Plan {
    /// What a contrastive run minimises in an epoch; nothing for other tasks.
    pub fn losses_of(&self, epoch: u64) -> Vec<ContrastiveLoss> {
        let Some(asked) = &self.recipe.contrastive else { return Vec::new() };
        if let Some(stage) = self.asked_stage(self.stage_of(epoch)).filter(|stage| !stage.loss.is_empty()) {
            return stage.loss.clone();
        }
        let begun = asked.prototypes.as_ref().is_some_and(|prototypes| epoch >= prototypes.warmup_epochs);
        let mut losses = asked.losses();
        losses.retain(|loss| begun || *loss != ContrastiveLoss::ProtoNce);
        losses
    }

    /// Views that a contrastive run learns from of each sample; 1 for other tasks. A triplet loss by itself compares
    /// samples of a class, not views of one.
    pub fn views(&self) -> u64 {
        let losses = self.recipe.contrasts();
        if losses.iter().all(|loss| *loss == ContrastiveLoss::Triplet) { 1 } else { 2 }
    }

    /// The heads that embeddings go through in a stage.
    pub fn heads_of(&self, stage: usize) -> Vec<ProjectionHead> {
        let Some(asked) = &self.recipe.contrastive else { return Vec::new() };
        let own = self.asked_stage(stage).and_then(|stage| stage.heads.clone());
        own.unwrap_or_else(|| asked.heads.clone())
    }

    /// A stage as the recipe has it.
    fn asked_stage(&self, stage: usize) -> Option<&Stage> {
        self.recipe.stages.get(stage)
    }
}

/// The further head that a parameter belongs to.
pub fn head_of(name: &str) -> Option<ProjectionHead> {
    let layer = name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias"))?;
    [ProjectionHead::A, ProjectionHead::B]
        .into_iter()
        .find(|head| layer.rsplit_once('.').is_some_and(|(_, last)| last == head.as_str()))
}

/// Lets the heads rest that a stage does not go through: no loss depends on them.
///
/// # Errors
/// Nothing else is trained in the stage.
pub(crate) fn rest(
    recipe: &Recipe,
    stages: &mut [StagePlan],
    tensors: &[TensorPlan],
) -> Result<(), PlanError> {
    let Some(asked) = &recipe.contrastive else { return Ok(()) };
    for (at, (stage, planned)) in recipe.stages.iter().zip(stages).enumerate() {
        let heads = stage.heads.as_ref().unwrap_or(&asked.heads);
        let losses = if stage.loss.is_empty() { asked.losses() } else { stage.loss.clone() };
        let clusters = losses.contains(&ContrastiveLoss::ProtoNce);
        let unused = |tensor: &TensorPlan| {
            head_of(&tensor.name)
                .is_some_and(|head| !heads.contains(&head) || head == ProjectionHead::B && !clusters)
        };
        for (index, tensor) in tensors.iter().enumerate().filter(|(_, tensor)| tensor.trainable) {
            if unused(tensor) && !planned.resting.contains(&index) {
                planned.resting.push(index);
            }
        }
        planned.resting.sort_unstable();
        if tensors.iter().filter(|tensor| tensor.trainable).count() == planned.resting.len() {
            let what = format!("stage `{}` trains only heads that it does not go through", stage.name);
            let help = "name them in its `heads`, or train something else";
            return Err(PlanError::at(format!("stages[{at}].train"), what).help(help));
        }
    }
    Ok(())
}

/// Numbers of `[contrastive]` that do not fit the training samples, which are of these classes.
///
/// # Errors
/// More clusters than samples, a last batch of one sample, classes that cannot be told apart or fill no batch.
pub(crate) fn check(
    recipe: &Recipe,
    length: &Length,
    classes: &[String],
    labels: &[u32],
    ranks: u64,
) -> Result<(), PlanError> {
    let Some(asked) = &recipe.contrastive else { return Ok(()) };
    if ranks > 1 {
        among_ranks(recipe, length, ranks)?;
    }
    let samples = labels.len() as u64;
    let clusters = asked.prototypes.iter().flat_map(|prototypes| &prototypes.clusters);
    if let Some((at, clusters)) = clusters.enumerate().find(|(_, clusters)| **clusters > samples) {
        let what = format!("{clusters} clusters of {samples} training samples: some would have none");
        let key = format!("contrastive.prototypes.clusters[{at}]");
        return Err(PlanError::at(key, what).help("ask for fewer; a tenth of the samples at most is usual"));
    }
    if recipe.contrasts_in_batch() {
        by_class(recipe, classes, &counts(classes, labels))?;
    }
    if length.samples % recipe.train.batch_size == 1 {
        let what = "the last batch of an epoch has one sample, and no other to contrast it with";
        return Err(PlanError::at("train.batch_size", what).help("write `drop_last = true` in `[train]`"));
    }
    Ok(())
}

/// What several processes ask of a recipe: whole batches of all of them in the queue, and two samples for each in the last.
fn among_ranks(recipe: &Recipe, length: &Length, ranks: u64) -> Result<(), PlanError> {
    let Some(asked) = &recipe.contrastive else { return Ok(()) };
    let batch = recipe.train.batch_size;
    if recipe.contrasts_in_batch() {
        let what = format!(
            "{ranks} processes would contrast the samples of {ranks} batches of {batch}, each its own alone"
        );
        let help = "leave `--nproc-per-node` out; a contrast with a queue, `info_nce`, is made with the keys of all processes";
        return Err(PlanError::at("contrastive.loss", what).help(help));
    }
    if recipe.distributed.sync_batch_norm {
        let what =
            "a query and its key would have statistics in common, which tell them from all keys of the queue";
        let help = "write `sync_batch_norm = false`; keys are made by running statistics, or shuffled between processes";
        return Err(PlanError::at("distributed.sync_batch_norm", what).help(help));
    }
    let together = batch * ranks;
    let queue = asked.queue();
    if queue % together != 0 {
        let whole = (queue / together).max(1) * together;
        let what =
            format!("a queue of {queue} keys is no multiple of the {together} keys of {ranks} processes");
        let help = format!("an update replaces whole batches of keys: `queue = {whole}` would do");
        return Err(PlanError::at("contrastive.queue", what).help(help));
    }
    let tail = length.samples % together;
    if tail > 0 && tail < 2 * ranks {
        let what = format!(
            "the last batch of an epoch has {tail} samples for {ranks} processes: one would have no two to contrast"
        );
        return Err(PlanError::at("train.batch_size", what).help("write `drop_last = true` in `[train]`"));
    }
    Ok(())
}

/// Training samples of each class.
fn counts(classes: &[String], labels: &[u32]) -> Vec<u64> {
    let mut counts = vec![0; classes.len()];
    for label in labels {
        if let Some(count) = counts.get_mut(*label as usize) {
            *count += 1;
        }
    }
    counts
}

/// Whether samples of these classes can be contrasted by class.
fn by_class(recipe: &Recipe, classes: &[String], counts: &[u64]) -> Result<(), PlanError> {
    let Some(asked) = &recipe.contrastive else { return Ok(()) };
    let all = recipe.contrasts();
    let name = if all.contains(&ContrastiveLoss::Triplet) { "triplet" } else { "sup_con" };
    let source = recipe.data.source_key();
    let there = counts.iter().filter(|count| **count > 0).count();
    if there < 2 {
        let only = counts.iter().position(|count| *count > 0).unwrap_or(0);
        let what = format!(
            "`{name}` tells classes apart, and the training samples are of {}",
            match there {
                0 => "none".to_owned(),
                _ => format!("one: `{}`", classes.get(only).map_or("", String::as_str)),
            }
        );
        let help = "give a folder with one folder for each class; without labels, `loss = [\"info_nce\"]` learns from views";
        return Err(PlanError::at(source, what).help(help));
    }
    if all.iter().all(|loss| *loss == ContrastiveLoss::Triplet) && counts.iter().all(|count| *count < 2) {
        let what = "every class has one training sample: no triplet has a positive";
        let help = "give several samples of each class; without them, `loss = [\"sup_con\"]` or `[\"info_nce\"]` learns from \
                    two views of each";
        return Err(PlanError::at(source, what).help(help));
    }
    let Some(m) = asked.m_per_class else { return Ok(()) };
    let few = classes.iter().zip(counts).find(|(_, count)| (1..m).contains(*count));
    if let Some((class, count)) = few {
        let what = format!(
            "class `{class}` has {count} training samples, and a batch has {m} of each of its classes"
        );
        let help = format!(
            "write `m_per_class = {}`{}, or leave the class out with `data.exclude`",
            (*count).max(2),
            if *count < 2 { " and give it another sample" } else { "" }
        );
        return Err(PlanError::at("contrastive.m_per_class", what).help(help));
    }
    let wanted = recipe.train.batch_size / m.max(1);
    if wanted > there as u64 {
        let what = format!(
            "a batch of {} has {wanted} classes of {m} samples each, and there are {there}",
            recipe.train.batch_size
        );
        let help = format!("take batches of {}, or more samples of each class", there as u64 * m);
        return Err(PlanError::at("contrastive.m_per_class", what).help(help));
    }
    Ok(())
}

/// Share of samples that have another of their class in their batch, on average over all that can be drawn; `None` where
/// a queue is contrasted with.
pub fn positives(plan: &Plan) -> Option<f64> {
    if !plan.recipe.contrasts_in_batch() {
        return None;
    }
    let asked = plan.recipe.contrastive.as_ref()?;
    if asked.m_per_class.is_some() || plan.views() > 1 {
        return Some(1.0);
    }
    let labels: Vec<u32> = plan.data.split("train")?.samples.iter().map(|sample| sample.label).collect();
    let counts = counts(&plan.data.classes, &labels);
    let all = labels.len() as u64;
    let others = plan.recipe.train.batch_size.min(all).saturating_sub(1);
    // none of the others of the batch is of its class: drawn one by one, without putting back
    let none = |count: u64| -> f64 {
        let of = |drawn: u64| {
            (all.saturating_sub(count + drawn)) as f64 / all.saturating_sub(1 + drawn).max(1) as f64
        };
        (0..others).map(of).product()
    };
    let share = |count: &u64| *count as f64 * (1.0 - none(*count));
    Some(counts.iter().map(share).sum::<f64>() / all.max(1) as f64)
}
