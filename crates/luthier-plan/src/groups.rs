//! Which optimizer group moves which parameter.

use std::collections::BTreeMap;

use luthier_recipe::{NoDecay, Optim, Rule};

use crate::{GroupPlan, Patterns, PlanError, Role, TensorPlan};

/// Assigns every trainable tensor to a group and returns the groups: first the parameters no pattern matches (part by
/// part where rates decay by depth), then the recipe's groups in order; each is followed by its part that is not
/// decayed, where `no_decay` or the rule's own exclusions split one off.
///
/// Groups that end up empty are left out. A pattern that moves nothing is an error: it is always a slip.
pub fn assign(
    optim: &Optim,
    parts: &[String],
    tensors: &mut [TensorPlan],
) -> Result<Vec<GroupPlan>, PlanError> {
    let patterns: Vec<String> = optim.groups.iter().map(|group| group.pattern.clone()).collect();
    let matcher = Patterns::new(&patterns, "optim.groups")?;
    refuse_unused(&matcher, tensors)?;

    let mut slots: BTreeMap<Slot, Vec<usize>> = BTreeMap::new();
    for (index, tensor) in tensors.iter().enumerate().filter(|(_, tensor)| tensor.trainable) {
        let pattern = matcher.first(&tensor.name);
        let part = (optim.layer_decay.is_some() && pattern.is_none()).then_some(tensor.part);
        let slot = Slot { pattern, part, undecayed: undecayed(optim, tensor.role) };
        slots.entry(slot).or_default().push(index);
    }
    if slots.is_empty() {
        return Err(PlanError::at("model.freeze", "nothing is left to train: every parameter is frozen")
            .help("freeze fewer parameters; the head at least must train"));
    }
    let mut groups = Vec::new();
    for tensor in tensors.iter_mut() {
        tensor.group = None;
    }
    for (slot, members) in slots {
        let scalars = members.iter().map(|at| tensors[*at].shape.iter().product::<i64>() as u64).sum();
        for at in &members {
            tensors[*at].group = Some(groups.len());
        }
        groups.push(GroupPlan { tensors: members.len(), scalars, ..slot.describe(optim, parts) });
    }
    Ok(groups)
}

/// What tensors of one group have in common. The order is the groups'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    /// Which of the recipe's groups; `None` comes first
    pattern: Option<usize>,
    part: Option<usize>,
    undecayed: bool,
}

impl Slot {
    /// The group without its members.
    fn describe(self, optim: &Optim, parts: &[String]) -> GroupPlan {
        let own = self.pattern.and_then(|index| optim.groups.get(index));
        let (mut name, mut lr) = match own {
            Some(group) => {
                (group.pattern.clone(), group.lr.unwrap_or(optim.lr * group.lr_scale.unwrap_or(1.0)))
            }
            None => ("(all others)".into(), optim.lr),
        };
        if let (Some(part), Some(decay)) = (self.part, optim.layer_decay) {
            let below = parts.len().saturating_sub(part + 1);
            lr *= decay.powf(below as f64);
            name = parts.get(part).cloned().unwrap_or_default();
        }
        let decay = own.and_then(|group| group.weight_decay).unwrap_or(optim.weight_decay);
        let weight_decay = if self.undecayed { 0.0 } else { decay };
        if self.undecayed {
            name.push_str(" · no decay");
        }
        GroupPlan { name, lr, weight_decay, tensors: 0, scalars: 0 }
    }
}

fn undecayed(optim: &Optim, role: Role) -> bool {
    // without decay there is nothing to split off
    let decays =
        optim.weight_decay != 0.0 || optim.groups.iter().any(|g| g.weight_decay.unwrap_or(0.0) != 0.0);
    decays && (named(&optim.no_decay, role) || optim.rule.exclude().is_some_and(|spared| named(spared, role)))
}

fn named(spared: &[NoDecay], role: Role) -> bool {
    match role {
        Role::Bias => spared.contains(&NoDecay::Bias),
        Role::Norm => spared.contains(&NoDecay::Norm),
        Role::Weight | Role::Buffer => false,
    }
}

/// Whether an update rule scales the steps of such tensors by a trust ratio.
pub fn has_trust_ratio(rule: &Rule, role: Role) -> bool {
    rule.exclude().is_some_and(|spared| !named(spared, role))
}

fn refuse_unused(matcher: &Patterns, tensors: &[TensorPlan]) -> Result<(), PlanError> {
    let trainable = tensors.iter().filter(|t| t.trainable).map(|t| t.name.as_str());
    let Some((index, pattern)) = matcher.unused(trainable).into_iter().next() else { return Ok(()) };
    let key = format!("optim.groups[{index}].match");
    let frozen = tensors
        .iter()
        .any(|t| t.role != Role::Buffer && !t.trainable && matcher.first(&t.name) == Some(index));
    if frozen {
        return Err(PlanError::at(key, format!("`{pattern}` matches only parameters that are frozen"))
            .help("take them out of `model.freeze`, or drop the group"));
    }
    let tops = top_names(tensors);
    Err(PlanError::at(key, format!("`{pattern}` matches no parameter of the model")).help(format!(
        "the model's parameters begin with {}; `luthier check` lists them all",
        tops.iter().map(|top| format!("`{top}.`")).collect::<Vec<_>>().join(", ")
    )))
}

/// First components of the parameter names, in order, each once.
pub fn top_names(tensors: &[TensorPlan]) -> Vec<String> {
    let mut tops: Vec<String> = Vec::new();
    for tensor in tensors {
        let top = tensor.name.split('.').next().unwrap_or_default().to_string();
        if !tops.contains(&top) {
            tops.push(top);
        }
    }
    tops
}
