//! Evaluation and prediction: each sample once, in order, nothing random.

use std::time::Instant;

use luthier_plan::{EvalEnd, Position};

use crate::TrainError;
use crate::answer::rows;
use crate::feed::{Batch, Batches};
use crate::job::Job;
use crate::objective::Score;
use crate::regress::{Estimate, scores};
use crate::runner::Runner;

/// What the model says about one sample.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Answer {
    /// Where the sample is: its path below the split's folder, or `table:line`
    pub path: String,
    /// Class index of the sample
    pub label: u32,
    /// Class index that the model gives the highest probability
    pub guess: u32,
    /// Probability of each class
    pub probabilities: Vec<f32>,
    /// −log of the right class's probability; of several heads the sum
    pub loss: f32,
    /// What each of several heads says; the first one's is also the sample's
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadAnswer>,
}

/// What one of several heads says about a sample.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct HeadAnswer {
    /// Its name
    pub head: String,
    /// Class index of the sample
    pub label: u32,
    /// Class index that it gives the highest probability
    pub guess: u32,
    /// Probability of each class
    pub probabilities: Vec<f32>,
}

/// An evaluated split.
pub struct Evaluation {
    /// The event to tell; its position is filled in by the session
    pub summary: EvalEnd,
    /// Every sample, where there are classes
    pub answers: Vec<Answer>,
    /// Every sample of a regression
    pub estimates: Vec<Estimate>,
    /// Samples that could not be read: path and reason
    pub skipped: Vec<(String, String)>,
}

impl Job {
    /// Evaluates a split, with the averaged weights where the run keeps an average.
    pub(crate) fn evaluate(&mut self, split: &str) -> Result<Evaluation, TrainError> {
        self.settle()?;
        self.averaged(|job| job.runner.evaluate(split))
    }

    /// As [`Job::evaluate`], of the stream at `index` beside the first, right after that one; `None` where there is no such
    /// split.
    pub(crate) fn evaluate_other(
        &mut self,
        index: usize,
        split: &str,
    ) -> Result<Option<Evaluation>, TrainError> {
        let has = |job: &&Job| job.runner.plan.data.split(split).is_some();
        self.averaged(|job| {
            let other = job.others.get(index).filter(has);
            other.map(|other| other.runner.evaluate(split)).transpose()
        })
    }

    /// As [`Job::evaluate`], on so many batches of the split: always the same samples.
    pub(crate) fn estimate(&mut self, split: &str, batches: u64) -> Result<Evaluation, TrainError> {
        self.settle()?;
        self.averaged(|job| job.runner.estimate(split, batches))
    }

    /// What `look` sees with the averaged weights where the run keeps an average, with the weights themselves elsewhere.
    fn averaged<T>(&mut self, look: impl FnOnce(&Self) -> Result<T, TrainError>) -> Result<T, TrainError> {
        self.swap_average()?;
        let result = look(self);
        self.swap_average()?;
        result
    }
}

/// What an evaluation has added up to.
pub(crate) struct Tally {
    pub heads: Vec<Score>,
    /// Samples that have a class
    pub answered: u64,
    /// Of each head; nothing of a regression
    pub confusions: Vec<Vec<Vec<u64>>>,
    pub answers: Vec<Answer>,
    pub estimates: Vec<Estimate>,
}

impl Runner {
    /// Evaluates a split.
    pub fn evaluate(&self, split: &str) -> Result<Evaluation, TrainError> {
        tch::no_grad(|| self.run_through(split, self.feed.eval(split)?, false))
    }

    /// Evaluates so many batches of a split.
    pub(crate) fn estimate(&self, split: &str, batches: u64) -> Result<Evaluation, TrainError> {
        tch::no_grad(|| self.run_through(split, self.feed.estimate(split, batches)?, true))
    }

    fn run_through(
        &self,
        split: &str,
        mut batches: Batches,
        estimate: bool,
    ) -> Result<Evaluation, TrainError> {
        if self.plan.recipe.contrastive.is_some() {
            return Err(TrainError::NoAnswers);
        }
        let began = Instant::now();
        let classes = self.plan.data.classes.len();
        let mut tally = Tally {
            heads: vec![Score::default(); self.objective.len()],
            answered: 0,
            confusions: self.objective.classes().map(|classes| vec![vec![0; classes]; classes]).collect(),
            answers: Vec::new(),
            estimates: Vec::new(),
        };
        let mut skipped = Vec::new();
        while let Some(update) = batches.next_update(1)? {
            skipped.extend(update.skipped);
            for batch in &update.batches {
                self.ask(batch, &batches, &mut tally)?;
            }
        }
        tally.answered = tally.answers.len() as u64;
        if let Some(ranks) = &self.ranks {
            ranks.merge(&mut tally)?;
        }
        let count = tally.answered + tally.estimates.len() as u64;
        let (r2, mae) = scores(&tally.estimates);
        let mut tasks = self.objective.told(&tally.heads, count);
        for (task, confusion) in tasks.iter_mut().zip(&tally.confusions) {
            task.confusion.clone_from(confusion);
        }
        let summary = EvalEnd {
            at: Position { update: 0, epoch: 0, samples: 0, epochs: 0.0 },
            split: split.into(),
            loss: self.objective.mean(&tally.heads),
            accuracy: (classes > 0).then(|| self.objective.accuracy(&tally.heads, count)),
            r2,
            mae,
            count,
            estimate,
            confusion: tally.confusions.into_iter().next().unwrap_or_default(),
            seconds: began.elapsed().as_secs_f64(),
            stream: self.beside(),
            tasks,
        };
        Ok(Evaluation { summary, answers: tally.answers, estimates: tally.estimates, skipped })
    }

    fn ask(&self, batch: &Batch, batches: &Batches, tally: &mut Tally) -> Result<(), TrainError> {
        let outputs = self.forward(batch, false)?;
        for (score, own) in tally.heads.iter_mut().zip(self.objective.score(&outputs, batch)?) {
            score.add(own);
        }
        let place =
            |row: usize| batch.indices.get(row).map(|index| batches.place_of(*index)).unwrap_or_default();
        if let Some(table) = self.plan.table.as_ref().filter(|table| !table.targets.is_empty()) {
            let truth = batch.truth(0, self.device)?;
            for (row, (truth, value)) in rows(&truth)?.iter().zip(rows(&outputs)?).enumerate() {
                tally.estimates.push(Estimate::new(place(row), truth, &value, &table.targets));
            }
            return Ok(());
        }
        let mut rows_of_heads = self.objective.answers(&outputs, batch)?;
        for row in 0..batch.labels.len() {
            let mut answer = Answer { path: place(row), ..Answer::default() };
            for (head, rows) in rows_of_heads.iter_mut().enumerate() {
                let Some(own) = rows.get_mut(row).map(std::mem::take) else { continue };
                let (label, guess) = (own.label as usize, own.guess as usize);
                // a model may have outputs that stand for no class
                let cell = tally.confusions.get_mut(head).and_then(|all| all.get_mut(label)?.get_mut(guess));
                if let Some(count) = cell {
                    *count += 1;
                }
                answer.take(own, head == 0);
            }
            tally.answers.push(answer);
        }
        Ok(())
    }
}

impl Answer {
    /// Takes in what a head says, the `first` one or another.
    fn take(&mut self, own: HeadAnswer, first: bool) {
        let right = own.probabilities.get(own.label as usize).copied().unwrap_or(0.0);
        self.loss -= right.max(f32::MIN_POSITIVE).ln();
        if first {
            (self.label, self.guess) = (own.label, own.guess);
            self.probabilities.clone_from(&own.probabilities);
        }
        if !own.head.is_empty() {
            self.heads.push(own);
        }
    }
}
