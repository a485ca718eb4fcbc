//! From planned samples to batches on the device.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use luthier_data::{Chain, Epoch, EpochOptions, Limits, Loader, LoaderOptions, Source, epoch_order};
use luthier_plan::{Plan, SplitPlan};
use luthier_torch::MemoryFormat;
use tch::{Device, Tensor};

use crate::TrainError;

/// A batch on the device.
pub struct Batch {
    /// [N, 3, H, W], fp32, channels side by side
    pub input: Tensor,
    /// Class indices
    pub labels: Vec<i64>,
    /// Indices of the samples in their split
    pub indices: Vec<u32>,
}

/// The batches of one optimizer update.
pub struct Update {
    /// Each has at least one sample; none where no sample could be read
    pub batches: Vec<Batch>,
    /// Batches taken from the epoch, the unreadable ones included
    pub taken: u64,
    /// Samples that could not be read: path and reason
    pub skipped: Vec<(String, String)>,
    /// How long the loader was waited for
    pub wait: Duration,
}

/// One split with its loader.
struct Split {
    name: String,
    paths: Arc<Vec<String>>,
    loader: Loader,
}

/// Where batches come from.
pub struct Feed {
    train: Split,
    evals: Vec<Split>,
    seed: u64,
    shuffle: bool,
    drop_last: bool,
    batch_size: usize,
    eval_batch_size: usize,
    device: Device,
}

/// The memory format of a plan.
pub(crate) fn format_of(plan: &Plan) -> MemoryFormat {
    if plan.memory_format == "channels_last" { MemoryFormat::ChannelsLast } else { MemoryFormat::Contiguous }
}

impl Feed {
    /// Loaders for every split of a plan; the training split has one more, to be evaluated with.
    pub fn new(plan: &Plan, device: Device) -> Result<Self, TrainError> {
        let recipe = &plan.recipe;
        let batch_size = size(recipe.train.batch_size);
        let eval_batch_size = recipe.eval.batch_size.map_or(batch_size, size);
        let mut train = None;
        let mut evals = Vec::new();
        for split in &plan.data.splits {
            if split.name == "train" {
                train = Some(loader(plan, split, true)?);
            }
            evals.push(loader(plan, split, false)?);
        }
        let train = train.ok_or_else(|| TrainError::State("the plan has no training split".into()))?;
        let (seed, shuffle, drop_last) = (recipe.seed, recipe.train.shuffle, recipe.train.drop_last);
        Ok(Feed { train, evals, seed, shuffle, drop_last, batch_size, eval_batch_size, device })
    }

    /// The batches of an epoch, from batch `skip` on.
    pub fn train(&self, epoch: u64, skip: u64) -> Result<Batches, TrainError> {
        let order = epoch_order(self.train.paths.len(), self.seed, epoch, self.shuffle);
        let (batch_size, skip_batches, drop_last) = (self.batch_size, size(skip), self.drop_last);
        let inner =
            self.train.loader.epoch(order, EpochOptions { epoch, batch_size, skip_batches, drop_last });
        Ok(Batches { inner, paths: Arc::clone(&self.train.paths), device: self.device })
    }

    /// The batches of a split, each sample once, in order.
    pub fn eval(&self, name: &str) -> Result<Batches, TrainError> {
        let split = self.evals.iter().find(|split| split.name == name);
        let split = split.ok_or_else(|| TrainError::State(format!("there is no split `{name}`")))?;
        let order = epoch_order(split.paths.len(), self.seed, 0, false);
        let options =
            EpochOptions { epoch: 0, batch_size: self.eval_batch_size, skip_batches: 0, drop_last: false };
        let inner = split.loader.epoch(order, options);
        Ok(Batches { inner, paths: Arc::clone(&split.paths), device: self.device })
    }

    /// How many batches [`Feed::eval`] gives.
    pub fn batches_of(&self, name: &str) -> u64 {
        let split = self.evals.iter().find(|split| split.name == name);
        split.map_or(0, |split| split.paths.len().div_ceil(self.eval_batch_size) as u64)
    }

    /// Path of a sample of a training batch.
    pub fn path_of(&self, batch: &Batch, row: usize) -> String {
        let index = batch.indices.get(row).map_or(usize::MAX, |index| *index as usize);
        self.train.paths.get(index).cloned().unwrap_or_default()
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn loader(plan: &Plan, split: &SplitPlan, train: bool) -> Result<Split, TrainError> {
    let data = &plan.recipe.data;
    let chain = Chain::new(if train { &data.transform.train } else { &data.transform.eval })?;
    let source = Source {
        root: Path::new(&plan.base).join(&split.root),
        samples: split.samples.iter().map(|sample| (sample.path.clone(), sample.label)).collect(),
        limits: Limits { max_megapixels: data.max_megapixels },
    };
    let options = LoaderOptions {
        threads: data.workers,
        // evaluation is deterministic: its pictures are kept as the chain leaves them
        cache_bytes: data.cache_mib << 20,
        seed: plan.recipe.seed,
        on_error: data.on_error,
        ..LoaderOptions::default()
    };
    let paths = Arc::new(split.samples.iter().map(|sample| sample.path.clone()).collect());
    Ok(Split { name: split.name.clone(), paths, loader: Loader::new(Arc::new(source), chain, options)? })
}

/// Batches in order.
pub struct Batches {
    inner: Epoch,
    paths: Arc<Vec<String>>,
    device: Device,
}

impl Batches {
    /// Up to `parts` batches for one update; `None` at the end of the epoch. A batch whose samples were all unreadable
    /// counts and is not in it.
    pub fn next_update(&mut self, parts: u64) -> Result<Option<Update>, TrainError> {
        let mut update = Update { batches: Vec::new(), taken: 0, skipped: Vec::new(), wait: Duration::ZERO };
        while update.taken < parts {
            let Some(batch) = self.inner.next() else { break };
            let batch = batch?;
            update.taken += 1;
            update.wait += batch.wait;
            for (index, why) in &batch.skipped {
                update.skipped.push((self.path_of(*index), why.clone()));
            }
            if !batch.labels.is_empty() {
                update.batches.push(self.to_device(batch)?);
            }
        }
        Ok((update.taken > 0).then_some(update))
    }

    /// Path of a sample below its split's folder.
    pub fn path_of(&self, index: u32) -> String {
        self.paths.get(index as usize).cloned().unwrap_or_default()
    }

    fn to_device(&self, batch: luthier_data::Batch) -> Result<Batch, TrainError> {
        let shape = [batch.labels.len() as i64, i64::from(batch.height), i64::from(batch.width), 3];
        Ok(Batch {
            input: pictures(&batch.pixels, shape)?.f_to_device(self.device)?,
            labels: batch.labels.clone(),
            indices: batch.indices.clone(),
        })
    }
}

/// Pixels [N, H, W, 3] as a tensor [N, 3, H, W]: the order in memory is channels_last already.
pub(crate) fn pictures(pixels: &[f32], shape: [i64; 4]) -> Result<Tensor, TrainError> {
    let flat = Tensor::f_from_slice(pixels)?;
    Ok(flat.f_view(shape)?.f_permute([0, 3, 1, 2])?)
}
