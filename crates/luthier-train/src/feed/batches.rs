//! Batches in order, from a loader, from rows or tokens in memory, or from what frozen parts gave.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use luthier_data::Epoch;
use luthier_model::{Flow, Input, Tokens};
use luthier_plan::SplitPlan;
use tch::{Device, Tensor};

use super::pictures;
use crate::TrainError;
use crate::prefix::Prefix;
use crate::rows::Rows;
use crate::texts::Sequences;

/// A batch on the device.
pub struct Batch {
    /// What goes into the network, and where. Of texts, a last sequence may be filler: it has no label, and its logits
    /// are left out
    pub start: Start,
    /// Class indices, of the first of several heads; 0 for a regression
    pub labels: Vec<i64>,
    /// Class indices of the other heads
    pub more: Vec<Vec<i64>>,
    /// Targets of a regression, as the model sees them: fp32 [N, targets]
    pub values: Option<Tensor>,
    /// Indices of the samples in their split
    pub indices: Vec<u32>,
    /// Of a contrastive run, a second view of each picture: fp32 [N, 3, H, W]
    pub second: Option<Tensor>,
}

impl Batch {
    /// What the loss of a head compares the outputs with: labels, int64 [N], or the targets of a regression, fp32
    /// [N, targets].
    pub fn truth(&self, head: usize, device: Device) -> Result<Tensor, TrainError> {
        match &self.values {
            Some(values) => Ok(values.shallow_clone()),
            None => Ok(Tensor::f_from_slice(self.labels_of(head))?.f_to_device(device)?),
        }
    }

    /// Class indices that a head learns.
    pub fn labels_of(&self, head: usize) -> &[i64] {
        match head.checked_sub(1) {
            None => &self.labels,
            Some(other) => self.more.get(other).map_or(&[], Vec::as_slice),
        }
    }
}

/// What goes into a network, and where.
pub enum Start {
    /// At the beginning
    Input(Input),
    /// Behind the first so many parts: what those gave
    Behind(usize, Flow),
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

/// Tokens of filler that bring a batch of texts to a multiple of `grain` tokens: at least one, at most `grain`.
///
/// oneDNN compiles a kernel for every number of rows it meets. Packed batches would have a new number each time; with
/// the filler there are a few.
pub(crate) fn filler(total: usize, grain: usize) -> usize {
    let grain = grain.max(1);
    grain - total % grain
}

/// Batches in order.
pub struct Batches {
    source: Source,
    places: Arc<SplitPlan>,
    /// Labels of every sample for all heads but the first
    more: Arc<Vec<Vec<i64>>>,
    device: Device,
}

enum Source {
    Pictures(Epoch),
    Rows { rows: Rc<Rows>, labels: Arc<Vec<i64>>, order: Order },
    Texts { tokens: Arc<Sequences>, grain: usize, labels: Arc<Vec<i64>>, order: Order },
    Kept { prefix: Arc<Prefix>, view: usize, grain: usize, labels: Arc<Vec<i64>>, order: Order },
}

/// Indices of samples, cut into batches.
pub(super) struct Order {
    indices: Vec<u32>,
    at: usize,
    size: usize,
}

impl Order {
    /// `skip` batches of the beginning are left out.
    pub fn new(indices: Vec<u32>, size: usize, skip: usize) -> Self {
        Order { at: skip.saturating_mul(size).min(indices.len()), indices, size }
    }
}

impl Iterator for Order {
    type Item = Vec<u32>;

    fn next(&mut self) -> Option<Vec<u32>> {
        let end = self.at.saturating_add(self.size.max(1)).min(self.indices.len());
        let part = self.indices.get(self.at..end).filter(|part| !part.is_empty())?.to_vec();
        self.at = end;
        Some(part)
    }
}

/// One batch, or only the samples of it that could not be read.
struct Taken {
    batch: Option<Batch>,
    skipped: Vec<(u32, String)>,
    wait: Duration,
}

impl Batches {
    pub(super) fn pictures(epoch: Epoch, places: Arc<SplitPlan>, device: Device) -> Self {
        Batches { source: Source::Pictures(epoch), places, more: Arc::default(), device }
    }

    pub(super) fn rows(
        rows: Rc<Rows>,
        order: Order,
        places: Arc<SplitPlan>,
        labels: Arc<Vec<i64>>,
        device: Device,
    ) -> Self {
        Batches { source: Source::Rows { rows, labels, order }, places, more: Arc::default(), device }
    }

    pub(super) fn texts(
        tokens: Arc<Sequences>,
        grain: usize,
        order: Order,
        places: Arc<SplitPlan>,
        labels: Arc<Vec<i64>>,
        device: Device,
    ) -> Self {
        Batches {
            source: Source::Texts { tokens, grain, labels, order },
            places,
            more: Arc::default(),
            device,
        }
    }

    pub(super) fn kept(
        prefix: Arc<Prefix>,
        view: usize,
        grain: usize,
        order: Order,
        places: Arc<SplitPlan>,
        labels: Arc<Vec<i64>>,
        device: Device,
    ) -> Self {
        Batches {
            source: Source::Kept { prefix, view, grain, labels, order },
            places,
            more: Arc::default(),
            device,
        }
    }

    /// The same, with labels of every sample for all heads but the first.
    pub(super) fn with_more(self, more: &Arc<Vec<Vec<i64>>>) -> Self {
        Batches { more: Arc::clone(more), ..self }
    }

    /// Up to `parts` batches for one update; `None` at the end of the epoch. A batch whose samples were all unreadable
    /// counts and is not in it.
    pub fn next_update(&mut self, parts: u64) -> Result<Option<Update>, TrainError> {
        let mut update = Update { batches: Vec::new(), taken: 0, skipped: Vec::new(), wait: Duration::ZERO };
        while update.taken < parts {
            let Some(taken) = self.next()? else { break };
            update.taken += 1;
            update.wait += taken.wait;
            for (index, why) in taken.skipped {
                update.skipped.push((self.place_of(index), why));
            }
            update.batches.extend(taken.batch.map(|batch| {
                let more = self.more.iter().map(|labels| labels_of(labels, &batch.indices)).collect();
                Batch { more, ..batch }
            }));
        }
        Ok((update.taken > 0).then_some(update))
    }

    /// Where a sample is, for people.
    pub fn place_of(&self, index: u32) -> String {
        self.places.place(index as usize)
    }

    fn next(&mut self) -> Result<Option<Taken>, TrainError> {
        let device = self.device;
        match &mut self.source {
            Source::Pictures(epoch) => match epoch.next() {
                Some(batch) => Ok(Some(decoded(batch?, device)?)),
                None => Ok(None),
            },
            Source::Rows { rows, labels, order } => {
                let Some(indices) = order.next() else { return Ok(None) };
                let began = Instant::now();
                let (x, values) = rows.batch(&indices)?;
                let (start, labels) = (Start::Input(Input::Rows(x)), labels_of(labels, &indices));
                let batch = Batch { start, labels, more: Vec::new(), values, indices, second: None };
                Ok(Some(Taken { batch: Some(batch), skipped: Vec::new(), wait: began.elapsed() }))
            }
            Source::Texts { tokens, grain, labels, order } => {
                let Some(indices) = order.next() else { return Ok(None) };
                let began = Instant::now();
                let empty = Vec::new();
                let of = |index: &u32| tokens.get(*index as usize).unwrap_or(&empty);
                let mut sequences: Vec<&Vec<u32>> = indices.iter().map(of).collect();
                let more = vec![0; filler(sequences.iter().map(|ids| ids.len()).sum(), *grain)];
                sequences.push(&more);
                let mut packed = Tokens::pack(&sequences)?;
                packed.ids = packed.ids.f_to_device(device)?;
                let labels = labels_of(labels, &indices);
                let start = Start::Input(Input::Tokens(packed));
                let batch = Batch { start, labels, more: Vec::new(), values: None, indices, second: None };
                Ok(Some(Taken { batch: Some(batch), skipped: Vec::new(), wait: began.elapsed() }))
            }
            Source::Kept { prefix, view, grain, labels, order } => {
                let Some(indices) = order.next() else { return Ok(None) };
                let began = Instant::now();
                let (kept, lost) = prefix.kept(*view, &indices);
                let batch = if kept.is_empty() {
                    None
                } else {
                    let flow = prefix.batch(*view, &kept, *grain, device)?;
                    let labels = labels_of(labels, &kept);
                    let start = Start::Behind(prefix.parts, flow);
                    Some(Batch { start, labels, more: Vec::new(), values: None, indices: kept, second: None })
                };
                let why = || "it could not be read when frozen parts were run".to_string();
                let skipped = lost.into_iter().map(|index| (index, why())).collect();
                Ok(Some(Taken { batch, skipped, wait: began.elapsed() }))
            }
        }
    }
}

fn labels_of(labels: &[i64], indices: &[u32]) -> Vec<i64> {
    indices.iter().filter_map(|index| labels.get(*index as usize).copied()).collect()
}

/// A batch of pixels as a tensor.
fn decoded(batch: luthier_data::Batch, device: Device) -> Result<Taken, TrainError> {
    let (wait, skipped) = (batch.wait, batch.skipped.clone());
    if batch.labels.is_empty() {
        return Ok(Taken { batch: None, skipped, wait });
    }
    let count = batch.labels.len() as i64;
    let (height, width) = (i64::from(batch.height), i64::from(batch.width));
    let views = batch.pixels.len() as i64 / (count * height * width * 3);
    let all = pictures(&batch.pixels, [views * count, height, width, 3])?.f_to_device(device)?;
    let (first, second) = if views > 1 {
        (all.f_narrow(0, 0, count)?, Some(all.f_narrow(0, count, count)?))
    } else {
        (all, None)
    };
    let start = Start::Input(Input::Pictures(first));
    let (labels, indices) = (batch.labels.clone(), batch.indices.clone());
    let batch = Batch { start, labels, more: Vec::new(), values: None, indices, second };
    Ok(Taken { batch: Some(batch), skipped, wait })
}
