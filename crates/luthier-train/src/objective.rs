//! What is minimised: the loss of the one head, or the weighted sum of several heads' losses.

use luthier_plan::{Plan, TaskScore};
use tch::{Device, Tensor};

use crate::TrainError;
use crate::answer::rows;
use crate::evaluate::HeadAnswer;
use crate::feed::Batch;
use crate::head_loss::HeadLoss;

/// What is minimised, ready to run.
pub struct Objective {
    tasks: Vec<Task>,
    device: Device,
}

/// The loss of one head.
struct Task {
    /// Name of the head; empty where there is one
    name: String,
    loss: HeadLoss,
    weight: f64,
    /// First output and number of outputs that are its; `None` for all
    columns: Option<(i64, i64)>,
}

/// The losses of one head.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// Sum of losses
    pub loss: f64,
    /// What it is divided by
    pub denominator: f64,
    /// Right answers
    pub right: u64,
}

impl Score {
    /// Takes another one in.
    pub fn add(&mut self, other: Score) {
        self.loss += other.loss;
        self.denominator += other.denominator;
        self.right += other.right;
    }
}

impl Objective {
    /// The objective of a plan for a model that gives `outputs` numbers.
    pub(crate) fn new(plan: &Plan, outputs: i64, device: Device) -> Self {
        let recipe = &plan.recipe;
        if plan.data.tasks.is_empty() {
            let loss =
                HeadLoss::new(&recipe.loss, &plan.class_weights, plan.data.classes.len(), outputs, device);
            return Objective {
                tasks: vec![Task { name: String::new(), loss, weight: 1.0, columns: None }],
                device,
            };
        }
        let mut first = 0;
        let mut tasks = Vec::new();
        for task in &plan.data.tasks {
            let (classes, count) = (task.classes.len(), task.classes.len() as i64);
            let loss = recipe.model.heads.get(&task.head).map(|head| head.loss.clone()).unwrap_or_default();
            let loss = HeadLoss::new(&loss, &task.class_weights, classes, count, device);
            let columns = Some((first, count));
            tasks.push(Task { name: task.head.clone(), loss, weight: task.weight, columns });
            first += count;
        }
        Objective { tasks, device }
    }

    /// The first head's loss: the only one, or the one that answers and confusions are told about.
    pub fn first(&self) -> &HeadLoss {
        &self.tasks[0].loss
    }

    /// Outputs of the first head.
    pub fn first_outputs(&self, outputs: &Tensor) -> Result<Tensor, TrainError> {
        self.tasks[0].outputs(outputs)
    }

    /// How many heads.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// There is always one.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Sum of each head's losses over a batch: a scalar for each.
    pub fn sums(&self, outputs: &Tensor, batch: &Batch) -> Result<Vec<Tensor>, TrainError> {
        let sum = |(at, task): (usize, &Task)| {
            task.loss.sum(&task.outputs(outputs)?, &batch.truth(at, self.device)?)
        };
        self.tasks.iter().enumerate().map(sum).collect()
    }

    /// What each head's sum is divided by.
    pub fn denominators(&self, batch: &Batch) -> Vec<f64> {
        let one = |(at, task): (usize, &Task)| task.loss.denominator(batch.labels_of(at));
        self.tasks.iter().enumerate().map(one).collect()
    }

    /// What gradients are taken of: a batch's sums of losses, as the share of an update that has these denominators,
    /// by the plan's weights.
    pub fn minimised(&self, sums: &[Tensor], denominators: &[f64]) -> Result<Tensor, TrainError> {
        self.weighed(&self.parts(sums, denominators)?, None)
    }

    /// The same of each head, without its weight.
    pub(crate) fn parts(&self, sums: &[Tensor], denominators: &[f64]) -> Result<Vec<Tensor>, TrainError> {
        let parts = self.tasks.iter().zip(sums).zip(denominators);
        parts.map(|((task, sum), denominator)| task.loss.for_gradient(sum, *denominator)).collect()
    }

    /// Their sum by other weights than the plan's, where such are given.
    pub(crate) fn weighed(&self, parts: &[Tensor], weights: Option<&[f64]>) -> Result<Tensor, TrainError> {
        let mut whole: Option<Tensor> = None;
        for (at, (task, part)) in self.tasks.iter().zip(parts).enumerate() {
            let weight = weights.and_then(|weights| weights.get(at)).copied().unwrap_or(task.weight);
            let part = if weight == 1.0 { part.shallow_clone() } else { part.f_mul_scalar(weight)? };
            whole = Some(match whole {
                Some(before) => before.f_add(&part)?,
                None => part,
            });
        }
        Ok(whole.unwrap_or_else(|| Tensor::zeros([], (tch::Kind::Float, self.device))))
    }

    /// What each head's losses came to in an update, as gradients were taken of them: means, or sums where the recipe
    /// says so.
    pub(crate) fn reduced(&self, scores: &[Score]) -> Vec<f64> {
        let one = |(task, score): (&Task, &Score)| task.loss.reduced(score.loss, score.denominator);
        self.tasks.iter().zip(scores).map(one).collect()
    }

    /// The loss that is told, as a tensor.
    pub fn mean_of(&self, sums: &[Tensor], denominators: &[f64]) -> Result<Tensor, TrainError> {
        let mut whole = Tensor::f_zeros([], (tch::Kind::Float, self.device))?;
        for ((task, sum), denominator) in self.tasks.iter().zip(sums).zip(denominators) {
            whole = whole.f_add(&sum.f_mul_scalar(task.weight / denominator)?)?;
        }
        Ok(whole)
    }

    /// The loss that is told: the weighted sum of the heads' means.
    pub fn mean(&self, scores: &[Score]) -> f64 {
        self.tasks.iter().zip(scores).map(|(task, score)| task.weight * score.loss / score.denominator).sum()
    }

    /// Right answers of each head over a batch.
    pub fn right(&self, outputs: &Tensor, batch: &Batch) -> Result<Vec<u64>, TrainError> {
        let one = |(at, task): (usize, &Task)| {
            task.loss.right(&task.outputs(outputs)?, &batch.truth(at, self.device)?)
        };
        self.tasks.iter().enumerate().map(one).collect()
    }

    /// Number of classes of each head; 0 for a regression.
    pub(crate) fn classes(&self) -> impl Iterator<Item = usize> {
        self.tasks.iter().map(|task| task.loss.classes)
    }

    /// What each head says about each sample of a batch.
    pub(crate) fn answers(
        &self,
        outputs: &Tensor,
        batch: &Batch,
    ) -> Result<Vec<Vec<HeadAnswer>>, TrainError> {
        let one = |(at, task): (usize, &Task)| {
            let own = task.outputs(outputs)?;
            let guesses = Vec::<i64>::try_from(&task.loss.guesses(&own)?)?;
            let probabilities = rows(&task.loss.probabilities(&own)?)?;
            let all = batch.labels_of(at).iter().zip(guesses).zip(probabilities);
            let answer = |((label, guess), probabilities): ((&i64, i64), Vec<f32>)| HeadAnswer {
                head: task.name.clone(),
                label: *label as u32,
                guess: guess as u32,
                probabilities,
            };
            Ok(all.map(answer).collect())
        };
        self.tasks.iter().enumerate().map(one).collect()
    }

    /// What was said about a batch, without a graph.
    pub fn score(&self, outputs: &Tensor, batch: &Batch) -> Result<Vec<Score>, TrainError> {
        let right = self.right(outputs, batch)?;
        let sums = self.sums(outputs, batch)?;
        let denominators = self.denominators(batch);
        let one = |((sum, right), denominator): ((&Tensor, u64), f64)| -> Result<Score, TrainError> {
            Ok(Score { loss: sum.f_double_value(&[])?, denominator, right })
        };
        sums.iter().zip(right).zip(denominators).map(one).collect()
    }

    /// The loss of one sample of a batch, as if it were alone.
    pub fn of_row(&self, outputs: &Tensor, batch: &Batch, row: usize) -> Result<f64, TrainError> {
        let at = row as i64;
        let mut whole = 0.0;
        for (head, task) in self.tasks.iter().enumerate() {
            let one = task.outputs(outputs)?.f_narrow(0, at, 1)?;
            let truth = batch.truth(head, self.device)?.f_narrow(0, at, 1)?;
            whole += task.weight * task.loss.sum(&one, &truth)?.f_double_value(&[])?;
        }
        Ok(whole)
    }

    /// Loss and share of right answers of each of several heads, over so many samples; nothing where there is one.
    pub fn told(&self, scores: &[Score], count: u64) -> Vec<TaskScore> {
        if self.tasks.len() == 1 && self.tasks[0].name.is_empty() {
            return Vec::new();
        }
        let one = |(task, score): (&Task, &Score)| TaskScore {
            head: task.name.clone(),
            loss: score.loss / score.denominator,
            accuracy: score.right as f64 / count as f64,
            weight: None,
            confusion: Vec::new(),
        };
        self.tasks.iter().zip(scores).map(one).collect()
    }

    /// Share of right answers of all heads together.
    pub fn accuracy(&self, scores: &[Score], count: u64) -> f64 {
        let right: u64 = scores.iter().map(|score| score.right).sum();
        right as f64 / (count * self.tasks.len() as u64) as f64
    }
}

impl Task {
    fn outputs(&self, all: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self.columns {
            Some((first, count)) => all.f_narrow(1, first, count)?,
            None => all.shallow_clone(),
        })
    }
}
