//! A recipe with what probes measured of it: facts are written down, not measured.

use luthier_plan::{
    DataPlan, Length, LoadReport, ModelPlan, Plan, ResolvedPrecision, Role, StagePlan, TensorPlan,
};

use crate::*;

/// A recipe and facts, to be changed before they are judged.
pub struct Subject {
    pub plan: Plan,
    pub probes: ProbeFacts,
}

/// 784-64-10 with ReLUs on drawn digits, SGD 0.1, batch 32: the numbers of a run that reaches 100 %.
pub const DIGITS: &str = r#"
name = "digits"
task = "classification"
[data]
format = "csv"
train = "digits.csv"
target = "digit"
[model]
arch = "sequential"
layers = [{ linear = 64 }, { act = "relu" }, { linear = "classes" }]
[optim]
type = "SGD"
lr = 0.1
[train]
epochs = 4
batch_size = 32
"#;

impl Subject {
    /// The recipe, with `--set` arguments, and tensors of these names and shapes.
    pub fn new(text: &str, sets: &[&str], tensors: &[(&str, &[i64])]) -> Subject {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let recipe = luthier_recipe::parse("test.toml", text, &sets).unwrap().recipe;
        let updates = 47 * recipe.train.epochs;
        let length = Length {
            epochs: recipe.train.epochs,
            samples: 1500,
            batches_per_epoch: 47,
            updates_per_epoch: 47,
            updates,
            effective_batch: recipe.train.batch_size * recipe.train.grad_accum,
        };
        let tensor = |(name, shape): &(&str, &[i64])| TensorPlan {
            name: (*name).to_owned(),
            shape: shape.to_vec(),
            dtype: "float32".into(),
            role: if shape.len() > 1 { Role::Weight } else { Role::Bias },
            part: 0,
            trainable: true,
            group: Some(0),
        };
        let model = ModelPlan {
            arch: "sequential".into(),
            weights: "none".into(),
            load: None,
            config: None,
            heads: Vec::new(),
            lora: None,
            parts: Vec::new(),
            tensors: tensors.iter().map(tensor).collect(),
        };
        let plan = Plan {
            contrast: None,
            schema: 1,
            recipe,
            base: ".".into(),
            data: DataPlan::new(Vec::new(), Vec::new()),
            text: None,
            table: None,
            model,
            groups: Vec::new(),
            stages: Vec::<StagePlan>::new(),
            length,
            lr_factors: vec![1.0; updates as usize],
            precision: ResolvedPrecision::Fp32,
            device: "cpu".into(),
            ranks: 1,
            memory_format: "contiguous".into(),
            class_weights: Vec::new(),
            weighting: None,
            streams: Vec::new(),
            stream: String::new(),
            notes: Vec::new(),
        };
        Subject { plan, probes: ProbeFacts::default() }
    }

    /// The healthy digits.
    pub fn digits(sets: &[&str]) -> Subject {
        let shapes: [(&str, &[i64]); 4] =
            [("0.weight", &[64, 784]), ("0.bias", &[64]), ("2.weight", &[10, 64]), ("2.bias", &[10])];
        let mut subject = Subject::new(DIGITS, sets, &shapes);
        subject.probes = classes(10);
        let start = subject.probes.start.as_mut().unwrap();
        start.outputs =
            points(&[("0", "block", 0.5, 0.0), ("1", "relu", 0.3, 0.0), ("2", "output", 0.3, 0.0)]);
        start.gradients = vec![
            tensor("0.weight", 4.6, 2.0),
            tensor("0.bias", 0.2, 0.2),
            tensor("2.weight", 1.8, 0.57),
            tensor("2.bias", 0.2, 0.2),
        ];
        start.twins = vec![("0".into(), 0.4), ("2".into(), 0.3)];
        subject.steps([2.33, 2.2, 2.1, 2.0, 1.9], 0.1, 2.11, 0.017);
        subject
    }

    /// 784, six layers of 32, ten classes: `kind` gives these deviations.
    pub fn deep(kind: &str, stds: [f64; 6]) -> Subject {
        let layers = format!(
            "model.layers=[{}{{ linear = \"classes\" }}]",
            format!("{{ linear = 32 }}, {{ act = \"{kind}\" }}, ").repeat(6)
        );
        let names: Vec<String> = (0..7).map(|at| format!("{}.weight", 2 * at)).collect();
        let mut shapes: Vec<(&str, &[i64])> =
            names.iter().map(|name| (name.as_str(), &[32, 32][..])).collect();
        shapes[0].1 = &[32, 784];
        shapes[6].1 = &[10, 32];
        let mut subject = Subject::new(DIGITS, &[&layers], &shapes);
        subject.probes = classes(10);
        let start = subject.probes.start.as_mut().unwrap();
        start.outputs = stds
            .iter()
            .enumerate()
            .map(|(at, std)| points(&[(&format!("{}", 2 * at + 1), kind, *std, 0.05)]).remove(0))
            .chain(points(&[("12", "output", 0.3, 0.0)]))
            .collect();
        start.gradients = names.iter().map(|name| tensor(name, 3.3, 0.5)).collect();
        start.twins = names.iter().map(|name| (name.trim_end_matches(".weight").to_owned(), 0.6)).collect();
        subject.steps([2.33, 2.3, 2.3, 2.2, 2.1], 0.1, 1.2, 0.01);
        subject
    }

    /// The first updates: losses, rate, norm of the gradient and size of the first update.
    pub fn steps(&mut self, losses: [f64; 5], lr: f64, grad_norm: f64, ratio: f64) {
        let tensors = &self.probes.start.as_ref().unwrap().gradients;
        let moved = |point: &TensorPoint| TensorPoint { update: lr * point.grad, ..point.clone() };
        let tensors: Vec<TensorPoint> = tensors.iter().map(moved).collect();
        let step = |loss: &f64| StepFacts {
            loss: *loss,
            lr: vec![lr],
            grad_norm,
            ratio,
            tensors: tensors.clone(),
            ..Default::default()
        };
        self.probes.steps = losses.iter().map(step).collect();
    }

    pub fn start(&mut self) -> &mut StartFacts {
        self.probes.start.as_mut().unwrap()
    }

    pub fn inputs(&mut self) -> &mut InputFacts {
        self.probes.inputs.as_mut().unwrap()
    }

    /// The recipe's own optimizer leaves this share of one batch's loss; Adam at 1e-3 learns it or leaves as much.
    pub fn own_leaves(&mut self, left: f64, adam: f64) {
        self.probes.overfit_own = Some(fit(101, left, true));
        self.probes.overfit = Some(fit(if adam < 0.1 { 60 } else { 101 }, adam, false));
    }

    pub fn pretrained(&mut self) {
        self.plan.model.load = Some(LoadReport { matched: 60, ..Default::default() });
    }

    pub fn judge(&self) -> Verdict {
        // what static rules say of the recipe is not asked here
        let facts = Facts { plan: Some(&self.plan), probes: Some(&self.probes), ..Default::default() };
        let mut verdict = judge("recipe", &facts);
        verdict.findings.retain(|finding| finding.phase == Phase::Probe);
        verdict
    }

    /// Codes that are more than a note, in order.
    pub fn codes(&self) -> Vec<String> {
        let hurt = |finding: &Finding| finding.severity > Severity::Info;
        self.judge().findings.into_iter().filter(hurt).map(|finding| finding.code).collect()
    }
}

/// Facts of a healthy classification of so many classes.
pub fn classes(classes: usize) -> ProbeFacts {
    let inputs = InputFacts {
        count: 1_176_000,
        min: 0.0,
        max: 1.0,
        mean: vec![0.13; 784],
        std: vec![0.31; 784],
        bad: Vec::new(),
    };
    let theory = (classes as f64).ln();
    ProbeFacts {
        eval_inputs: Some(inputs.clone()),
        inputs: Some(inputs),
        targets: Some(TargetFacts { counts: vec![150; classes], ranges: Vec::new() }),
        start: Some(StartFacts {
            loss: 1.01 * theory,
            eval_loss: 1.01 * theory,
            expected: Some(theory),
            output_std: 0.3,
            output_max: 1.1,
            output_range: [-1.1, 1.0],
            row_sum_error: 3.0,
            ..Default::default()
        }),
        sign: Some(SignFacts { before: theory, after: theory * (1.0 - 9.8e-4), expected: -1e-3 * theory }),
        reduction: Some(ReductionFacts { sizes: [8, 32], losses: [theory; 2], grads: [2.2, 2.2] }),
        curvature: Some(8.0),
        overfit: Some(fit(30, 0.05, true)),
        permuted: Some(PermutedFacts {
            truth: 0.9,
            permuted: 1.0 / classes as f64,
            noise: 0.03,
            chance: 1.1 / classes as f64,
        }),
        zeroed: Some(ZeroedFacts { real: 0.1, zeroed: 2.6 }),
        rows: Some(0.0),
        repeat: Some(RepeatFacts { losses: [theory; 2], training: [theory; 2] }),
        ..Default::default()
    }
}

pub fn fit(updates: usize, left: f64, own: bool) -> FitFacts {
    let losses = (0..=updates).map(|at| 2.3 * left.powf(at as f64 / updates as f64)).collect();
    FitFacts { losses, score: if left < 0.1 { 1.0 } else { 0.2 }, samples: 8, own }
}

pub fn tensor(name: &str, norm: f64, grad: f64) -> TensorPoint {
    TensorPoint { name: name.into(), norm, grad, update: 0.0, trust: None }
}

/// Name, kind, deviation, share of dead units.
pub fn points(list: &[(&str, &str, f64, f64)]) -> Vec<OutputPoint> {
    let point = |(name, kind, std, dead): &(&str, &str, f64, f64)| OutputPoint {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
        std: *std,
        mean_abs: *std,
        dead: *dead,
        saturated: 0.0,
    };
    list.iter().map(point).collect()
}
