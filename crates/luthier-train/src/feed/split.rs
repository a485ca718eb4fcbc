//! One split: pictures that a loader decodes, rows of a table, or texts that are in memory as tokens.

use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use luthier_data::{Chain, EpochOptions, Limits, Loader, LoaderOptions, Source};
use luthier_plan::{Plan, SplitPlan, TextPlan};
use tch::Device;

use super::{Batches, Order};
use crate::TrainError;
use crate::rows::Tables;
use crate::texts::{Reader, Sequences};

/// One split, ready to be read.
pub(crate) struct Split {
    pub name: String,
    /// Where each sample is, for people
    pub places: Arc<Vec<String>>,
    pub labels: Arc<Vec<i64>>,
    /// Labels for all heads but the first
    pub more: Arc<Vec<Vec<i64>>>,
    samples: Samples,
    grain: usize,
    /// Views that training sees of each sample
    pub views: u32,
}

enum Samples {
    Pictures {
        eval: Loader,
        train: Option<Loader>,
    },
    Texts(Box<Texts>),
    /// The tables of all splits, and which split it is
    Rows(Rc<Tables>, usize),
}

/// Texts that are read when they are first asked for.
struct Texts {
    tokens: OnceLock<Arc<Sequences>>,
    reader: Reader,
    split: SplitPlan,
    plan: TextPlan,
}

impl Split {
    /// `tables` are those of a plan that has such, with the split's number.
    pub fn new(
        plan: &Plan,
        split: &SplitPlan,
        tables: Option<(Rc<Tables>, usize)>,
    ) -> Result<Self, TrainError> {
        let samples = if let Some((tables, index)) = tables {
            Samples::Rows(tables, index)
        } else if let Some(text) = &plan.text {
            let (reader, split, plan) = (Reader::of(plan), split.clone(), text.clone());
            Samples::Texts(Box::new(Texts { tokens: OnceLock::new(), reader, split, plan }))
        } else {
            let train = (split.name == "train").then(|| loader(plan, split, true)).transpose()?;
            Samples::Pictures { eval: loader(plan, split, false)?, train }
        };
        let labels = split.samples.iter().map(|sample| i64::from(sample.label)).collect();
        let heads = plan.data.tasks.len();
        let of = |head: usize| {
            split
                .samples
                .iter()
                .map(|sample| i64::from(sample.labels.get(head).copied().unwrap_or_default()))
                .collect()
        };
        let more = (1..heads).map(of).collect();
        let places = (0..split.samples.len()).map(|index| split.place(index)).collect();
        let grain = super::grain(plan);
        Ok(Split {
            name: split.name.clone(),
            places: Arc::new(places),
            labels: Arc::new(labels),
            more: Arc::new(more),
            samples,
            grain,
            views: u32::try_from(plan.views()).unwrap_or(1),
        })
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Tokens of each text; `None` for pictures.
    pub fn lengths(&self) -> Result<Option<Vec<u32>>, TrainError> {
        let Some(tokens) = self.tokens()? else { return Ok(None) };
        Ok(Some(tokens.iter().map(|ids| ids.len() as u32).collect()))
    }

    /// The texts as tokens, read when they are first asked for; `None` for pictures.
    pub fn tokens(&self) -> Result<Option<Arc<Sequences>>, TrainError> {
        let Samples::Texts(texts) = &self.samples else { return Ok(None) };
        if let Some(tokens) = texts.tokens.get() {
            return Ok(Some(Arc::clone(tokens)));
        }
        let read = Arc::new(texts.reader.tokens(&texts.split, &texts.plan)?);
        Ok(Some(Arc::clone(texts.tokens.get_or_init(|| read))))
    }

    /// Batches of samples in this order; pictures in so many views as training sees them, or in one as evaluation does.
    pub fn batches(
        &self,
        views: Option<u32>,
        order: Vec<u32>,
        epoch: u64,
        batch_size: usize,
        skip: usize,
        device: Device,
    ) -> Result<Batches, TrainError> {
        let places = Arc::clone(&self.places);
        let batches = match &self.samples {
            Samples::Pictures { eval, train: augmented } => {
                let augmented = augmented.as_ref().filter(|_| views.is_some());
                let views = views.filter(|_| augmented.is_some()).unwrap_or(1);
                let loader = augmented.unwrap_or(eval);
                let options = EpochOptions { epoch, batch_size, skip_batches: skip, drop_last: false, views };
                Batches::pictures(loader.epoch(order, options), places, device)
            }
            Samples::Rows(tables, index) => {
                let order = Order::new(order, batch_size, skip);
                Batches::rows(tables.rows(*index)?, order, places, Arc::clone(&self.labels), device)
            }
            Samples::Texts(_) => {
                let tokens = self.tokens()?.unwrap_or_default();
                let order = Order::new(order, batch_size, skip);
                Batches::texts(tokens, self.grain, order, places, Arc::clone(&self.labels), device)
            }
        };
        Ok(batches.with_more(&self.more))
    }
}

fn loader(plan: &Plan, split: &SplitPlan, train: bool) -> Result<Loader, TrainError> {
    let data = &plan.recipe.data;
    let chain = Chain::new(if train { data.train_transform() } else { data.eval_transform() })?;
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
    Ok(Loader::new(Arc::new(source), chain, options)?)
}
