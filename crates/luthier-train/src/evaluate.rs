//! Evaluation and prediction: each sample once, in order, nothing random.

use std::time::Instant;

use luthier_plan::{EvalEnd, Position};
use tch::{Kind, Tensor};

use crate::TrainError;
use crate::feed::Batches;
use crate::job::Job;
use crate::runner::Runner;

/// What the model says about one sample.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Answer {
    /// Where the sample is: its path below the split's folder, or `table:line`
    pub path: String,
    /// Class index of the sample
    pub label: u32,
    /// Class index that the model gives the highest probability
    pub guess: u32,
    /// Probability of each class
    pub probabilities: Vec<f32>,
    /// Loss of the sample, label smoothing and class weights left out
    pub loss: f32,
}

/// An evaluated split.
pub struct Evaluation {
    /// The event to tell; its position is filled in by the session
    pub summary: EvalEnd,
    /// Every sample
    pub answers: Vec<Answer>,
    /// Samples that could not be read: path and reason
    pub skipped: Vec<(String, String)>,
}

impl Job {
    /// Evaluates a split, with the averaged weights where the run keeps an average.
    pub(crate) fn evaluate(&mut self, split: &str) -> Result<Evaluation, TrainError> {
        self.swap_average()?;
        let result = self.runner.evaluate(split);
        self.swap_average()?;
        result
    }

    /// As [`Job::evaluate`], on so many batches of the split: always the same samples.
    pub(crate) fn estimate(&mut self, split: &str, batches: u64) -> Result<Evaluation, TrainError> {
        self.swap_average()?;
        let result = self.runner.estimate(split, batches);
        self.swap_average()?;
        result
    }
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
        let began = Instant::now();
        let classes = self.plan.data.classes.len();
        let mut confusion = vec![vec![0u64; classes]; classes];
        let (mut loss, mut denominator, mut correct) = (0.0, 0.0, 0u64);
        let (mut answers, mut skipped) = (Vec::new(), Vec::new());
        while let Some(update) = batches.next_update(1)? {
            skipped.extend(update.skipped);
            for batch in &update.batches {
                let logits = self.forward(batch, false)?;
                let labels = Tensor::from_slice(&batch.labels).to_device(self.device);
                loss += self.objective.sum(&logits, &labels)?.f_double_value(&[])?;
                denominator += self.objective.denominator(&batch.labels);
                for (row, (label, probabilities)) in
                    batch.labels.iter().zip(probabilities(&logits)?).enumerate()
                {
                    let (label, guess) = (*label as u32, argmax(&probabilities));
                    confusion[label as usize][guess as usize] += 1;
                    correct += u64::from(label == guess);
                    let own = -probabilities[label as usize].max(f32::MIN_POSITIVE).ln();
                    let path = batches.place_of(batch.indices[row]);
                    answers.push(Answer { path, label, guess, probabilities, loss: own });
                }
            }
        }
        let count = answers.len() as u64;
        let summary = EvalEnd {
            at: Position { update: 0, epoch: 0, samples: 0, epochs: 0.0 },
            split: split.into(),
            loss: loss / denominator,
            accuracy: correct as f64 / count as f64,
            count,
            estimate,
            confusion,
            seconds: began.elapsed().as_secs_f64(),
        };
        Ok(Evaluation { summary, answers, skipped })
    }
}

/// Softmax of logits [N, classes], row by row.
pub fn probabilities(logits: &Tensor) -> Result<Vec<Vec<f32>>, TrainError> {
    let rows = logits.f_softmax(-1, Kind::Float)?.f_to_device(tch::Device::Cpu)?;
    let (count, classes) = rows.size2()?;
    let mut flat = vec![0f32; (count * classes) as usize];
    rows.f_contiguous()?.f_copy_data(&mut flat, (count * classes) as usize)?;
    Ok(flat.chunks(classes.max(1) as usize).map(<[f32]>::to_vec).collect())
}

/// Index of the largest; the first of equals, as `torch.argmax` on a row of finite numbers.
pub fn argmax(row: &[f32]) -> u32 {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = index;
        }
    }
    best as u32
}
