//! Streams beside the first: the same model, other samples, an optimizer of their own.

use std::sync::Arc;
use std::time::Instant;

use luthier_plan::{Event, Plan, Position, watch};
use luthier_recipe::{Interleave, OnDivergence};

use crate::TrainError;
use crate::diverged::explained;
use crate::feed::{Batches, Update};
use crate::job::Job;
use crate::session::Session;
use crate::state::{State, StreamState, Sums};
use crate::step::Step;

/// The updates of one stream, pass after pass over its samples.
#[derive(Default)]
pub(crate) struct Supply {
    batches: Option<Batches>,
}

impl Supply {
    /// The next update; where a pass is over, the first of the next one. `None` only from a stream without samples.
    pub fn next(&mut self, job: &Job, pass: &mut u64, batch: &mut u64) -> Result<Option<Update>, TrainError> {
        let parts = job.runner.plan.recipe.train.grad_accum;
        for _ in 0..2 {
            let batches = match &mut self.batches {
                Some(batches) => batches,
                none => none.insert(job.runner.feed.train(*pass, *batch)?),
            };
            if let Some(update) = crate::ranks::next_update(batches, job, parts, *batch)? {
                return Ok(Some(update));
            }
            self.batches = None;
            (*pass, *batch) = (*pass + 1, 0);
        }
        Ok(None)
    }

    /// Leaves what is left of the pass: the next update is the first of another one.
    pub fn end(&mut self) {
        self.batches = None;
    }
}

/// One update of a stream that adds to the first one's gradients, and whether there was any.
pub(crate) struct Added {
    pub step: Step,
    pub update: Update,
}

impl Session<'_> {
    /// Ends an epoch of the streams beside the first: what they added up to, an evaluation, a new pass.
    pub(crate) fn end_streams(&mut self, last: Position) -> Result<(), TrainError> {
        for at in 0..self.job.others.len() {
            let (Some(job), Some(state)) = (self.job.others.get(at), self.state.streams.get_mut(at)) else {
                break;
            };
            let sums = std::mem::take(&mut state.sums);
            (state.pass, state.batch) = (state.pass + 1, 0);
            let event = sums.told(job, last);
            if let Some(supply) = self.supplies.get_mut(at) {
                supply.end();
            }
            self.tell(&event)?;
        }
        Ok(())
    }

    /// After an update of the first stream: the others' turn, where its own updates in a row are done.
    pub(crate) fn take_turns(&mut self, plan: &Plan) -> Result<(), TrainError> {
        let in_a_row = |at: usize| match plan.recipe.train.interleave {
            Interleave::Ratio => plan.recipe.streams.get(at).map_or(1, |stream| stream.steps.max(1)),
            Interleave::Alternate => 1,
            Interleave::Sum => 0,
        };
        if in_a_row(0) == 0 || !self.state.update.is_multiple_of(in_a_row(0)) {
            return Ok(());
        }
        for at in 0..self.job.others.len() {
            for _ in 0..in_a_row(at + 1) {
                self.turn(at)?;
            }
        }
        Ok(())
    }

    /// One update of a stream beside the first.
    fn turn(&mut self, at: usize) -> Result<(), TrainError> {
        let began = Instant::now();
        let place = self.at();
        let (Some(job), Some(state), Some(supply)) =
            (self.job.others.get_mut(at), self.state.streams.get_mut(at), self.supplies.get_mut(at))
        else {
            return Ok(());
        };
        let update = usable(job, supply.next(job, &mut state.pass, &mut state.batch)?, state.update)?;
        let planned = job.runner.plan.lr_factors.get(state.update as usize).copied();
        let factor = planned.unwrap_or(state.plateau.factor);
        let plan = Arc::clone(&job.runner.plan);
        let step = job.step(&update, state.update, factor, &state.watch, &mut || Ok(false));
        let mut step = match step {
            Ok(step) => step,
            Err(error) => return Err(explained(named(error, &plan.stream), &self.state)),
        };
        step.end.seconds = began.elapsed().as_secs_f64();
        let skipped = skipped(&update, place);
        state.took(&update, &step);
        step.end.at = Position { samples: state.samples, ..place };
        let (number, chance) = (state.update, watch::chance(&plan));
        state.watch.observe(number, step.end.loss, step.end.grad_norm, false, chance);
        let gone = state.watch.gone(number, plan.length.updates, chance).map(|gone| job.gone(number, gone));
        let bare = match state.update {
            1 => job.optimizer.without_gradient(&plan.model.tensors)?,
            _ => Vec::new(),
        };
        let stream = job.runner.beside();
        for event in skipped {
            self.tell(&event)?;
        }
        self.tell(&Event::StepEnd(step.end))?;
        if !bare.is_empty() {
            self.tell(&Event::NoGradient { at: place, tensors: bare, stream })?;
        }
        match gone {
            Some(error) if plan.recipe.train.on_divergence == OnDivergence::Stop => {
                Err(explained(named(error, &plan.stream), &self.state))
            }
            _ => Ok(()),
        }
    }
}

/// Gradients of one update of every stream beside the first, times `scale`, on top of what stands on the parameters.
pub(crate) fn add_all(
    others: &mut [Job],
    supplies: &mut [Supply],
    states: &mut [StreamState],
    scale: f64,
) -> Result<Vec<Added>, TrainError> {
    let mut all = Vec::new();
    for ((job, supply), state) in others.iter_mut().zip(supplies).zip(states) {
        let update = usable(job, supply.next(job, &mut state.pass, &mut state.batch)?, state.update)?;
        let step = job.add_gradients(&update, state.update, scale)?;
        state.took(&update, &step);
        all.push(Added { step, update });
    }
    Ok(all)
}

/// Where the samples of an update could be read. Among ranks, one may have none.
fn usable(job: &Job, update: Option<Update>, done: u64) -> Result<Update, TrainError> {
    let whole = |update: &Update| !update.batches.is_empty() || job.member.is_some();
    update.filter(whole).ok_or(TrainError::Unreadable(done + 1))
}

/// The samples of an update that could not be read.
pub(crate) fn skipped(update: &Update, at: Position) -> Vec<Event> {
    let event =
        |(path, why): &(String, String)| Event::SampleSkipped { at, path: path.clone(), why: why.clone() };
    update.skipped.iter().map(event).collect()
}

/// An error of a run that has gone off, with the stream in whose update it did.
fn named(error: TrainError, stream: &str) -> TrainError {
    match error {
        TrainError::Diverged { update, rule, what, help } => {
            TrainError::Diverged { update, rule, what: format!("in stream `{stream}`, {what}"), help }
        }
        other => other,
    }
}

impl StreamState {
    fn took(&mut self, update: &Update, step: &Step) {
        self.update += 1;
        self.batch += update.taken;
        self.samples += step.count;
        self.sums.add(step);
    }
}

impl Sums {
    /// The end of an epoch, from what it has added up to.
    pub(crate) fn told(&self, job: &Job, at: Position) -> Event {
        let (plan, objective) = (&job.runner.plan, &job.runner.objective);
        let accuracy = (!plan.data.classes.is_empty()).then(|| objective.accuracy(&self.heads, self.count));
        Event::EpochEnd {
            at,
            loss: objective.mean(&self.heads),
            accuracy,
            seconds: self.seconds,
            stream: job.runner.beside(),
            tasks: objective.told(&self.heads, self.count),
        }
    }
}

impl State {
    /// States of so many streams beside the first.
    pub(crate) fn with_streams(count: usize) -> State {
        State { streams: vec![StreamState::default(); count], ..State::default() }
    }
}
