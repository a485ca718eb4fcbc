//! What is minimised: the loss of the one head, or the weighted sum of several heads' losses.

use luthier_contrast::Pairs;
use luthier_plan::{Plan, TaskScore};
use luthier_recipe::{ContrastiveLoss, Loss, Mining};
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
    /// What it contrasts, in a contrastive run
    contrast: Option<ContrastiveLoss>,
    /// It is minimised now
    runs: bool,
    /// Answers that it asks of each sample: one for each granularity of prototypes, or for each view in a batch
    answers: u64,
    /// It learns from every pair of a class, not from every sample: semi-hard triplets
    pairs: bool,
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
    /// Right answers among the first five, of contrasts
    #[serde(default)]
    pub top5: u64,
    /// Of contrasts within batches: samples, view by view, that had another of their class
    #[serde(default)]
    pub anchors: u64,
    /// Triplets that were not yet far enough apart
    #[serde(default)]
    pub active: u64,
    /// Batches in which nothing could be contrasted
    #[serde(default)]
    pub barren: u64,
}

impl Score {
    /// Takes another one in.
    pub fn add(&mut self, other: Score) {
        self.loss += other.loss;
        self.denominator += other.denominator;
        self.right += other.right;
        self.top5 += other.top5;
        self.anchors += other.anchors;
        self.active += other.active;
        self.barren += other.barren;
    }
}

impl Objective {
    /// The objective of a plan for a model that gives `outputs` numbers.
    pub(crate) fn new(plan: &Plan, outputs: i64, device: Device) -> Self {
        let recipe = &plan.recipe;
        if recipe.contrastive.is_some() {
            return Objective { tasks: contrasts(plan, outputs, device), device };
        }
        if plan.data.tasks.is_empty() {
            let loss =
                HeadLoss::new(&recipe.loss, &plan.class_weights, plan.data.classes.len(), outputs, device);
            return Objective { tasks: vec![Task::new(String::new(), loss, 1.0, None)], device };
        }
        let mut first = 0;
        let mut tasks = Vec::new();
        for task in &plan.data.tasks {
            let (classes, count) = (task.classes.len(), task.classes.len() as i64);
            let loss = recipe.model.heads.get(&task.head).map(|head| head.loss.clone()).unwrap_or_default();
            let loss = HeadLoss::new(&loss, &task.class_weights, classes, count, device);
            let columns = Some((first, count));
            tasks.push(Task::new(task.head.clone(), loss, task.weight, columns));
            first += count;
        }
        Objective { tasks, device }
    }

    /// Of a contrastive run: what is minimised from here on.
    pub(crate) fn run_only(&mut self, losses: &[ContrastiveLoss]) {
        for task in &mut self.tasks {
            task.runs = task.contrast.is_none_or(|own| losses.contains(&own));
        }
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
        let one = |(at, task): (usize, &Task)| match (task.contrast, task.runs) {
            (None, _) => task.loss.denominator(batch.labels_of(at)),
            (Some(_), false) => 0.0,
            (Some(contrast), true) => {
                let pairs = || Pairs::of(&batch.labels, task.answers);
                (match contrast {
                    ContrastiveLoss::InfoNce | ContrastiveLoss::ProtoNce => batch.labels.len() as u64,
                    ContrastiveLoss::SupCon => pairs().with_positive,
                    ContrastiveLoss::Triplet if task.pairs => pairs().ordered,
                    ContrastiveLoss::Triplet => pairs().with_both,
                }) as f64
            }
        };
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
        parts
            .map(|((task, sum), denominator)| task.loss.for_gradient(sum, task.divisor(*denominator)))
            .collect()
    }

    /// Their sum by other weights than the plan's, where such are given.
    pub(crate) fn weighed(&self, parts: &[Tensor], weights: Option<&[f64]>) -> Result<Tensor, TrainError> {
        let mut whole: Option<Tensor> = None;
        for (at, (task, part)) in self.tasks.iter().zip(parts).enumerate().filter(|(_, (task, _))| task.runs)
        {
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
        let one =
            |(task, score): (&Task, &Score)| task.loss.reduced(score.loss, task.divisor(score.denominator));
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
        let one = |(task, score): (&Task, &Score)| task.weight * score.loss / task.divisor(score.denominator);
        self.running(scores).map(one).sum()
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
            Ok(Score { loss: sum.f_double_value(&[])?, denominator, right, ..Score::default() })
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
            loss: score.loss / task.divisor(score.denominator),
            accuracy: score.right as f64 / (count * task.answers) as f64,
            top5: task
                .contrast
                .filter(|contrast| !contrast.in_batch())
                .map(|_| score.top5 as f64 / (count * task.answers) as f64),
            positives: task
                .contrast
                .filter(|contrast| contrast.in_batch())
                .map(|_| score.anchors as f64 / (count * task.answers) as f64),
            active: task
                .contrast
                .filter(|contrast| *contrast == ContrastiveLoss::Triplet)
                .map(|_| score.active as f64 / task.divisor(score.denominator)),
            barren: score.barren,
            weight: None,
            confusion: Vec::new(),
        };
        self.running(scores).map(one).collect()
    }

    /// Share of right answers of all heads together.
    pub fn accuracy(&self, scores: &[Score], count: u64) -> f64 {
        let right: f64 =
            self.running(scores).map(|(task, score)| score.right as f64 / task.answers as f64).sum();
        right / (count * self.running(scores).count() as u64) as f64
    }

    /// Right answers of all heads; of several granularities, the mean over them.
    pub(crate) fn correct(&self, scores: &[Score]) -> u64 {
        self.running(scores).map(|(task, score)| score.right / task.answers).sum()
    }

    /// What is minimised now, with its scores.
    fn running<'a>(&'a self, scores: &'a [Score]) -> impl Iterator<Item = (&'a Task, &'a Score)> {
        self.tasks.iter().zip(scores).filter(|(task, _)| task.runs)
    }
}

impl Task {
    fn new(name: String, loss: HeadLoss, weight: f64, columns: Option<(i64, i64)>) -> Self {
        Task { name, loss, weight, columns, contrast: None, runs: true, answers: 1, pairs: false }
    }

    /// What a sum is divided by. A batch in which nothing could be contrasted has a sum of 0 and nothing to divide it by.
    fn divisor(&self, denominator: f64) -> f64 {
        if self.contrast.is_some() { denominator.max(1.0) } else { denominator }
    }

    fn outputs(&self, all: &Tensor) -> Result<Tensor, TrainError> {
        Ok(match self.columns {
            Some((first, count)) => all.f_narrow(1, first, count)?,
            None => all.shallow_clone(),
        })
    }
}

/// What a contrastive run minimises: means over samples, as a cross-entropy over candidates is, or over triplets.
fn contrasts(plan: &Plan, outputs: i64, device: Device) -> Vec<Task> {
    let recipe = &plan.recipe;
    let asked = recipe.contrastive.as_ref();
    let task = |contrast: ContrastiveLoss, answers: u64| {
        let loss = HeadLoss::new(&Loss::default(), &[], 0, outputs, device);
        let task = Task::new(contrast.as_str().to_owned(), loss, 1.0, None);
        Task { contrast: Some(contrast), answers, ..task }
    };
    if recipe.contrasts_in_batch() {
        let mining = asked.and_then(|asked| asked.triplet.as_ref()).map(|triplet| triplet.mining);
        let one = |loss: ContrastiveLoss| {
            let pairs = loss == ContrastiveLoss::Triplet && mining == Some(Mining::SemiHard);
            Task { pairs, ..task(loss, plan.views()) }
        };
        return recipe.contrasts().into_iter().map(one).collect();
    }
    let prototypes = asked.and_then(|asked| asked.prototypes.as_ref());
    let granularities = prototypes.map(|prototypes| prototypes.clusters.len() as u64);
    let mut tasks = vec![task(ContrastiveLoss::InfoNce, 1)];
    tasks.extend(granularities.map(|count| task(ContrastiveLoss::ProtoNce, count)));
    tasks
}
