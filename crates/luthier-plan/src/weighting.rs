//! Weights of several heads that are learned, and the parameters that heads share.

use luthier_recipe::{Head, Hidden, TaskWeighting};
use serde::{Deserialize, Serialize};

use crate::{GroupPlan, Patterns, Plan, PlanError, Role, TensorPlan};

/// Weights of several heads that are learned: what moves them, and where gradients are compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightingPlan {
    /// The optimizer group of the weights (of uncertainty weighting, their log-variances): one number for each head
    pub group: GroupPlan,
    /// Names of the parameters at which GradNorm compares gradients; none for uncertainty weighting
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
}

/// How a plan's heads are weighed against each other, where that is learned; `None` where the weights are fixed, and for a
/// stream with one head, which has none to be weighed against.
///
/// # Errors
/// GradNorm finds nothing at which to compare the heads' gradients.
pub fn plan(plan: &Plan) -> Result<Option<WeightingPlan>, PlanError> {
    let tasks = plan.data.tasks.len();
    let (lr, shared) = match &plan.recipe.train.task_weighting {
        _ if tasks < 2 => return Ok(None),
        TaskWeighting::Fixed => return Ok(None),
        TaskWeighting::Uncertainty { lr } => (lr.unwrap_or(plan.recipe.optim.lr), Vec::new()),
        TaskWeighting::GradNorm { lr, shared, .. } => (*lr, compared_at(plan, shared)?),
    };
    let group = GroupPlan {
        name: "task weighting · no decay".into(),
        lr,
        weight_decay: 0.0,
        tensors: 1,
        scalars: tasks as u64,
    };
    Ok(Some(WeightingPlan { group, shared }))
}

/// Names of the parameters at which GradNorm compares the heads' gradients.
fn compared_at(plan: &Plan, patterns: &[String]) -> Result<Vec<String>, PlanError> {
    const KEY: &str = "train.task_weighting.shared";
    let common = common(plan);
    if patterns.is_empty() {
        let last = common.iter().rfind(|tensor| tensor.role == Role::Weight);
        let last = last.ok_or_else(|| {
            let what = "`gradnorm` compares gradients at a layer that all heads share, and none that is trained is";
            PlanError::at("train.task_weighting", what)
                .help("train a layer below the heads, give them a hidden layer together, or write `type = \"uncertainty\"`")
        })?;
        return Ok(vec![last.name.clone()]);
    }
    let matcher = Patterns::over_trained(patterns, KEY, &plan.model.tensors)?;
    let own = plan.model.tensors.iter().find(|tensor| {
        tensor.trainable
            && matcher.first(&tensor.name).is_some()
            && !common.iter().any(|shared| shared.name == tensor.name)
    });
    if let Some(own) = own {
        let what = format!("`{}` is not shared by all heads", own.name);
        return Err(PlanError::at(KEY, what).help("name parameters below the heads"));
    }
    let matching = common.iter().filter(|tensor| matcher.first(&tensor.name).is_some());
    Ok(matching.map(|tensor| tensor.name.clone()).collect())
}

/// Trained parameters that the losses of all heads of a plan depend on: all but the heads' own layers.
pub fn common(plan: &Plan) -> Vec<&TensorPlan> {
    let of =
        |name: &str| plan.recipe.model.heads.get(name).map(|head| layers(name, head)).unwrap_or_default();
    let mut shared: Option<Vec<String>> = None;
    for task in &plan.data.tasks {
        let own = of(&task.head);
        shared = Some(match shared {
            Some(before) => before.into_iter().filter(|layer| own.contains(layer)).collect(),
            None => own,
        });
    }
    let shared = shared.unwrap_or_default();
    let all: Vec<String> = plan.recipe.model.heads.keys().flat_map(|name| of(name)).collect();
    let in_any = |tensor: &TensorPlan, layers: &[String]| {
        let below = |layer: &String| {
            tensor.name.strip_prefix(layer.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        layers.iter().any(below)
    };
    let tensors = plan.model.tensors.iter().filter(|tensor| tensor.trainable && tensor.role != Role::Buffer);
    tensors.filter(|tensor| !in_any(tensor, &all) || in_any(tensor, &shared)).collect()
}

/// The layers that a head's answer comes out of, as the model calls them.
fn layers(name: &str, head: &Head) -> Vec<String> {
    let layer = |(index, hidden): (usize, &Hidden)| match hidden {
        Hidden::Name(layer) => layer.clone(),
        Hidden::Width(_) => format!("{name}_hidden.{index}"),
    };
    head.hidden.iter().enumerate().map(layer).chain([name.to_owned()]).collect()
}
