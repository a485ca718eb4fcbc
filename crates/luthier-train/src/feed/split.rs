//! One split: pictures that a loader decodes, rows of a table, or texts that are in memory as tokens.

use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use luthier_data::{Chain, EpochOptions, Limits, Listed, Loader, LoaderOptions, Source};
use luthier_plan::{Plan, SplitPlan, TextPlan};
use tch::Device;

use super::{Batches, Order};
use crate::TrainError;
use crate::rows::Tables;
use crate::texts::{Reader, Sequences};

/// One split, ready to be read.
pub(crate) struct Split {
    pub name: String,
    /// As it was planned: where each sample is
    pub planned: Arc<SplitPlan>,
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
            pictures(plan, split)?
        };
        let numbers = |labels: &[u32]| -> Vec<i64> { labels.iter().copied().map(i64::from).collect() };
        let none = || vec![0i64; split.samples.len()];
        let of = |head: usize| split.samples.labels_of(head).map_or_else(none, numbers);
        let labels = numbers(split.samples.labels());
        let more = (1..plan.data.tasks.len()).map(of).collect();
        let grain = super::grain(plan);
        Ok(Split {
            name: split.name.clone(),
            planned: Arc::new(split.clone()),
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
        let places = Arc::clone(&self.planned);
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

/// A plan's list of samples, for a loader.
struct Planned(luthier_plan::Samples);

impl Listed for Planned {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn sample(&self, index: usize) -> Option<(&str, u32)> {
        Some((self.0.path(index)?, *self.0.labels().get(index)?))
    }
}

/// The loaders of a split. What evaluation sees of the training samples is computed features of, whole sets at a time:
/// these pictures wait in a file.
fn pictures(plan: &Plan, split: &SplitPlan) -> Result<Samples, TrainError> {
    let data = &plan.recipe.data;
    let source = Arc::new(Source {
        root: Path::new(&plan.base).join(&split.root),
        samples: Box::new(Planned(split.samples.clone())),
        limits: Limits { max_megapixels: data.max_megapixels },
    });
    let options = LoaderOptions {
        threads: data.workers,
        // evaluation is deterministic: its pictures are kept as the chain leaves them
        cache_bytes: data.cache_mib << 20,
        seed: plan.recipe.seed,
        on_error: data.on_error,
        ..LoaderOptions::default()
    };
    let seen = Chain::new(data.eval_transform())?;
    if split.name != "train" {
        return Ok(Samples::Pictures { eval: Loader::new(source, seen, options)?, train: None });
    }
    let eval = Loader::keeping_in(&crate::prefix::folder(), Arc::clone(&source), seen, options)?;
    let train = Loader::new(source, Chain::new(data.train_transform())?, options)?;
    Ok(Samples::Pictures { eval, train: Some(train) })
}
