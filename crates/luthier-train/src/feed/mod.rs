//! From planned samples to batches on the device.

mod batches;
mod split;

use std::rc::Rc;
use std::sync::Arc;

use luthier_data::{bucketed_order, epoch_order, per_class_order};
use luthier_plan::Plan;
use luthier_torch::MemoryFormat;
use tch::{Device, Tensor};

use crate::TrainError;
use crate::prefix::Prefix;
use crate::rows::Tables;

use batches::Order;
pub(crate) use batches::filler;
pub use batches::{Batch, Batches, Start, Update};
pub(crate) use split::Split;

/// Batches of one window in which texts are sorted by length, where `data.length_buckets` asks for it.
const WINDOW_BATCHES: usize = 50;

/// See [`batches::filler`]: large enough that there are few shapes, small enough that filler costs little.
const TOKEN_GRAIN: usize = 64;

/// Where batches come from.
pub struct Feed {
    splits: Vec<Split>,
    /// What frozen leading parts gave, while a stage has such
    pub(crate) prefix: Option<Arc<Prefix>>,
    seed: u64,
    shuffle: bool,
    drop_last: bool,
    length_buckets: bool,
    /// Samples of each of a training batch's classes, where that is asked for
    m_per_class: Option<usize>,
    /// Batches of texts are filled up to a multiple of so many tokens
    grain: usize,
    batch_size: usize,
    eval_batch_size: usize,
    /// Which share of every batch is used, of how many
    pub(crate) share: (usize, usize),
    device: Device,
}

/// The memory format of a plan.
pub(crate) fn format_of(plan: &Plan) -> MemoryFormat {
    if plan.memory_format == "channels_last" { MemoryFormat::ChannelsLast } else { MemoryFormat::Contiguous }
}

impl Feed {
    /// Sources of batches for every split of a plan. Nothing is read yet.
    pub fn new(plan: &Plan, device: Device) -> Result<Self, TrainError> {
        let recipe = &plan.recipe;
        let batch_size = size(recipe.train.batch_size);
        let tables = Tables::of(plan, device).map(Rc::new);
        let split = |(index, split)| Split::new(plan, split, tables.clone().map(|tables| (tables, index)));
        let splits = plan.data.splits.iter().enumerate().map(split).collect::<Result<_, _>>()?;
        Ok(Feed {
            splits,
            prefix: None,
            seed: recipe.seed,
            shuffle: recipe.train.shuffle,
            drop_last: recipe.train.drop_last,
            length_buckets: recipe.data.length_buckets,
            m_per_class: recipe.contrastive.as_ref().and_then(|asked| asked.m_per_class).map(size),
            grain: grain(plan),
            batch_size,
            eval_batch_size: recipe.eval.batch_size.map_or(batch_size, size),
            share: (0, 1),
            device,
        })
    }

    /// The batches of an epoch, from batch `skip` on: this rank's share of them.
    pub fn train(&self, epoch: u64, skip: u64) -> Result<Batches, TrainError> {
        let split = self.split("train")?;
        let order = self.own(self.order(epoch)?, self.batch_size);
        self.batches(split, true, order, epoch, self.batch_size, size(skip))
    }

    /// Batches that all ranks together take from one pass over the training samples.
    pub(crate) fn batches_of_a_pass(&self) -> Result<u64, TrainError> {
        let (samples, together) = (self.split("train")?.len(), self.batch_size.saturating_mul(self.share.1));
        Ok(if self.drop_last { samples / together } else { samples.div_ceil(together) } as u64)
    }

    fn own(&self, order: Vec<u32>, batch_size: usize) -> Vec<u32> {
        crate::ranks::own(order, batch_size, self.share.0, self.share.1)
    }

    /// The training samples of an epoch, by index, in the order in which they are used, of all ranks.
    pub fn order(&self, epoch: u64) -> Result<Vec<u32>, TrainError> {
        let split = self.split("train")?;
        let together = self.batch_size.saturating_mul(self.share.1);
        if let Some(m) = self.m_per_class {
            let labels: Vec<u32> = split.labels.iter().map(|label| *label as u32).collect();
            return Ok(per_class_order(&labels, together, m, self.seed, epoch));
        }
        let mut order = match split.lengths()? {
            Some(lengths) if self.length_buckets && self.shuffle => {
                bucketed_order(&lengths, together, self.seed, epoch, WINDOW_BATCHES)
            }
            _ => epoch_order(split.len(), self.seed, epoch, self.shuffle),
        };
        if self.drop_last {
            order.truncate(order.len() / together * together);
        }
        Ok(order)
    }

    /// The batches of a split, each sample once, in order: this rank's share of them.
    pub fn eval(&self, name: &str) -> Result<Batches, TrainError> {
        let split = self.split(name)?;
        let order = self.own(epoch_order(split.len(), self.seed, 0, false), self.eval_batch_size);
        self.batches(split, false, order, 0, self.eval_batch_size, 0)
    }

    /// As [`Feed::eval`], of all ranks.
    pub(crate) fn all(&self, name: &str) -> Result<Batches, TrainError> {
        let split = self.split(name)?;
        self.batches(split, false, epoch_order(split.len(), self.seed, 0, false), 0, self.eval_batch_size, 0)
    }

    /// As many samples of a split as so many training batches have, drawn by the seed: always the same ones.
    pub fn estimate(&self, name: &str, batches: u64) -> Result<Batches, TrainError> {
        let split = self.split(name)?;
        // as the order of an epoch that no run reaches
        let mut order = epoch_order(split.len(), self.seed, u64::MAX, true);
        order.truncate(self.batch_size.saturating_mul(self.share.1).saturating_mul(size(batches)));
        let order = self.own(order, self.eval_batch_size);
        self.batches(split, false, order, 0, self.eval_batch_size, 0)
    }

    /// How many batches [`Feed::eval`] gives.
    pub fn batches_of(&self, name: &str) -> u64 {
        let together = self.eval_batch_size.saturating_mul(self.share.1);
        self.split(name).map_or(0, |split| split.len().div_ceil(together) as u64)
    }

    /// Samples of a split by index, from the beginning of the network, whatever is kept of them: `augmented` as training
    /// sees them in `epoch` (where the split is the training split), or as evaluation does.
    pub fn some(
        &self,
        name: &str,
        augmented: bool,
        epoch: u64,
        indices: Vec<u32>,
        batch_size: usize,
    ) -> Result<Batches, TrainError> {
        let split = self.split(name)?;
        split.batches(augmented.then_some(split.views), indices, epoch, batch_size, 0, self.device)
    }

    /// Two views of some training samples as training sees them, always the same ones: for looks at embeddings.
    pub(crate) fn views(&self, most: usize) -> Result<Batches, TrainError> {
        let split = self.split("train")?;
        // as the order and the views of an epoch that no run reaches
        let mut order = epoch_order(split.len(), self.seed, u64::MAX, true);
        order.truncate(most);
        split.batches(Some(2), order, u64::MAX, self.eval_batch_size, 0, self.device)
    }

    /// Class indices of a split's samples, in order.
    pub fn labels(&self, name: &str) -> Result<&[i64], TrainError> {
        Ok(&self.split(name)?.labels)
    }

    /// Tokens of a split's texts, in order; `None` for other data.
    pub fn texts(&self, name: &str) -> Result<Option<Arc<Vec<Vec<u32>>>>, TrainError> {
        self.split(name)?.tokens()
    }

    /// Samples of a split from the beginning of the network, whatever is kept of them.
    pub(crate) fn whole(&self, name: &str, train: bool, order: Vec<u32>) -> Result<Batches, TrainError> {
        self.some(name, train, 0, order, self.eval_batch_size)
    }

    /// The split of that name.
    pub(crate) fn split(&self, name: &str) -> Result<&Split, TrainError> {
        let found = self.splits.iter().find(|split| split.name == name);
        found.ok_or_else(|| TrainError::State(format!("there is no split `{name}`")))
    }

    /// Where a sample of a training batch is, for people.
    pub fn place_of(&self, batch: &Batch, row: usize) -> String {
        let index = batch.indices.get(row).map_or(usize::MAX, |index| *index as usize);
        self.split("train").map(|split| split.planned.place(index)).unwrap_or_default()
    }

    fn batches(
        &self,
        split: &Split,
        train: bool,
        order: Vec<u32>,
        epoch: u64,
        batch_size: usize,
        skip: usize,
    ) -> Result<Batches, TrainError> {
        let kept = self.prefix.as_ref().and_then(|prefix| Some((prefix, prefix.view(&split.name, train)?)));
        match kept {
            Some((prefix, view)) => {
                let places = Arc::clone(&split.planned);
                let labels = Arc::clone(&split.labels);
                let order = Order::new(order, batch_size, skip);
                let (prefix, device) = (Arc::clone(prefix), self.device);
                let batches = Batches::kept(prefix, view, self.grain, order, places, labels, device);
                Ok(batches.with_more(&split.more))
            }
            None => split.batches(train.then_some(split.views), order, epoch, batch_size, skip, self.device),
        }
    }
}

/// Tokens that a batch of texts is filled up to a multiple of; a filler is a sequence, and no longer than one may be.
pub(super) fn grain(plan: &Plan) -> usize {
    plan.text.as_ref().map_or(1, |text| size(text.max_length).min(TOKEN_GRAIN))
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Pixels [N, H, W, 3] as a tensor [N, 3, H, W]: the order in memory is channels_last already.
pub(crate) fn pictures(pixels: &[f32], shape: [i64; 4]) -> Result<Tensor, TrainError> {
    let flat = Tensor::f_from_slice(pixels)?;
    Ok(flat.f_view(shape)?.f_permute([0, 3, 1, 2])?)
}
