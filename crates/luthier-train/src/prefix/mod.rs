//! What frozen leading parts give, run once per sample and kept.
//!
//! Exact where nothing in those parts can change or is random: every parameter rests, nothing drops out, and the same
//! sample always looks the same. Later epochs then start at the first part that is trained.

mod fill;
mod key;
mod planned;
mod store;

use luthier_model::Flow;
use tch::{Device, Tensor};

use crate::TrainError;
use crate::feed::filler;

pub(crate) use fill::fill;
pub(crate) use planned::{frozen_parts, plan_prefixes};
pub(crate) use store::{Store, folder};

/// What the leading parts of a network give for the samples of some splits.
pub(crate) struct Prefix {
    /// How many parts
    pub parts: usize,
    store: Store,
    /// Extent of one row: `[D]` for a token or a text, `[H, W, C]` or `[F]` for a picture
    row: Vec<i64>,
    /// First row and number of rows of each different sample: of a text as many as tokens, or one
    spans: Vec<(usize, usize)>,
    /// Tokens of each different text; empty for pictures
    lengths: Vec<i64>,
    views: Vec<View>,
    /// How it came to be, for the event
    pub made: Made,
}

/// The samples of a split as they are kept.
pub(crate) struct View {
    pub split: String,
    /// As training sees them, as evaluation does, or both
    pub train: bool,
    pub eval: bool,
    /// Which span each sample is; none for one that could not be read
    pub spans: Vec<Option<u32>>,
}

/// How much had to be run.
pub(crate) struct Made {
    pub run: u64,
    pub bytes: u64,
}

impl Prefix {
    /// Where the samples of a split are, if they are kept.
    pub fn view(&self, split: &str, train: bool) -> Option<usize> {
        let fits = |view: &View| view.split == split && if train { view.train } else { view.eval };
        self.views.iter().position(fits)
    }

    /// Which of these samples are kept.
    pub fn kept(&self, view: usize, indices: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let spans = &self.views[view].spans;
        indices.iter().partition(|index| spans.get(**index as usize).is_some_and(Option::is_some))
    }

    /// What the parts gave for samples that are kept; texts with a row for each token are filled up to a multiple of
    /// `grain` rows with a sequence of zeros.
    pub fn batch(
        &self,
        view: usize,
        indices: &[u32],
        grain: usize,
        device: Device,
    ) -> Result<Flow, TrainError> {
        let spans = &self.views[view].spans;
        let which: Vec<usize> =
            indices.iter().filter_map(|index| Some((*spans.get(*index as usize)?)? as usize)).collect();
        let spans: Vec<(usize, usize)> = which.iter().filter_map(|at| self.spans.get(*at).copied()).collect();
        let width: usize = self.row.iter().product::<i64>() as usize;
        let mut lengths: Vec<i64> = which.iter().filter_map(|at| self.lengths.get(*at).copied()).collect();
        let mut total: usize = spans.iter().map(|(_, rows)| rows).sum();
        let mut flat = Vec::with_capacity((total + grain) * width);
        for (first, rows) in &spans {
            flat.extend_from_slice(self.store.floats(first * width, rows * width)?);
        }
        if !lengths.is_empty() && total as i64 == lengths.iter().sum::<i64>() {
            let more = filler(total, grain);
            lengths.push(more as i64);
            total += more;
            flat.resize(total * width, 0.0);
        }
        let mut shape = vec![total as i64];
        shape.extend(&self.row);
        let hidden = Tensor::f_from_slice(&flat)?.f_view(shape.as_slice())?.f_to_device(device)?;
        if !lengths.is_empty() {
            return Ok(Flow::packed(hidden, lengths));
        }
        // rows are kept as they lie in memory: the channels of a pixel side by side
        let hidden = if self.row.len() == 3 { hidden.f_permute([0, 3, 1, 2])? } else { hidden };
        Ok(Flow::plain(hidden))
    }
}
