//! Clusters of the whole set, on what the key encoder makes of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use luthier_contrast::{
    Clusters, Concentration, FeatureWriter, Features, KMeans, Prototypes, concentrations, kmeans, plus_plus,
};
use luthier_plan::{Clustered, Granularity, Position};
use tch::Tensor;

use super::together::first_ranks;
use super::{Contrast, embed, first_view};
use crate::TrainError;
use crate::job::Job;
use crate::runner::Runner;
use crate::step::mix;

impl Job {
    /// Finds the prototypes of an epoch, at every granularity.
    pub(crate) fn cluster(&mut self, at: Position) -> Result<Option<Clustered>, TrainError> {
        let Some(contrast) = &mut self.contrast else { return Ok(None) };
        let began = Instant::now();
        let file = Scratch::new(&self.runner);
        if contrast.keys.is_none() {
            return Ok(None);
        }
        let (features, members) = tch::no_grad(|| contrast.features(&self.runner, &file))?;
        let granularities = contrast.find(&self.runner, &features, &members, at.epoch)?;
        let (samples, seconds) = (members.len() as u64, began.elapsed().as_secs_f64());
        Ok(Some(Clustered { at, samples, granularities, seconds }))
    }
}

impl Contrast {
    /// Embeddings of all training samples by the key encoder, as evaluation sees them, batch by batch into a file; and
    /// which sample each row is.
    fn features(&self, runner: &Runner, file: &Scratch) -> Result<(Features, Vec<u32>), TrainError> {
        let key = self.keys.as_ref().map(|keys| &keys.encoder);
        let key = key.ok_or_else(|| TrainError::State("the run has no key encoder".into()))?;
        // where keys are made by their batch's statistics, every rank's encoder has its own running ones
        first_ranks(runner, key, &[])?;
        let width = i64::try_from(self.asked.dim).unwrap_or(i64::MAX);
        let mut writer = FeatureWriter::create(&file.0, width, 0)?;
        let mut members = Vec::new();
        let mut batches = runner.feed.eval("train")?;
        // ranks share the samples out, and each has all the features in the end
        for _ in 0..runner.feed.batches_of("train") {
            let update = batches.next_update(1)?;
            let batch = update.as_ref().and_then(|update| update.batches.first());
            let make = |batch| {
                Ok::<_, TrainError>(embed(runner, key, first_view(batch)?, &self.paths()[1..], false)?.0)
            };
            let own = batch.map(make).transpose()?;
            let own = own.iter().flatten().next().zip(batch.map(|batch| batch.indices.as_slice()));
            if let Some((rows, samples)) = Self::rows_together(runner, own)? {
                writer.push(&rows)?;
                members.extend(samples);
            }
        }
        Ok((writer.finish_unsynced()?, members))
    }

    fn find(
        &mut self,
        runner: &Runner,
        features: &Features,
        members: &[u32],
        epoch: u64,
    ) -> Result<Vec<Granularity>, TrainError> {
        let (Some(asked), Some(keys)) = (&self.asked.prototypes, &mut self.keys) else {
            return Ok(Vec::new());
        };
        let samples = runner.feed.labels("train")?.len();
        let mut told = Vec::new();
        keys.prototypes.clear();
        for (at, count) in (0..).zip(&asked.clusters) {
            let clusters = i64::try_from(*count).unwrap_or(i64::MAX);
            let start = plus_plus(features, clusters, mix(runner.plan.recipe.seed, epoch, at))?;
            let options = KMeans { iterations: asked.iterations, spherical: true };
            let found = same_everywhere(runner, kmeans(features, &start, options)?)?;
            let numbers = Concentration { temperature: self.asked.temperature(), ..Concentration::default() };
            let clusters = usize::try_from(*count).unwrap_or(usize::MAX);
            let density = concentrations(&found.assignment, &found.squared_distances, clusters, numbers)?;
            let mut sizes = vec![0u64; clusters];
            // a sample that could not be read is in no batch either
            let mut assignment = vec![0; samples];
            for (sample, cluster) in members.iter().zip(&found.assignment) {
                assignment[*sample as usize] = *cluster;
                sizes[*cluster as usize] += 1;
            }
            let ends =
                |pick: fn(f32, f32) -> f32| density.iter().copied().reduce(pick).map_or(0.0, f64::from);
            told.push(Granularity {
                clusters: *count,
                spread: found.inertia / members.len().max(1) as f64,
                largest: sizes.into_iter().max().unwrap_or(0),
                repaired: found.repaired,
                concentration: [ends(f32::min), ends(f32::max)],
            });
            let device = runner.device;
            keys.prototypes.push(Prototypes {
                centres: found.centres.f_to_device(device)?,
                concentration: Tensor::f_from_slice(&density)?.f_to_device(device)?,
                assignment,
            });
        }
        Ok(told)
    }
}

/// What rank 0 found: processors of another kind round other sums.
fn same_everywhere(runner: &Runner, mut found: Clusters) -> Result<Clusters, TrainError> {
    let Some(ranks) = runner.ranks.as_deref() else { return Ok(found) };
    let assignment = Tensor::f_from_slice(&found.assignment)?;
    let distances = Tensor::f_from_slice(&found.squared_distances)?;
    for tensor in [&found.centres, &assignment, &distances] {
        ranks.group.broadcast(tensor, 0)?;
    }
    found.assignment = Vec::try_from(&assignment)?;
    found.squared_distances = Vec::try_from(&distances)?;
    Ok(found)
}

/// A file that is removed when nobody needs it any more.
pub(super) struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(runner: &Runner) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // processes of several machines may share the folder, and have one number each
        let rank = runner.ranks.as_ref().map_or(0, |ranks| ranks.world.rank);
        Scratch(runner.cache.join(format!("features-{}-{rank}-{number}.bin", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
