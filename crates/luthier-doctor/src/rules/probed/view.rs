//! What rules over probes read off the facts, with its names.

use luthier_recipe::{Act, Arch, Layer, Loss, OutputAct, Recipe, Rule as Update};

use crate::{Facts, Finding, Fix, OutputPoint, ProbeFacts, Rule, StartFacts, StepFacts, TensorPoint};

/// What squashes its input into a bounded range, so that its slope can be lost.
const SQUASHES: [&str; 3] = ["sigmoid", "tanh", "softmax"];
/// Every activation by the name that a point of it carries.
const ACTIVATIONS: [&str; 9] =
    ["relu", "relu6", "leaky_relu", "gelu", "tanh", "sigmoid", "elu", "softmax", "silu"];

/// Facts that have probes.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    facts: Facts<'a>,
    pub probes: &'a ProbeFacts,
}

/// What a rule with at most one finding says.
pub(super) fn one(rule: &Rule, facts: &Facts, find: fn(&Rule, View<'_>) -> Option<Finding>) -> Vec<Finding> {
    let view = facts.probes.map(|probes| View { facts: *facts, probes });
    let found = view.and_then(|view| {
        let mut finding = find(rule, view)?;
        finding.fix = finding.fix.filter(|fix| view.has_keys(fix));
        Some(finding)
    });
    found.into_iter().collect()
}

impl<'a> View<'a> {
    pub fn facts(&self) -> &Facts<'a> {
        &self.facts
    }

    /// Only a stack of layers is told in the recipe how it starts and ends, and only a table how it is scaled.
    fn has_keys(&self, fix: &Fix) -> bool {
        let Some(recipe) = self.recipe() else { return true };
        fix.patch.keys().all(|key| match key.as_str() {
            "model.init" | "model.output" | "model.layers" => recipe.model.arch == Arch::Sequential,
            "data.scale" | "data.scale_target" => recipe.task.reads_rows(),
            _ => true,
        })
    }

    pub fn recipe(&self) -> Option<&'a Recipe> {
        Some(&self.facts.plan?.recipe)
    }

    pub fn start(&self) -> Option<&'a StartFacts> {
        self.probes.start.as_ref()
    }

    /// Weights were loaded: what is said of initial weights is not said of them.
    pub fn pretrained(&self) -> bool {
        self.facts.plan.is_some_and(|plan| plan.model.load.is_some())
    }

    /// The update does not grow with the gradient. Taken to be SGD where nothing is planned.
    pub fn adaptive(&self) -> bool {
        self.recipe().is_some_and(|recipe| !matches!(recipe.optim.rule, Update::SGD { .. }))
    }

    pub fn momentum(&self) -> f64 {
        match self.recipe().map(|recipe| &recipe.optim.rule) {
            Some(
                Update::SGD { momentum, .. }
                | Update::RMSprop { momentum, .. }
                | Update::LARS { momentum, .. },
            ) => *momentum,
            _ => 0.0,
        }
    }

    /// Base rate, or the largest of the first steps.
    pub fn lr(&self) -> f64 {
        let seen = || self.probes.steps.iter().flat_map(|step| &step.lr).copied().fold(0.0, f64::max);
        self.recipe().map_or_else(seen, |recipe| recipe.optim.lr)
    }

    /// The first update that was made at a rate above zero.
    pub fn first(&self) -> Option<&'a StepFacts> {
        self.probes.steps.iter().find(|step| step.lr.iter().any(|lr| *lr > 0.0))
    }

    /// ‖Δw‖/‖w‖ of that update.
    pub fn ratio(&self) -> Option<f64> {
        self.first().map(|step| step.ratio).filter(|ratio| ratio.is_finite())
    }

    /// The rate rises in the first steps.
    pub fn warms_up(&self) -> bool {
        let top = |step: &StepFacts| step.lr.iter().copied().fold(0.0, f64::max);
        let lrs: Vec<f64> = self.probes.steps.iter().map(top).collect();
        lrs.first().zip(lrs.last()).is_some_and(|(first, last)| last > first)
    }

    /// Samples of an update; many where nothing is planned.
    pub fn batch(&self) -> u64 {
        self.facts.plan.map_or(32, |plan| plan.length.effective_batch)
    }

    /// Root mean square of the largest channel or feature that goes in.
    pub fn input_rms(&self) -> Option<f64> {
        let inputs = self.probes.inputs.as_ref()?;
        let each = inputs.mean.iter().zip(&inputs.std).map(|(mean, std)| mean.hypot(*std));
        each.max_by(f64::total_cmp)
    }

    /// Root mean square of the largest target of a regression.
    pub fn target_rms(&self) -> Option<f64> {
        let ranges = &self.probes.targets.as_ref()?.ranges;
        ranges.iter().map(|[_, _, mean, std]| mean.hypot(*std)).max_by(f64::total_cmp)
    }

    /// Classes that have samples.
    pub fn classes(&self) -> usize {
        let counts = self.probes.targets.as_ref().map(|targets| targets.counts.as_slice());
        counts.unwrap_or_default().iter().filter(|count| **count > 0).count()
    }

    /// Loss at the start in units of that of a model that knows nothing.
    pub fn loss_over_theory(&self) -> Option<f64> {
        let start = self.start()?;
        let expected = start.expected.filter(|expected| *expected > 0.0)?;
        Some(start.loss / expected)
    }

    /// Mean loss of the updates after the first, relative to the first loss or to theory, whichever is larger.
    /// A loss that is not finite makes it infinite.
    pub fn rise(&self) -> Option<f64> {
        let losses: Vec<f64> = self.probes.steps.iter().map(|step| step.loss).collect();
        let trouble =
            self.probes.skipped.iter().any(|(probe, why)| probe == "steps" && why.contains("finite"));
        let (first, later) = losses.split_first()?;
        if trouble || later.iter().any(|loss| !loss.is_finite() || *loss >= f64::MAX) {
            return Some(f64::INFINITY);
        }
        // a queue that fills with keys of pictures is harder than the random one it began with
        if later.is_empty() || self.recipe().is_some_and(|recipe| recipe.contrastive.is_some()) {
            return None;
        }
        let theory = self.start().and_then(|start| start.expected).unwrap_or(0.0);
        Some(later.iter().sum::<f64>() / later.len() as f64 / first.max(theory).max(1e-12))
    }

    /// The losses of the first updates are far above the start, by more than batches of this size differ: a single
    /// sample's loss is easily twice theory, a mean over many is not.
    pub fn rises(&self) -> bool {
        let enough = if self.batch() < 8 { 4.0 } else { 1.5 };
        self.rise().is_some_and(|rise| rise > enough)
    }

    /// The layers of a `sequential`.
    fn layers(&self) -> &'a [Layer] {
        let recipe = self.recipe().filter(|recipe| recipe.model.arch == Arch::Sequential);
        recipe.and_then(|recipe| recipe.model.layers.as_deref()).unwrap_or_default()
    }

    /// Which activation a point comes from; `None` for a block.
    pub fn act(&self, point: &OutputPoint) -> Option<&'a str> {
        if let Some(known) = ACTIVATIONS.iter().find(|known| **known == point.kind) {
            return Some(known);
        }
        let layers = self.layers();
        let index: usize = point.name.parse().ok()?;
        match layers.get(index) {
            Some(layer) => layer.act.map(act_name),
            None if index == layers.len() => self.output_act(),
            None => None,
        }
    }

    /// Activations between the layers, first to last, without what is done to the output.
    pub fn hidden(&self) -> Vec<&'a OutputPoint> {
        let Some(start) = self.start() else { return Vec::new() };
        let last = start.outputs.iter().rfind(|point| point.kind == "output").map(|point| &point.name);
        let of_last = |point: &OutputPoint| {
            last.is_some_and(|last| {
                let rest = point.name.strip_prefix(last.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        start.outputs.iter().filter(|point| !of_last(point) && self.act(point).is_some()).collect()
    }

    /// Hidden activations that squash.
    pub fn squashing(&self) -> usize {
        let squashes = |point: &&OutputPoint| self.act(point).is_some_and(|act| SQUASHES.contains(&act));
        self.hidden().into_iter().filter(squashes).count()
    }

    /// What is done to the output: of the recipe's, or a last layer that is an activation.
    pub fn output_act(&self) -> Option<&'static str> {
        let recipe = self.recipe()?;
        let last = self.layers().last().and_then(|layer| layer.act).filter(|act| *act != Act::Identity);
        match recipe.model.output {
            OutputAct::None => last.map(act_name),
            other => other.act().map(act_name),
        }
    }

    /// The network has nothing but linear layers, so that its loss is as curved everywhere along its outputs.
    pub fn linear(&self) -> bool {
        let layers = self.layers();
        let plain = |layer: &Layer| layer.linear.is_some() || layer.flatten.is_some();
        layers.len() == 1 && layers.iter().all(plain) && self.output_act().is_none()
    }

    /// Trained matrices and kernels at the start, first to last; vectors are told by their names.
    pub fn matrices(&self) -> Vec<&'a TensorPoint> {
        self.start().map(|start| matrices(&start.gradients)).unwrap_or_default()
    }

    /// The first matrix had no gradient at the start nor in any of the first updates, while the last one had.
    pub fn cut_off(&self) -> bool {
        let none = |points: &[TensorPoint]| {
            let matrices = matrices(points);
            matches!(&matrices[..], [first, .., last] if first.grad == 0.0 && last.grad.is_finite())
        };
        self.start().is_some_and(|start| none(&start.gradients))
            && self
                .probes
                .steps
                .iter()
                .filter(|step| !step.tensors.is_empty())
                .all(|step| none(&step.tensors))
    }

    /// Scalars of a tensor, if planned.
    pub fn scalars(&self, name: &str) -> Option<f64> {
        let tensors = &self.facts.plan?.model.tensors;
        let tensor = tensors.iter().find(|tensor| tensor.name == name)?;
        Some(tensor.shape.iter().map(|size| *size as f64).product())
    }

    /// Share of dead ReLUs before the first update: the mean over them.
    pub fn dead_at_start(&self) -> f64 {
        let dead: Vec<f64> = self
            .hidden()
            .into_iter()
            .filter(|point| self.act(point).is_some_and(|act| act.starts_with("relu")))
            .map(|point| point.dead)
            .collect();
        if dead.is_empty() { 0.0 } else { dead.iter().sum::<f64>() / dead.len() as f64 }
    }

    pub fn loss(&self) -> Option<&'a Loss> {
        self.recipe().map(|recipe| &recipe.loss)
    }
}

fn matrices(points: &[TensorPoint]) -> Vec<&TensorPoint> {
    // a low-rank pair starts with one half at zero, and a table of vectors moves the rows that were seen alone
    let other = ["bias", "lora_", "norm", "bn", "embed", "wte", "wpe", "ln_"];
    points.iter().filter(|point| !other.iter().any(|word| point.name.contains(word))).collect()
}

fn act_name(act: Act) -> &'static str {
    match act {
        Act::Relu => "relu",
        Act::LeakyRelu => "leaky_relu",
        Act::Gelu => "gelu",
        Act::Tanh => "tanh",
        Act::Sigmoid => "sigmoid",
        Act::Elu => "elu",
        Act::Softmax => "softmax",
        Act::Identity => "identity",
    }
}
