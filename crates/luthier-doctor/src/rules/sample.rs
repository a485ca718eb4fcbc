//! Made-up runs for the tests of rules that read what a run wrote down.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_plan::{MonitorPoint, Outcome, Plan, Position, TensorPoint};
use luthier_track::{
    Confusion, EmbeddingsPoint, EndPoint, EpochPoint, EvalPoint, SpikePoint, StepPoint, TaskPoint,
};
use serde_json::json;

use crate::{Facts, Finding, Rule, RunFacts};

/// A made-up run: 50 updates an epoch, 32 samples each, a rate of 0.1.
#[derive(Clone)]
pub struct Made(pub RunFacts);

const EPOCH: u64 = 50;

fn at(update: u64) -> Position {
    Position { update, epoch: update / EPOCH, samples: 32 * update, epochs: update as f64 / EPOCH as f64 }
}

/// A run with these losses, and gradients of norm 1, that finished.
pub fn run(updates: u64, loss: impl Fn(u64) -> f64) -> Made {
    let mut facts = RunFacts::default();
    facts.metrics.steps = (1..=updates)
        .map(|update| StepPoint {
            at: at(update),
            loss: loss(update),
            correct: 16,
            count: 32,
            lr: vec![0.1],
            grad_norm: 1.0,
            clipped: false,
            loss_scale: None,
            skipped: false,
            stream: String::new(),
            tasks: Vec::new(),
            gradient_cosine: Vec::new(),
        })
        .collect();
    facts.metrics.end = Some(EndPoint {
        at: at(updates),
        outcome: Outcome::Finished,
        best_update: None,
        best_metric: None,
        rule: None,
        why: None,
    });
    Made(facts)
}

/// Nothing is learned: ln 10 and some noise.
pub fn flat(updates: u64) -> Made {
    run(updates, |update| 2.3 + 0.05 * normal(update))
}

/// From ln 10 to 0.05, with a tenth of noise.
pub fn learning(updates: u64) -> Made {
    let pace = updates as f64 / 5.0;
    run(updates, move |update| (0.05 + 2.25 * (-(update as f64) / pace).exp()) * (0.1 * normal(update)).exp())
}

impl Made {
    fn steps(mut self, change: impl Fn(&mut StepPoint)) -> Self {
        self.0.metrics.steps.iter_mut().for_each(change);
        self
    }

    pub fn rates(self, rate: impl Fn(u64) -> f64) -> Self {
        self.steps(|step| step.lr = vec![rate(step.at.update)])
    }

    /// A linear rise over the first updates.
    pub fn warmup(self, updates: u64) -> Self {
        self.rates(|update| 0.1 * (update as f64 / updates as f64).min(1.0))
    }

    pub fn norms(self, norm: impl Fn(u64) -> f64) -> Self {
        self.steps(|step| step.grad_norm = norm(step.at.update))
    }

    pub fn clipped(self, clipped: impl Fn(u64) -> bool) -> Self {
        self.steps(|step| step.clipped = clipped(step.at.update))
    }

    /// In fp16: the loss scale of each update, and which were skipped.
    pub fn scaled(self, scale: impl Fn(u64) -> f64, skipped: impl Fn(u64) -> bool) -> Self {
        self.steps(|step| step.loss_scale = Some(scale(step.at.update))).skipped(skipped)
    }

    /// Updates whose gradient overflowed.
    pub fn skipped(self, skipped: impl Fn(u64) -> bool) -> Self {
        self.steps(|step| {
            step.skipped = skipped(step.at.update);
            step.grad_norm = if step.skipped { f64::INFINITY } else { step.grad_norm };
        })
    }

    /// Looks at which nothing was seen yet.
    pub fn looks_of(mut self, updates: &[u64]) -> Self {
        self.0.monitor =
            updates.iter().map(|&update| MonitorPoint { update, ..MonitorPoint::default() }).collect();
        self
    }

    /// Looks as a session takes them, at one tensor with this ‖Δw‖/‖w‖.
    pub fn looks_by(self, ratio: impl Fn(u64) -> f64) -> Self {
        let last = self.0.metrics.steps.len() as u64;
        let updates: Vec<u64> = (1..=last).filter(|n| [1, 2, 5, 10, 20].contains(n) || n % 50 == 0).collect();
        self.looks_of(&updates).tensor("body.weight", move |update| (1.0, 0.1, ratio(update)))
    }

    pub fn looks(self, ratio: f64) -> Self {
        self.looks_by(move |_| ratio)
    }

    /// Adds a tensor to every look: norm, gradient and change at an update.
    pub fn tensor(mut self, name: &str, numbers: impl Fn(u64) -> (f64, f64, f64)) -> Self {
        for look in &mut self.0.monitor {
            let (norm, grad, update) = numbers(look.update);
            look.tensors.push(TensorPoint { name: name.into(), norm, grad, update, trust: None });
        }
        self
    }

    /// Evaluations (loss, accuracy) of 100 samples in two classes, one after each epoch.
    pub fn valid(mut self, evals: &[(f64, f64)]) -> Self {
        for (&(loss, accuracy), epoch) in evals.iter().zip(1..) {
            let (at, right) = (at(EPOCH * epoch), (100.0 * accuracy).round() as u64);
            let train = self.0.metrics.steps.get((EPOCH * epoch) as usize - 1).map_or(0.0, |step| step.loss);
            self.0.metrics.epochs.push(EpochPoint {
                at,
                loss: train,
                accuracy: Some(accuracy),
                stream: String::new(),
                tasks: Vec::new(),
            });
            let (half, rest) = (right / 2, right - right / 2);
            let confusion = [vec![half, 50 - half.min(50)], vec![50 - rest.min(50), rest]];
            self.0.metrics.evals.push(EvalPoint {
                at,
                split: "valid".into(),
                loss,
                accuracy: Some(accuracy),
                r2: None,
                mae: None,
                count: 100,
                estimate: false,
                confusion: Confusion::from_rows(&confusion),
                stream: String::new(),
                tasks: Vec::new(),
            });
        }
        self
    }

    /// Looks at embeddings of 128 numbers after every epoch: alignment, uniformity, standard deviation.
    pub fn embeddings(mut self, looks: &[(f64, f64, f64)]) -> Self {
        for (epoch, (alignment, uniformity, std)) in (1..).zip(looks) {
            self.0.metrics.embeddings.push(EmbeddingsPoint {
                at: at(epoch * EPOCH),
                alignment: *alignment,
                uniformity: *uniformity,
                std: *std,
                even_std: 1.0 / 128f64.sqrt(),
                knn: Some(0.3),
                count: 1024,
            });
        }
        self
    }

    /// The nearest neighbours' accuracy before the first update, and after each epoch.
    pub fn neighbours_since_start(self, accuracies: &[f64]) -> Self {
        let looks = vec![(0.05, -1.0, 0.06); accuracies.len() - 1];
        self.embeddings(&looks).untrained(0.05).neighbours(accuracies)
    }

    /// How embeddings lay before the first update.
    pub fn untrained(mut self, std: f64) -> Self {
        let looks = flat(1).embeddings(&[(0.02, -0.1, std)]).0.metrics.embeddings;
        let looks = looks.into_iter().map(|look| EmbeddingsPoint { at: at(0), ..look });
        self.0.metrics.embeddings.splice(0..0, looks);
        self
    }

    /// The instance accuracy of each update.
    pub fn instances(self, accuracy: impl Fn(u64) -> f64) -> Self {
        self.steps(|step| {
            let accuracy = accuracy(step.at.update);
            let (head, loss) = ("info_nce".into(), step.loss);
            let (weight, confusion) = (None, None);
            let (top5, positives, active, barren) = (Some(accuracy), None, None, 0);
            step.tasks.push(TaskPoint {
                head,
                loss,
                accuracy,
                weight,
                confusion,
                top5,
                positives,
                active,
                barren,
            });
        })
    }

    /// Of a triplet run, the share of samples with a positive and of active triplets in each update.
    pub fn triplets(self, numbers: impl Fn(u64) -> (f64, f64)) -> Self {
        self.steps(|step| {
            let (positives, active) = numbers(step.at.update);
            step.tasks.push(TaskPoint {
                head: "triplet".into(),
                loss: step.loss,
                accuracy: 0.5,
                weight: None,
                confusion: None,
                top5: None,
                positives: Some(positives),
                active: Some(active),
                barren: u64::from(positives == 0.0),
            });
        })
    }

    /// What the nearest neighbours are right for at every look.
    pub fn neighbours(mut self, shares: &[f64]) -> Self {
        for (look, share) in self.0.metrics.embeddings.iter_mut().zip(shares) {
            look.knn = Some(*share);
        }
        self
    }

    pub fn train_accuracy(mut self, accuracies: &[f64]) -> Self {
        for (epoch, accuracy) in self.0.metrics.epochs.iter_mut().zip(accuracies) {
            epoch.accuracy = Some(*accuracy);
        }
        self
    }

    /// The confusion matrix of the last evaluation.
    pub fn confusion(mut self, rows: &[&[u64]]) -> Self {
        let rows: Vec<Vec<u64>> = rows.iter().map(|row| row.to_vec()).collect();
        self.0.metrics.evals.last_mut().unwrap().confusion = Confusion::from_rows(&rows);
        self
    }

    pub fn diverged(mut self, rule: &str, why: &str) -> Self {
        let end = self.0.metrics.end.as_mut().unwrap();
        (end.outcome, end.rule, end.why) = (Outcome::Diverged, Some(rule.into()), Some(why.into()));
        self
    }

    pub fn killed(mut self) -> Self {
        self.0.metrics.end = None;
        self
    }

    pub fn spike(mut self, update: u64, loss: f64, again: f64, samples: &[&str]) -> Self {
        let worst = samples.iter().map(|sample| ((*sample).into(), 30.0)).collect();
        let (at, repeatable) = (at(update), loss == again);
        self.0.metrics.spikes.push(SpikePoint { at, loss, median: 0.5, again, repeatable, worst });
        self
    }
}

/// What a rule finds.
pub fn found(rule: &Rule, made: &Made, plan: Option<&Plan>) -> Vec<Finding> {
    (rule.look)(rule, &Facts { run: Some(&made.0), plan, ..Facts::default() })
}

/// The one finding of a rule.
pub fn one(rule: &Rule, made: &Made) -> Finding {
    let mut findings = found(rule, made, None);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

/// A rule that has nothing to say.
pub fn silent(rule: &Rule, made: &Made) {
    let findings = found(rule, made, None);
    assert!(findings.is_empty(), "{findings:?}");
}

/// A plan of a pretrained classifier with ten classes, five epochs at a rate of 0.1.
pub fn plan() -> Plan {
    let recipe = json!({
        "name": "made", "task": "image-classification", "data": { "train": "a" },
        "model": { "arch": "resnet18", "weights": "a.pth" },
        "optim": { "type": "SGD", "lr": 0.1 },
        "train": { "epochs": 5, "batch_size": 32 },
    });
    let plan = json!({
        "schema": luthier_plan::PLAN_SCHEMA, "recipe": recipe, "base": ".", "text": null,
        "data": { "classes": (0..10).map(|n| n.to_string()).collect::<Vec<_>>(), "splits": [] },
        "model": {
            "arch": "resnet18", "weights": "a.pth", "config": null, "parts": ["stem"], "tensors": [],
            "load": { "matched": 1, "head": [], "missing": [], "unexpected": [], "wrong_shape": [] },
        },
        "groups": [], "stages": [],
        "length": {
            "epochs": 5, "samples": 1600, "batches_per_epoch": 50, "updates_per_epoch": 50, "updates": 250,
            "effective_batch": 32,
        },
        "lr_factors": [], "precision": "fp32", "device": "cpu", "memory_format": "contiguous",
        "class_weights": [], "notes": [],
    });
    serde_json::from_value(plan).unwrap()
}

/// Uniform in (0, 1), by a hash of the number (SplitMix64).
pub fn draw(n: u64) -> f64 {
    let mut bits = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
}

/// Standard normal (Box & Muller 1958).
pub fn normal(n: u64) -> f64 {
    (-2.0 * draw(2 * n).ln()).sqrt() * (std::f64::consts::TAU * draw(2 * n + 1)).cos()
}
