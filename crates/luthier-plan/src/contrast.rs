//! Contrastive pretraining as it was decided: which losses run when, through which heads.

use luthier_recipe::{ContrastiveLoss, ProjectionHead, Recipe, Stage};
use serde::{Deserialize, Serialize};

use crate::{Length, Plan, PlanError, StagePlan, TensorPlan};

/// What the data makes of `[contrastive]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContrastPlan {
    /// Keys of its own picture that a sample meets in the queue on average: false negatives
    pub false_negatives: f64,
}

impl Plan {
    /// What a contrastive run minimises in an epoch; nothing for other tasks.
    pub fn losses_of(&self, epoch: u64) -> Vec<ContrastiveLoss> {
        let Some(asked) = &self.recipe.contrastive else { return Vec::new() };
        if let Some(stage) = self.asked_stage(self.stage_of(epoch)).filter(|stage| !stage.loss.is_empty()) {
            return stage.loss.clone();
        }
        let begun = asked.prototypes.as_ref().is_some_and(|prototypes| epoch >= prototypes.warmup_epochs);
        let mut losses = vec![ContrastiveLoss::InfoNce];
        losses.extend(begun.then_some(ContrastiveLoss::ProtoNce));
        losses
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
        let clusters = stage.loss.is_empty() || stage.loss.contains(&ContrastiveLoss::ProtoNce);
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

/// Numbers of `[contrastive]` that do not fit the training samples.
///
/// # Errors
/// More clusters than samples, or a last batch of one sample.
pub(crate) fn check(recipe: &Recipe, length: &Length, samples: u64) -> Result<(), PlanError> {
    let Some(asked) = &recipe.contrastive else { return Ok(()) };
    let clusters = asked.prototypes.iter().flat_map(|prototypes| &prototypes.clusters);
    if let Some((at, clusters)) = clusters.enumerate().find(|(_, clusters)| **clusters > samples) {
        let what = format!("{clusters} clusters of {samples} training samples: some would have none");
        let key = format!("contrastive.prototypes.clusters[{at}]");
        return Err(PlanError::at(key, what).help("ask for fewer; a tenth of the samples at most is usual"));
    }
    if length.samples % recipe.train.batch_size == 1 {
        let what = "the last batch of an epoch has one sample, and no other to contrast it with";
        return Err(PlanError::at("train.batch_size", what).help("write `drop_last = true` in `[train]`"));
    }
    Ok(())
}
