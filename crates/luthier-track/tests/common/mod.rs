//! A made-up run: a plan and the events that a session would emit for it. Used by the tests and by the example
//! `fake_run`.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;

use luthier_plan::{EvalEnd, Event, Length, Listener, Outcome, Plan, Position, RunEnd, StepEnd};
use luthier_track::{MetricsStream, RunDir, TensorBoard};
use serde_json::json;

/// The recipe as typed, with a character that a page must escape.
pub const RECIPE: &str = r#"# ants against bees: a <b>made-up</b> run
name = "ants-bees"
task = "image-classification"
seed = 42

[data]
train = "ants-bees/train"
split = { valid = 0.2 }
on_error = "skip"

[data.transform]
train = [
  { op = "RandomResizedCrop", size = 224 },
  { op = "RandomHorizontalFlip" },
  { op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] },
]
eval = [
  { op = "Resize", size = 256 },
  { op = "CenterCrop", size = 224 },
  { op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] },
]

[model]
arch = "resnet18"
weights = "resnet18-5c106cde.pth"

[optim]
type = "SGD"
lr = 0.01
momentum = 0.9
weight_decay = 0.001
groups = [{ match = "fc.*", lr_scale = 10 }]

[schedule]
type = "CosineAnnealingLR"
unit = "step"
warmup = { steps = 10 }

[train]
epochs = 5
batch_size = 16
"#;

/// A run directory with everything that the made-up run would have left, `RunEnd` included.
pub fn replay(folder: &Path, shape: &Shape) -> RunDir {
    replay_events(folder, shape, &shape.events(0))
}

/// A run directory in which only these events happened.
pub fn replay_events(folder: &Path, shape: &Shape, events: &[Event]) -> RunDir {
    let plan = shape.plan();
    let run = RunDir::create_at(folder).unwrap();
    run.write_recipe(RECIPE).unwrap();
    run.write_plan(&plan).unwrap();
    let groups: Vec<_> = plan.groups.iter().map(|group| &group.name).collect();
    let mut stream = MetricsStream::create(&run).unwrap();
    let mut board = TensorBoard::create(&run, &groups).unwrap();
    for event in events {
        stream.hear(event).map_err(|error| error.to_string()).unwrap();
        board.hear(event).map_err(|error| error.to_string()).unwrap();
    }
    run
}

/// How a made-up run goes.
#[derive(Debug, Clone)]
pub struct Shape {
    pub classes: Vec<String>,
    pub epochs: u64,
    pub updates_per_epoch: u64,
    pub batch: u64,
    pub lr: f64,
    /// Loss falls as exp(−speed · epochs)
    pub speed: f64,
    pub valid: bool,
    /// The loss is NaN from this update on, and the run ends there
    pub nan_at: Option<u64>,
    pub seed: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            classes: vec!["ants".into(), "bees".into()],
            epochs: 5,
            updates_per_epoch: 24,
            batch: 16,
            lr: 0.01,
            speed: 1.1,
            valid: true,
            nan_at: None,
            seed: 1,
        }
    }
}

impl Shape {
    pub fn updates(&self) -> u64 {
        self.epochs * self.updates_per_epoch
    }

    fn at(&self, update: u64) -> Position {
        let epochs = update as f64 / self.updates_per_epoch as f64;
        let epoch = (update.saturating_sub(1)) / self.updates_per_epoch;
        Position { update, epoch, samples: update * self.batch, epochs }
    }

    /// The plan of the made-up run.
    pub fn plan(&self) -> Plan {
        let normalize =
            json!({ "op": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225] });
        let recipe = json!({
            "name": "ants-bees", "task": "image-classification", "seed": self.seed,
            "data": {
                "train": "ants-bees/train", "split": { "valid": 0.2 }, "on_error": "skip",
                "transform": {
                    "train": [{ "op": "RandomResizedCrop", "size": 224 }, { "op": "RandomHorizontalFlip" }, normalize],
                    "eval": [{ "op": "Resize", "size": 256 }, { "op": "CenterCrop", "size": 224 }, normalize],
                },
            },
            "model": { "arch": "resnet18", "weights": "resnet18-5c106cde.pth" },
            "optim": {
                "type": "SGD", "lr": self.lr, "momentum": 0.9, "weight_decay": 0.001,
                "groups": [{ "match": "fc.*", "lr_scale": 10.0 }],
            },
            "schedule": { "type": "CosineAnnealingLR", "unit": "step", "warmup": { "steps": 10 } },
            "train": { "epochs": self.epochs, "batch_size": self.batch },
        });
        let sample = |n: u64, split: &str| {
            let label = n % self.classes.len() as u64;
            json!({ "path": format!("{}/{split}-{n}.jpg", self.classes[label as usize]), "label": label })
        };
        let samples = self.updates_per_epoch * self.batch;
        let mut splits = vec![json!({
            "name": "train", "root": "ants-bees/train",
            "samples": (0..samples).map(|n| sample(n, "t")).collect::<Vec<_>>(),
            "skipped": [{ "path": "ants/imageNotFound.gif", "why": "a GIF of 1 × 1 pixels is a placeholder" },
                        { "path": "bees/<script>alert('1')</script>.jpg", "why": "cut off after 812 bytes" }],
        })];
        if self.valid {
            let samples = (0..48).map(|n| sample(n, "v")).collect::<Vec<_>>();
            splits.push(
                json!({ "name": "valid", "root": "ants-bees/train", "samples": samples, "skipped": [] }),
            );
        }
        let tensor = |name: &str, shape: &[i64], role: &str, trainable: bool, group: Option<usize>| json!({ "name": name, "shape": shape, "dtype": "float32", "role": role, "part": 0, "trainable": trainable, "group": group });
        let plan = json!({
            "schema": 2, "recipe": recipe, "base": "recipes",
            "data": { "classes": self.classes, "splits": splits },
            "model": {
                "arch": "resnet18", "weights": "resnet18-5c106cde.pth",
                "load": { "matched": 120, "head": ["fc.weight", "fc.bias"], "missing": [], "unexpected": [], "wrong_shape": [] },
                "parts": ["stem", "fc"],
                "tensors": [
                    tensor("conv1.weight", &[64, 3, 7, 7], "weight", true, Some(0)),
                    tensor("bn1.running_mean", &[64], "buffer", false, None),
                    tensor("layer1.0.conv1.weight", &[64, 64, 3, 3], "weight", false, None),
                    tensor("fc.weight", &[self.classes.len() as i64, 512], "weight", true, Some(1)),
                    tensor("fc.bias", &[self.classes.len() as i64], "bias", true, Some(1)),
                ],
            },
            "stages": [{ "name": "", "first_epoch": 0, "epochs": self.epochs, "lr_scale": 1.0, "resting": [], "prefix": null }],
            "groups": [
                { "name": "(all others)", "lr": self.lr, "weight_decay": 0.001, "tensors": 1, "scalars": 9408 },
                { "name": "fc.*", "lr": self.lr * 10.0, "weight_decay": 0.001, "tensors": 2, "scalars": 1026 },
            ],
            "length": serde_json::to_value(Length {
                epochs: self.epochs, samples, batches_per_epoch: self.updates_per_epoch,
                updates_per_epoch: self.updates_per_epoch, updates: self.updates(), effective_batch: self.batch,
            }).unwrap(),
            "lr_factors": (1..=self.updates()).map(|update| self.factor(update)).collect::<Vec<_>>(),
            "precision": "bf16", "device": "cpu", "memory_format": "channels_last", "class_weights": [],
            "notes": ["2 files of `train` were left out"],
        });
        serde_json::from_value(plan).unwrap()
    }

    fn factor(&self, update: u64) -> f64 {
        let warmup = 10.0_f64.min(self.updates() as f64 / 2.0);
        let update = update as f64 - 1.0;
        if update < warmup {
            0.01 + 0.99 * update / warmup
        } else {
            let share = (update - warmup) / (self.updates() as f64 - warmup);
            0.5 * (1.0 + (std::f64::consts::PI * share).cos())
        }
    }

    /// Everything that the run says, from `from` updates on.
    pub fn events(&self, from: u64) -> Vec<Event> {
        let mut events = vec![Event::RunBegin { at: self.at(from) }];
        let mut outcome = Outcome::Finished;
        let mut last = from;
        for update in from + 1..=self.updates() {
            let first = (update - 1) % self.updates_per_epoch == 0;
            if first || update == from + 1 {
                events.push(Event::EpochBegin { at: self.at(update - 1), updates: self.updates_per_epoch });
            }
            let loss = self.loss(update);
            if update == 7 {
                let why = "not a picture & not a \"GIF\"".to_owned();
                events.push(Event::SampleSkipped { at: self.at(update), path: "bees/7.jpg".into(), why });
            }
            events.push(Event::StepEnd(StepEnd {
                at: self.at(update),
                loss,
                correct: (self.batch as f64 * (1.0 - 0.5 * (-loss.recip()).exp())).max(0.0) as u64,
                count: self.batch,
                lr: vec![self.lr * self.factor(update), self.lr * 10.0 * self.factor(update)],
                grad_norm: 1.5 * loss + self.noise(update + 9999).abs(),
                clipped: update % 5 == 0,
                loss_scale: None,
                skipped: false,
                seconds: 0.31,
                data_seconds: 0.02,
                stream: String::new(),
                tasks: Vec::new(),
                gradient_cosine: Vec::new(),
            }));
            last = update;
            if loss.is_nan() {
                outcome = Outcome::Diverged;
                break;
            }
            if update % self.updates_per_epoch == 0 {
                self.epoch_end(update, &mut events);
            }
        }
        events.push(Event::RunEnd(RunEnd {
            at: self.at(last),
            outcome,
            best_update: self.valid.then_some(self.updates()),
            best_metric: self.valid.then_some(0.95),
            rule: None,
            why: None,
            seconds: last as f64 * 0.36,
        }));
        events
    }

    fn epoch_end(&self, update: u64, events: &mut Vec<Event>) {
        let at = self.at(update);
        let fit = 1.0 - (-self.speed * at.epochs).exp();
        let chance = 1.0 / self.classes.len() as f64;
        let loss = 0.12 + 0.75 * (1.0 - fit);
        let accuracy = chance + (0.96 - chance) * fit;
        let (accuracy, seconds) = (Some(accuracy), 0.31 * self.updates_per_epoch as f64);
        events.push(Event::EpochEnd {
            at,
            loss,
            accuracy,
            seconds,
            stream: String::new(),
            tasks: Vec::new(),
        });
        if self.valid {
            let confusion = self.confusion(fit);
            let count: u64 = confusion.iter().flatten().sum();
            let right: u64 = (0..confusion.len()).map(|class| confusion[class][class]).sum();
            events.push(Event::EvalBegin { at, split: "valid".into(), batches: 3 });
            events.push(Event::EvalEnd(EvalEnd {
                estimate: false,
                at,
                split: "valid".into(),
                loss: loss * 1.15 + 0.02 * self.noise(update),
                accuracy: Some(right as f64 / count as f64),
                r2: None,
                mae: None,
                count,
                confusion,
                seconds: 0.8,
                stream: String::new(),
                tasks: Vec::new(),
            }));
        }
        let path = format!("checkpoints/update-{update:06}");
        events.push(Event::CheckpointSaved { at, path, best: true, seconds: 0.2 });
    }

    fn confusion(&self, fit: f64) -> Vec<Vec<u64>> {
        let classes = self.classes.len();
        let each = 48 / classes.min(12) as u64;
        let mut rows = vec![vec![0; classes]; classes];
        for (truth, row) in rows.iter_mut().enumerate() {
            for n in 0..each {
                let draw = self.noise(truth as u64 * 131 + n) * 0.5 + 0.5;
                let right = draw < 0.5 + 0.46 * fit;
                let guess =
                    if right { truth } else { (truth + 1 + n as usize % (classes - 1).max(1)) % classes };
                row[guess] += 1;
            }
        }
        rows
    }

    fn loss(&self, update: u64) -> f64 {
        if self.nan_at.is_some_and(|at| update >= at) {
            return f64::NAN;
        }
        let epochs = update as f64 / self.updates_per_epoch as f64;
        let mean = 0.12 + 0.75 * (-self.speed * epochs).exp();
        mean * (1.0 + 0.45 * self.noise(update))
    }

    /// Between −1 and 1, by a hash of the number (Steele et al. 2014, SplitMix64).
    fn noise(&self, n: u64) -> f64 {
        let mut bits = (n + self.seed * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}
