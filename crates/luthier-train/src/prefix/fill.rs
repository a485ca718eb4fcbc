//! Runs leading parts once over the samples and keeps what they give.

use std::collections::HashMap;

use luthier_model::{Flow, Input, Tokens};
use luthier_plan::PrefixPlan;
use luthier_recipe::Data;
use luthier_torch::autocast_to;
use tch::{Kind, Tensor};
use xxhash_rust::xxh3::Xxh3;

use super::planned::{row_of, rows_of};
use super::store::Sink;
use super::{Made, Prefix, Store, View, key};
use crate::TrainError;
use crate::feed::Start;
use crate::runner::Runner;

/// Tokens that run at once: enough to keep matrix products busy, few enough to stay in the caches.
const TOKENS: usize = 4096;

/// Which pictures are kept: with the same chain in training and evaluation all of them once, otherwise the training
/// samples as training sees them and the validation samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PictureViews {
    one_chain: bool,
}

pub(crate) fn picture_views(data: &Data) -> PictureViews {
    PictureViews { one_chain: data.train_transform() == data.eval_transform() }
}

impl PictureViews {
    /// How often a picture of a split is kept: once or not at all.
    pub fn count(self, split: &str) -> u64 {
        u64::from(self.one_chain || split == "train" || split == "valid")
    }
}

/// Runs the leading parts of `planned` over the samples of a runner's plan.
pub(crate) fn fill(runner: &Runner, planned: &PrefixPlan) -> Result<Prefix, TrainError> {
    tch::no_grad(|| match runner.plan.text {
        Some(_) => fill_texts(runner, planned),
        None => fill_pictures(runner, planned),
    })
}

/// Texts: equal ones run once, and of a causal network equal beginnings.
fn fill_texts(runner: &Runner, planned: &PrefixPlan) -> Result<Prefix, TrainError> {
    let mut different: Vec<&[u32]> = Vec::new();
    let mut known: HashMap<&[u32], u32> = HashMap::new();
    let mut splits = Vec::new();
    for split in &runner.plan.data.splits {
        let tokens = runner.feed.split(&split.name)?.tokens()?.unwrap_or_default();
        splits.push((split.name.clone(), tokens));
    }
    let mut views = Vec::new();
    for (name, tokens) in &splits {
        let spans = tokens.iter().map(|ids| {
            Some(*known.entry(ids).or_insert_with(|| {
                different.push(ids);
                (different.len() - 1) as u32
            }))
        });
        let spans = spans.collect();
        views.push(View { split: name.clone(), train: name == "train", eval: true, spans });
    }
    // in the order of their tokens: a causal network computes beginnings that texts of one batch share once
    let mut order: Vec<usize> = (0..different.len()).collect();
    order.sort_by_key(|at| different[*at]);
    let row = row_of(&runner.plan, &runner.model, planned.parts)?;
    let mut spans = vec![(0, 0); different.len()];
    let mut rows = 0;
    for at in &order {
        let own = if row.per_token { different[*at].len() } else { 1 };
        spans[*at] = (rows, own);
        rows += own;
    }
    let width = row.floats as usize;
    let lengths = different.iter().map(|ids| ids.len() as i64).collect();
    let hash = |hash: &mut Xxh3| {
        for at in &order {
            hash.update(&(different[*at].len() as u64).to_le_bytes());
            different[*at].iter().for_each(|id| hash.update(&id.to_le_bytes()));
        }
    };
    let mut sink = match open(runner, planned, rows * width, hash)? {
        Opened::Found(store) => {
            let made = Made { run: 0, bytes: (rows * width * 4) as u64 };
            let row = vec![width as i64];
            return Ok(Prefix { parts: planned.parts, store, row, spans, lengths, views, made });
        }
        Opened::New(sink) => sink,
    };
    let mut start = 0;
    while start < order.len() {
        let mut end = start;
        let mut total = 0;
        while end < order.len() && (end == start || total + different[order[end]].len() <= TOKENS) {
            total += different[order[end]].len();
            end += 1;
        }
        let sequences: Vec<&[u32]> = order[start..end].iter().map(|at| different[*at]).collect();
        let mut packed = Tokens::pack(&sequences)?;
        packed.ids = packed.ids.f_to_device(runner.device)?;
        let flow = run(runner, planned.parts, &Input::Tokens(packed))?;
        push(&mut sink, &flow.hidden)?;
        start = end;
    }
    let made = Made { run: different.len() as u64, bytes: (rows * width * 4) as u64 };
    let row = vec![width as i64];
    Ok(Prefix { parts: planned.parts, store: sink.finish()?, row, spans, lengths, views, made })
}

/// Pictures, split by split, in order.
fn fill_pictures(runner: &Runner, planned: &PrefixPlan) -> Result<Prefix, TrainError> {
    let data = &runner.plan.recipe.data;
    let which = picture_views(data);
    let mut kept = Vec::new();
    for split in runner.plan.data.splits.iter().filter(|split| which.count(&split.name) > 0) {
        let train = split.name == "train" && !which.one_chain;
        kept.push((split, train));
    }
    let count: usize = kept.iter().map(|(split, _)| split.samples.len()).sum();
    let mut views = Vec::new();
    let mut spans = Vec::new();
    let mut row: Vec<i64> = Vec::new();
    let floats = (planned.bytes / 4) as usize;
    let hash = |hash: &mut Xxh3| {
        for (split, train) in &kept {
            let chain = if *train { data.train_transform() } else { data.eval_transform() };
            key::pictures(&runner.plan, split, &format!("{chain:?}"), hash);
        }
    };
    // a file of an earlier run does not say the shape of a row: one picture is run to know it
    let mut sink = match open(runner, planned, floats, hash)? {
        Opened::Found(store) => {
            for (split, train) in &kept {
                let first = spans.len();
                spans.extend((first..first + split.samples.len()).map(|at| (at, 1)));
                let all = (first as u32..spans.len() as u32).map(Some).collect();
                views.push(view(&split.name, *train, which, all));
            }
            if let Some((split, train)) = kept.first() {
                let mut batches = runner.feed.whole(&split.name, *train, vec![0])?;
                if let Some(update) = batches.next_update(1)?
                    && let Some(Start::Input(input)) = update.batches.first().map(|batch| &batch.start)
                {
                    row = rows_of(&run(runner, planned.parts, input)?.hidden)?.size()[1..].to_vec();
                }
            }
            let made = Made { run: 0, bytes: planned.bytes };
            let lengths = Vec::new();
            return Ok(Prefix { parts: planned.parts, store, row, spans, lengths, views, made });
        }
        Opened::New(sink) => sink,
    };
    for (split, train) in &kept {
        let mut places = vec![None; split.samples.len()];
        let mut batches =
            runner.feed.whole(&split.name, *train, (0..split.samples.len() as u32).collect())?;
        while let Some(update) = batches.next_update(1)? {
            for batch in &update.batches {
                let Start::Input(input) = &batch.start else { continue };
                let rows = rows_of(&run(runner, planned.parts, input)?.hidden)?;
                row = rows.size()[1..].to_vec();
                push(&mut sink, &rows)?;
                for index in &batch.indices {
                    places[*index as usize] = Some(spans.len() as u32);
                    spans.push((spans.len(), 1));
                }
            }
        }
        views.push(view(&split.name, *train, which, places));
    }
    let made = Made { run: spans.len() as u64, bytes: planned.bytes };
    // with pictures left out, the file is shorter than a later run would look for: it is this run's alone
    debug_assert!(spans.len() <= count);
    let lengths = Vec::new();
    Ok(Prefix { parts: planned.parts, store: sink.finish()?, row, spans, lengths, views, made })
}

fn view(split: &str, train: bool, which: PictureViews, spans: Vec<Option<u32>>) -> View {
    let both = which.one_chain && split == "train";
    View { split: split.into(), train: train || both, eval: !train, spans }
}

enum Opened {
    Found(Store),
    New(Sink),
}

/// Memory, or a file: an earlier run's where its key is the same.
fn open(
    runner: &Runner,
    planned: &PrefixPlan,
    floats: usize,
    mut hash: impl FnMut(&mut Xxh3),
) -> Result<Opened, TrainError> {
    if !planned.on_disk {
        return Ok(Opened::New(Sink::memory(floats)));
    }
    let key = key::key(&runner.plan, &runner.model, planned.parts, &mut hash)?;
    let path = runner.cache.join(format!("{key}.f32"));
    match Store::open(&path, floats) {
        Some(store) => Ok(Opened::Found(store)),
        None => Ok(Opened::New(Sink::file(&path)?)),
    }
}

fn run(runner: &Runner, parts: usize, input: &Input) -> Result<Flow, TrainError> {
    let model = &runner.model;
    Ok(autocast_to(runner.device, runner.half(), || model.run(0..parts, model.begin(input)?, false))?)
}

fn push(sink: &mut Sink, rows: &Tensor) -> Result<(), TrainError> {
    let dense = rows.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut floats = vec![0f32; dense.numel()];
    dense.f_copy_data(&mut floats, dense.numel())?;
    sink.push(&floats)
}
