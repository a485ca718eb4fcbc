//! What a contrastive run has beside the model, which is its query encoder: the key encoder, the queue of its keys, and
//! the prototypes of clusters.

mod cluster;
mod fill;
mod look;
mod step;

use luthier_contrast::{Prototypes, Queue, false_negatives, follow, normalize};
use luthier_model::{Flow, Input, Model, ProjectionSpec};
use luthier_plan::contrast::head_of;
use luthier_plan::{ContrastPlan, Plan, Role};
use luthier_recipe::{Contrastive, ContrastiveLoss, KeyNorm, ProjectionHead};
use tch::Tensor;

use crate::prepare::bare_model;
use crate::runner::Runner;
use crate::{Checkpoint, TrainError};

/// What a checkpoint puts before the names of the key encoder's tensors, as MoCo's do.
pub(crate) const KEY: &str = "encoder_k.";

/// What a contrastive run has beside the model.
pub(crate) struct Contrast {
    asked: Contrastive,
    key: Model,
    queue: Queue,
    /// One for each granularity, once there are some
    prototypes: Vec<Prototypes>,
    /// What is minimised in the epoch that runs
    losses: Vec<ContrastiveLoss>,
    /// Heads that embeddings go through in the stage that runs
    heads: Vec<ProjectionHead>,
}

/// Says what the queue and the samples make of each other.
pub(crate) fn settle(plan: &mut Plan) {
    let Some(asked) = &plan.recipe.contrastive else { return };
    let samples = plan.data.split("train").map_or(0, |split| split.samples.len() as u64);
    let false_negatives = false_negatives(asked.queue, samples);
    plan.contrast = Some(ContrastPlan { false_negatives });
    if asked.queue > samples {
        plan.notes.push(format!(
            "the queue holds {} keys of {samples} samples: each sample meets {false_negatives:.1} keys of its own on \
             average, and is pushed away from them; a queue of a quarter of the samples has next to none",
            asked.queue
        ));
    }
}

impl Contrast {
    /// What the first stage of a contrastive run begins with: a key encoder that is the model's copy, and a queue of random
    /// directions, until it is filled. `None` for other tasks.
    pub fn new(runner: &Runner) -> Result<Option<Self>, TrainError> {
        let plan = &runner.plan;
        let Some(asked) = plan.recipe.contrastive.clone() else { return Ok(None) };
        let size = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let batch = size(plan.recipe.train.batch_size);
        let queue = Queue::new(size(asked.queue), size(asked.dim), batch, plan.recipe.seed, runner.device)?;
        let key = bare_model(plan, runner.device)?;
        let (prototypes, losses) = (Vec::new(), plan.losses_of(0));
        let mut contrast = Contrast { asked, key, queue, prototypes, losses, heads: Vec::new() };
        contrast.copy(runner)?;
        contrast.enter(runner, 0)?;
        Ok(Some(contrast))
    }

    /// Begins a stage. A BatchNorm that rests in the query encoder rests in the key encoder.
    pub fn enter(&mut self, runner: &Runner, stage: usize) -> Result<(), TrainError> {
        self.heads = runner.plan.heads_of(stage);
        for (key, query) in self.key.parameters().zip(runner.model.parameters()) {
            let _ = key.tensor.shallow_clone().f_requires_grad_(query.tensor.requires_grad())?;
        }
        Ok(())
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
        let buffers = self.asked.key_norm == KeyNorm::Ema;
        let values = |model: &Model| -> Vec<Tensor> {
            let entries = model.store.entries().iter();
            let wanted = entries.filter(|entry| buffers || entry.role != Role::Buffer);
            // a count of batches has no average
            wanted.map(|entry| entry.tensor.shallow_clone()).filter(Tensor::is_floating_point).collect()
        };
        Ok(follow(&values(&self.key), &values(&runner.model), self.asked.momentum)?)
    }

    /// The path of the instance task, and that of the prototypes.
    fn paths(&self) -> [usize; 2] {
        let through = |head| self.heads.contains(&head);
        let a = through(ProjectionHead::A);
        [ProjectionSpec::path(a, false), ProjectionSpec::path(a, through(ProjectionHead::B))]
    }

    /// What a checkpoint keeps, under the names of MoCo's and PCL's.
    pub fn tensors(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let mut all: Vec<(String, Tensor)> =
            self.key.state().into_iter().map(|(name, tensor)| (format!("{KEY}{name}"), tensor)).collect();
        let (keys, next) = self.queue.state();
        all.push(("queue".into(), keys.shallow_clone()));
        all.push(("queue_ptr".into(), Tensor::f_from_slice(&[next])?));
        for (at, prototypes) in self.prototypes.iter().enumerate() {
            let assignment = Tensor::f_from_slice(&prototypes.assignment)?;
            all.push((format!("centroids.{at}"), prototypes.centres.shallow_clone()));
            all.push((format!("density.{at}"), prototypes.concentration.shallow_clone()));
            all.push((format!("im2cluster.{at}"), assignment));
        }
        Ok(all)
    }

    /// Takes back what [`Contrast::tensors`] gave.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        self.key.load_strict(&checkpoint.key_encoder())?;
        let next = checkpoint.contrast("queue_ptr")?.f_int64_value(&[0])?;
        self.queue.restore(&checkpoint.contrast("queue")?, next)?;
        self.prototypes.clear();
        let granularities = self.asked.prototypes.iter().flat_map(|asked| 0..asked.clusters.len());
        for at in granularities {
            // before the first clusters were found there are none
            let Ok(centres) = checkpoint.contrast(&format!("centroids.{at}")) else { break };
            let concentration = checkpoint.contrast(&format!("density.{at}"))?;
            let assignment = Vec::<i64>::try_from(&checkpoint.contrast(&format!("im2cluster.{at}"))?)?;
            let device = self.key.device;
            let (centres, concentration) = (centres.f_to_device(device)?, concentration.f_to_device(device)?);
            self.prototypes.push(Prototypes { centres, concentration, assignment });
        }
        Ok(())
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
