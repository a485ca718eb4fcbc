//! What several rules read off a plan.

use luthier_plan::{FeatureKind, Plan, Role, TensorPlan};
use luthier_recipe::{Curve, Group, Layer, LayerKind, Rule, Transform};

/// The run starts from weights that were trained before.
pub(crate) fn pretrained(plan: &Plan) -> bool {
    plan.recipe.model.weights() != "none"
}

/// The update rule divides by the gradient's own size, so that a factor on the loss changes little.
pub(crate) fn adaptive(plan: &Plan) -> bool {
    !matches!(plan.recipe.optim.rule, Rule::SGD { .. })
}

/// The update rule makes a tensor's step a share of its norm; then, the share of a step at rate 1, momentum included.
pub(crate) fn trusted(plan: &Plan) -> Option<f64> {
    match plan.recipe.optim.rule {
        Rule::LAMB { .. } => Some(1.0),
        Rule::LARS { trust_coefficient, momentum, .. } => Some(trust_coefficient / (1.0 - momentum)),
        _ => None,
    }
}

/// Momentum of the update rule; for Adam 0, its average is normalised.
pub(crate) fn momentum(plan: &Plan) -> f64 {
    match plan.recipe.optim.rule {
        Rule::SGD { momentum, dampening, .. } if dampening < 1.0 => momentum,
        Rule::RMSprop { momentum, .. } | Rule::LARS { momentum, .. } => momentum,
        _ => 0.0,
    }
}

/// Largest learning rate of the run for a base rate: the schedule's peak times it.
pub(crate) fn peak(plan: &Plan, lr: f64) -> f64 {
    let highest = plan.lr_factors.iter().copied().fold(0.0, f64::max);
    if plan.lr_factors.is_empty() { lr } else { lr * highest }
}

/// Mean learning rate of the run for a base rate.
pub(crate) fn mean(plan: &Plan, lr: f64) -> f64 {
    let updates = plan.lr_factors.len();
    if updates == 0 { lr } else { lr * plan.lr_factors.iter().sum::<f64>() / updates as f64 }
}

/// Where a tensor's group has next to none of the base rate: the recipe's groups without such ones.
pub(crate) fn livelier_groups(plan: &Plan, tensor: &str) -> Option<Vec<Group>> {
    /// Rates that fall with depth do not come near it.
    const NOTHING: f64 = 1e-5;
    let base = plan.recipe.optim.lr;
    let rests = |lr: f64| lr < NOTHING * base;
    let group = plan.model.tensors.iter().find(|other| other.name == tensor)?.group?;
    rests(plan.groups.get(group)?.lr).then_some(())?;
    let lively = |group: &&Group| !rests(group.lr.unwrap_or(base * group.lr_scale.unwrap_or(1.0)));
    Some(plan.recipe.optim.groups.iter().filter(lively).cloned().collect())
}

/// Training samples of each class; empty for a regression, and where labels are not learned as answers.
pub(crate) fn counts(plan: &Plan) -> Vec<u64> {
    if plan.recipe.contrastive.is_some() { Vec::new() } else { class_sizes(plan) }
}

/// Training samples of each class, whatever is learned of them.
pub(crate) fn class_sizes(plan: &Plan) -> Vec<u64> {
    let mut counts = vec![0; plan.data.classes.len()];
    for label in plan.data.split("train").iter().flat_map(|split| split.samples.labels()) {
        if let Some(count) = counts.get_mut(*label as usize) {
            *count += 1;
        }
    }
    counts
}

/// Samples of a split; 0 where there is none.
pub(crate) fn samples(plan: &Plan, split: &str) -> u64 {
    plan.data.split(split).map_or(0, |split| split.samples.len() as u64)
}

/// Parameters of the head: the tensors of the last part.
pub(crate) fn head(plan: &Plan) -> impl Iterator<Item = &TensorPlan> {
    let last = plan.model.parts.len().saturating_sub(1);
    plan.model.tensors.iter().filter(move |tensor| tensor.part == last && tensor.role != Role::Buffer)
}

/// A column of numbers as the model sees it.
pub(crate) struct Seen<'a> {
    pub name: &'a str,
    pub mean: f64,
    pub std: f64,
}

impl Seen<'_> {
    /// Root of the mean square: what a weight is multiplied with.
    pub fn rms(&self) -> f64 {
        self.mean.hypot(self.std)
    }
}

/// The feature columns of numbers, after scaling.
pub(crate) fn features(plan: &Plan) -> Vec<Seen<'_>> {
    let columns = plan.table.iter().flat_map(|table| &table.features);
    columns
        .filter_map(|feature| match &feature.kind {
            FeatureKind::Numbers { stats, scale } => Some(Seen {
                name: &feature.name,
                mean: scale.apply(stats.mean),
                std: stats.std / scale.divisor.abs(),
            }),
            FeatureKind::Words { .. } => None,
        })
        .collect()
}

/// Mean and deviation of the last `Normalize` of a chain, and its place in it.
pub(crate) fn normalize(chain: &[Transform]) -> Option<(usize, [f32; 3], [f32; 3])> {
    chain.iter().enumerate().rev().find_map(|(index, step)| match step {
        Transform::Normalize { mean, std } => Some((index, *mean, *std)),
        _ => None,
    })
}

/// The tensor is scale or shift of a BatchNorm: a norm that has running statistics beside it, or stands in a
/// `sequential` as one.
pub(crate) fn is_batch_norm(plan: &Plan, tensor: &TensorPlan) -> bool {
    if tensor.role != Role::Norm {
        return false;
    }
    let layer = tensor.name.rsplit_once('.').map_or("", |(layer, _)| layer);
    let layers = plan.recipe.model.layers.as_ref();
    let own = layers.and_then(|layers| layers.get(layer.parse::<usize>().ok()?)).and_then(Layer::kind);
    let statistics = format!("{layer}.running_mean");
    own == Some(LayerKind::BatchNorm) || plan.model.tensors.iter().any(|other| other.name == statistics)
}

/// Where the recipe says the highest rate of the run.
pub(crate) fn rate_key(plan: &Plan) -> &'static str {
    match plan.recipe.schedule.curve {
        Curve::OneCycleLR { max_lr: Some(_), .. } => "schedule.max_lr",
        _ => "optim.lr",
    }
}
