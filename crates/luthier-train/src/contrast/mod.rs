//! What a contrastive run has beside the model, which is its query encoder: with a queue the key encoder, the keys, and the
//! prototypes of clusters; within batches nothing.

mod by_class;
mod cluster;
mod fill;
mod keys;
mod look;
mod step;
mod together;

use keys::Keys;
use luthier_contrast::{false_negatives, normalize};
use luthier_model::{Flow, Input, Model, ProjectionSpec};
use luthier_plan::contrast::head_of;
use luthier_plan::{ContrastPlan, Plan};
use luthier_recipe::{Contrastive, ContrastiveLoss, KeyNorm, ProjectionHead};
use tch::Tensor;

use crate::runner::Runner;
use crate::{Checkpoint, TrainError};

pub(crate) use keys::KEY;

/// What a contrastive run has beside the model.
pub(crate) struct Contrast {
    asked: Contrastive,
    /// What queries are contrasted with; `None` where a batch is contrasted with itself
    keys: Option<Keys>,
    /// All that is minimised at any time, in the objective's order
    all: Vec<ContrastiveLoss>,
    /// What is minimised in the epoch that runs
    losses: Vec<ContrastiveLoss>,
    /// Heads that embeddings go through in the stage that runs
    heads: Vec<ProjectionHead>,
}

/// Says what the samples make of the queue, or of the batches.
pub(crate) fn settle(plan: &mut Plan) {
    let Some(asked) = &plan.recipe.contrastive else { return };
    let samples = plan.data.split("train").map_or(0, |split| split.samples.len() as u64);
    if let Some(positives) = luthier_plan::contrast::positives(plan) {
        plan.contrast = Some(ContrastPlan { false_negatives: 0.0, positives: Some(positives) });
        if positives < 0.9 {
            plan.notes.push(format!(
                "{:.0} % of the samples have another of their class in their batch of {}, on average: the others have no \
                 positive; `m_per_class` in `[contrastive]` gives every one some",
                positives * 100.0,
                plan.recipe.train.batch_size
            ));
        }
        return;
    }
    let queue = asked.queue();
    let false_negatives = false_negatives(queue, samples);
    plan.contrast = Some(ContrastPlan { false_negatives, positives: None });
    if queue > samples {
        plan.notes.push(format!(
            "the queue holds {queue} keys of {samples} samples: each sample meets {false_negatives:.1} keys of its own on \
             average, and is pushed away from them; a queue of a quarter of the samples has next to none",
        ));
    }
}

impl Contrast {
    /// What the first stage of a contrastive run begins with; `None` for other tasks.
    pub fn new(runner: &Runner) -> Result<Option<Self>, TrainError> {
        let plan = &runner.plan;
        let Some(asked) = plan.recipe.contrastive.clone() else { return Ok(None) };
        let within = plan.recipe.contrasts_in_batch();
        let keys = (!within).then(|| Keys::new(runner, &asked)).transpose()?;
        let (all, losses) = (plan.recipe.contrasts(), plan.losses_of(0));
        let mut contrast = Contrast { asked, keys, all, losses, heads: Vec::new() };
        contrast.enter(runner, 0)?;
        Ok(Some(contrast))
    }

    /// Begins a stage. A BatchNorm that rests in the query encoder rests in the key encoder.
    pub fn enter(&mut self, runner: &Runner, stage: usize) -> Result<(), TrainError> {
        self.heads = runner.plan.heads_of(stage);
        self.keys.as_ref().map_or(Ok(()), |keys| keys.rest_as(&runner.model))
    }

    /// Begins an epoch. True where it contrasts with prototypes.
    pub fn begin(&mut self, losses: Vec<ContrastiveLoss>) -> bool {
        self.losses = losses;
        self.losses.contains(&ContrastiveLoss::ProtoNce)
    }

    /// Whether no loss of this epoch depends on a parameter of that name.
    pub fn passes_by(&self, name: &str) -> bool {
        head_of(name) == Some(ProjectionHead::B) && !self.losses.contains(&ContrastiveLoss::ProtoNce)
    }

    /// The key encoder takes its step towards the query encoder: once for each update, before its forward pass. With it go
    /// BatchNorm's running statistics, where keys are made of those.
    pub fn follow(&mut self, runner: &Runner) -> Result<(), TrainError> {
        let follows = self.asked.key_norm == KeyNorm::Ema;
        let momentum = self.asked.momentum();
        self.keys.as_ref().map_or(Ok(()), |keys| keys.follow(&runner.model, momentum, follows))
    }

    /// The path of the instance task, and that of the prototypes.
    fn paths(&self) -> [usize; 2] {
        let through = |head| self.heads.contains(&head);
        let a = through(ProjectionHead::A);
        [ProjectionSpec::path(a, false), ProjectionSpec::path(a, through(ProjectionHead::B))]
    }

    /// What a checkpoint keeps, under the names of MoCo's and PCL's; nothing where a batch is contrasted with itself.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        self.keys.as_ref().map_or_else(|| Ok(Vec::new()), Keys::tensors)
    }

    /// Takes back what [`Contrast::tensors`] gave.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let granularities = self.asked.prototypes.as_ref().map_or(0, |asked| asked.clusters.len());
        self.keys.as_mut().map_or(Ok(()), |keys| keys.restore(checkpoint, granularities))
    }
}

impl crate::Job {
    /// Key encoder, queue and prototypes of a contrastive run by name, as a checkpoint has them; none for other tasks.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn contrast_tensors(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        self.contrast.as_ref().map_or_else(|| Ok(Vec::new()), Contrast::tensors)
    }
}

/// Embeddings of a batch on the unit sphere, fp32 `[N, dim]`, at the end of each path; and what they were before, side by
/// side.
fn embed(
    runner: &Runner,
    model: &Model,
    pictures: &Tensor,
    paths: &[usize],
    train: bool,
) -> Result<(Vec<Tensor>, Tensor), TrainError> {
    let input = Input::Pictures(pictures.shallow_clone());
    let outputs = runner.autocast(|| {
        let flow = Flow { heads: Some(paths.into()), ..model.begin(&input)? };
        Ok(model.run(0..model.parts().len(), flow, train)?.hidden)
    })?;
    let parts = outputs.f_chunk(paths.len() as i64, 1)?;
    let rows = parts.iter().map(normalize).collect::<Result<_, _>>()?;
    Ok((rows, outputs))
}

/// The first view of a batch's pictures.
fn first_view(batch: &crate::Batch) -> Result<&Tensor, TrainError> {
    match &batch.start {
        crate::Start::Input(Input::Pictures(pictures)) => Ok(pictures),
        _ => Err(TrainError::State("a contrastive run is given something else than pictures".into())),
    }
}

/// A path, each once.
fn distinct([instance, prototype]: [usize; 2], with_prototypes: bool) -> Vec<usize> {
    if with_prototypes && prototype != instance { vec![instance, prototype] } else { vec![instance] }
}

/// As many as a share says.
fn counted(share: f64, of: usize) -> u64 {
    // shares are whole numbers of rows over rows
    (share * of as f64).round() as u64
}
