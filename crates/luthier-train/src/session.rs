//! The loop. It owns no policy and prints nothing: what happens was planned, and is told to listeners.

mod looks;
mod opened;
mod saving;

pub use opened::OpenedOptimizer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use luthier_plan::{
    Event, Listener, MonitorPoint, Outcome, Plan, Position, RunEnd, Spike, StepEnd, Wish, watch,
};
use luthier_recipe::{Every, Interleave, OnDivergence};

use crate::diverged::explained;
use crate::job::Job;
use crate::objective::Score;
use crate::state::{Best, Sums};
use crate::step::Step;
use crate::streams::{Added, Supply, add_all, skipped};
use crate::{Checkpoint, State, TrainError};

/// A run under way.
pub struct Session<'a> {
    pub(crate) job: Job,
    pub(crate) state: State,
    /// Updates of the streams beside the first
    pub(crate) supplies: Vec<Supply>,
    checkpoints: PathBuf,
    listeners: &'a mut [Box<dyn Listener>],
    stop: &'a AtomicBool,
    wish: Wish,
    began: Instant,
    /// Checkpoints are written
    saves: bool,
    writing: Option<saving::Writing>,
}

impl<'a> Session<'a> {
    /// A run of `job` from its first update. Checkpoints go below `checkpoints`; raising `stop` ends the run after the
    /// update that is under way, with a checkpoint.
    pub fn new(
        job: Job,
        checkpoints: &Path,
        listeners: &'a mut [Box<dyn Listener>],
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainError> {
        let state = State::with_streams(job.others.len());
        let supplies = job.others.iter().map(|_| Supply::default()).collect();
        let (checkpoints, began) = (checkpoints.to_path_buf(), Instant::now());
        Ok(Session {
            job,
            state,
            supplies,
            checkpoints,
            listeners,
            stop,
            wish: Wish::Continue,
            began,
            saves: true,
            writing: None,
        })
    }

    /// The same run without a checkpoint: nothing is written, and nothing can be resumed.
    #[must_use]
    pub fn unsaved(self) -> Self {
        Session { saves: false, ..self }
    }

    /// Goes on where `checkpoint` was written.
    pub fn resume(mut self, checkpoint: &Checkpoint) -> Result<Self, TrainError> {
        self.job.restore(checkpoint)?;
        self.state = checkpoint.state.clone();
        Ok(self)
    }

    /// Runs to the end.
    pub fn run(mut self) -> Result<RunEnd, TrainError> {
        self.tell(&Event::RunBegin { at: self.at() })?;
        let outcome = self.epochs();
        // whatever happened, the last checkpoint is whole before anybody hears of the end
        let written = self.written(true);
        let (outcome, error) = match outcome.and_then(|outcome| written.map(|()| outcome)) {
            Ok(outcome) => (outcome, None),
            Err(error @ TrainError::Diverged { .. }) => (Outcome::Diverged, Some(error)),
            Err(error) => return Err(error),
        };
        let best = self.state.best;
        let (rule, why) = match &error {
            Some(TrainError::Diverged { rule, what, .. }) => (Some((*rule).into()), Some(what.clone())),
            _ => (None, None),
        };
        let run_end = RunEnd {
            at: self.at(),
            outcome,
            best_update: best.map(|best| best.update),
            best_metric: best.map(|best| best.metric),
            rule,
            why,
            seconds: self.seconds(),
        };
        self.tell(&Event::RunEnd(run_end.clone()))?;
        error.map_or(Ok(run_end), Err)
    }

    fn epochs(&mut self) -> Result<Outcome, TrainError> {
        let plan = self.job.runner.plan.clone();
        let mut entered = None;
        while self.state.epoch < plan.length.epochs && !self.state.stopped {
            let stage = plan.stage_of(self.state.epoch);
            if entered.replace(stage) != Some(stage) {
                self.enter(&plan, stage)?;
            }
            if !self.epoch(&plan)? {
                return Ok(Outcome::Interrupted);
            }
        }
        for split in &plan.recipe.eval.at_end {
            self.look_back(&plan, split.as_str())?;
        }
        Ok(if self.state.stopped { Outcome::Stopped } else { Outcome::Finished })
    }

    /// Begins a stage, or goes on with it: its parameters move, and frozen leading parts run once.
    fn enter(&mut self, plan: &Plan, stage: usize) -> Result<(), TrainError> {
        if self.job.stage() != stage {
            self.job.enter(stage)?;
        }
        let Some(planned) = plan.stages.get(stage) else { return Ok(()) };
        let first = planned.first_epoch * plan.length.updates_per_epoch;
        // a run that goes on in the middle of a stage has told it before
        if !plan.recipe.stages.is_empty() && self.state.update == first {
            let trained = plan.model.tensors.iter().filter(|tensor| tensor.trainable).count();
            let (stage, name) = (stage as u64, planned.name.clone());
            let tensors = (trained - planned.resting.len()) as u64;
            self.tell(&Event::StageBegin { at: self.at(), stage, name, tensors })?;
        }
        if let Some(prefix) = &planned.prefix {
            let began = Instant::now();
            self.tell(&Event::PrefixBegin { at: self.at(), samples: prefix.samples })?;
            let filled = crate::prefix::fill(&self.job.runner, prefix)?;
            let (run, bytes) = (filled.made.run, filled.made.bytes);
            self.job.runner.feed.prefix = Some(Arc::new(filled));
            let seconds = began.elapsed().as_secs_f64();
            self.tell(&Event::PrefixEnd { at: self.at(), run, bytes, seconds })?;
        }
        Ok(())
    }

    /// One epoch, or what is left of it. False when the run was asked to stop.
    fn epoch(&mut self, plan: &Plan) -> Result<bool, TrainError> {
        self.tell(&Event::EpochBegin { at: self.at(), updates: plan.length.updates_per_epoch })?;
        self.begin_contrast(plan)?;
        let mut supply = Supply::default();
        let last = (self.state.epoch + 1) * plan.length.updates_per_epoch;
        let mut mark = Instant::now();
        while self.state.update < last {
            let (pass, batch) = (&mut self.state.pass, &mut self.state.batch);
            let Some(update) = supply.next(&self.job, pass, batch)? else { break };
            for event in skipped(&update, self.at()) {
                self.tell(&event)?;
            }
            if update.batches.is_empty() && self.job.member.is_none() {
                return Err(TrainError::Unreadable(self.state.update + 1));
            }
            let planned = plan.lr_factors.get(self.state.update as usize).copied();
            // a curve that depends on metrics is not planned
            let scale = plan.stages.get(self.job.stage()).map_or(1.0, |stage| stage.lr_scale);
            let factor = planned.unwrap_or(self.state.plateau.factor * scale);
            let mut added = Vec::new();
            let (number, summed) = (self.state.update, plan.recipe.train.interleave == Interleave::Sum);
            let mut others = std::mem::take(&mut self.job.others);
            let (supplies, states, watch) = (&mut self.supplies, &mut self.state.streams, &self.state.watch);
            let scale = self.job.scale();
            let step = self.job.step(&update, number, factor, watch, &mut || {
                if summed {
                    added = add_all(&mut others, supplies, states, scale)?;
                }
                Ok(!added.is_empty())
            });
            self.job.others = others;
            let mut step = step.map_err(|error| explained(error, &self.state))?;
            for (job, one) in self.job.others.iter_mut().zip(&mut added) {
                let end = &mut one.step.end;
                (end.loss_scale, end.skipped) = (step.end.loss_scale, step.end.skipped);
                if !step.end.skipped {
                    job.weigh(&one.step, factor)?;
                }
            }
            self.state.update += 1;
            self.state.batch += update.taken;
            self.state.samples += step.count;
            step.end.at = self.at();
            // from one update's end to the next: waiting for data and telling listeners included
            step.end.seconds = mark.elapsed().as_secs_f64();
            mark = Instant::now();
            self.state.sums.add(&step);
            let skipped_step = step.end.skipped;
            self.told(plan, step)?;
            self.written(false)?;
            for Added { step, update } in added {
                for event in skipped(&update, self.at()) {
                    self.tell(&event)?;
                }
                self.tell(&Event::StepEnd(StepEnd { at: self.at(), ..step.end }))?;
            }
            self.take_turns(plan)?;
            if !self.job.others.is_empty() && !skipped_step {
                self.job.average()?;
            }
            if due(plan.recipe.eval.every, self.state.update) {
                self.look(plan)?;
                mark = Instant::now();
            }
            let saved = due(plan.recipe.train.checkpoint.every, self.state.update);
            if saved {
                self.save(plan)?;
                mark = Instant::now();
            }
            if self.job.stops(self.stop.load(Ordering::Relaxed) || self.wish == Wish::Stop) {
                if !saved {
                    self.save(plan)?;
                }
                return Ok(false);
            }
        }
        self.end_epoch(plan)?;
        Ok(true)
    }

    /// Tells an update, what was seen in it, and whether the run has gone off.
    fn told(&mut self, plan: &Plan, step: Step) -> Result<(), TrainError> {
        let (update, chance) = (self.state.update, watch::chance(plan));
        let (loss, norm) = (step.end.loss, step.end.grad_norm);
        self.state.watch.observe(update, loss, norm, step.spike.is_some(), chance);
        self.tell(&Event::StepEnd(step.end))?;
        if update == 1 {
            let mut tensors = self.job.optimizer.without_gradient(&plan.model.tensors)?;
            if let Some(contrast) = &self.job.contrast {
                tensors.retain(|name| !contrast.passes_by(name));
            }
            if !tensors.is_empty() {
                let stream = self.job.runner.beside();
                self.tell(&Event::NoGradient { at: self.at(), tensors, stream })?;
            }
        }
        if let Some(tensors) = step.look {
            self.tell(&Event::Monitor(MonitorPoint { update, tensors, outputs: Vec::new() }))?;
        }
        if let Some(spike) = step.spike {
            self.tell(&Event::Spike(Spike { at: self.at(), ..spike }))?;
        }
        match self.state.watch.gone(update, plan.length.updates, chance) {
            Some(gone) if plan.recipe.train.on_divergence == OnDivergence::Stop => {
                Err(explained(self.job.gone(update, gone), &self.state))
            }
            _ => Ok(()),
        }
    }

    fn end_epoch(&mut self, plan: &Plan) -> Result<(), TrainError> {
        self.job.same_weights(self.state.update)?;
        let sums = std::mem::take(&mut self.state.sums);
        let last = Position { epochs: (self.state.epoch + 1) as f64, ..self.at() };
        let rest = self.state.batch > 0 || plan.streams.is_empty();
        self.state.epoch += 1;
        (self.state.pass, self.state.batch) = (self.state.pass + u64::from(rest), 0);
        let told = sums.told(&self.job, last);
        self.tell(&told)?;
        self.end_streams(last)?;
        let over = self.state.epoch == plan.length.epochs;
        let due = due_epoch(plan.recipe.eval.every, self.state.epoch);
        if due && plan.recipe.eval.batches.is_some() {
            self.look(plan)?;
        }
        if over || due || plan.recipe.eval.batches.is_some() {
            self.evaluate(plan)?;
        }
        if over || self.state.stopped || due_epoch(plan.recipe.train.checkpoint.every, self.state.epoch) {
            self.save(plan)?;
        }
        Ok(())
    }

    pub(crate) fn at(&self) -> Position {
        self.state.position(&self.job.runner.plan.length)
    }

    fn seconds(&self) -> f64 {
        self.state.seconds + self.began.elapsed().as_secs_f64()
    }

    pub(crate) fn tell(&mut self, event: &Event) -> Result<(), TrainError> {
        for listener in self.listeners.iter_mut() {
            if listener.hear(event).map_err(TrainError::Listener)? == Wish::Stop {
                self.wish = Wish::Stop;
            }
        }
        Ok(())
    }
}

impl State {
    /// Takes note of a metric: is it the best, and has it not been for too long?
    fn judge(&mut self, metric: f64, higher: bool, stopping: Option<&luthier_recipe::EarlyStopping>) {
        let margin = stopping.map_or(0.0, |stopping| stopping.min_delta);
        let beats = |best: f64, by: f64| if higher { metric > best + by } else { metric < best - by };
        let best = self.best.map(|best| best.metric);
        let patient = best.is_none_or(|best| beats(best, margin));
        if best.is_none_or(|best| beats(best, 0.0)) {
            self.best = Some(Best { update: self.update, metric });
        }
        self.bad = if patient { 0 } else { self.bad + 1 };
        self.stopped = stopping.is_some_and(|stopping| self.bad > stopping.patience);
    }
}

impl Sums {
    pub(crate) fn add(&mut self, step: &Step) {
        self.heads.resize(step.scores.len(), Score::default());
        for (sum, own) in self.heads.iter_mut().zip(&step.scores) {
            sum.add(*own);
        }
        self.count += step.count;
        self.seconds += step.end.seconds;
    }
}

fn due(every: Every, update: u64) -> bool {
    matches!(every, Every::Steps(steps) if update.is_multiple_of(steps.max(1)))
}

fn due_epoch(every: Every, epochs: u64) -> bool {
    matches!(every, Every::Epochs(n) if epochs.is_multiple_of(n.max(1)))
}
