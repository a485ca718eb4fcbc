//! Which optimizer group moves which parameter.

use luthier_recipe::{NoDecay, Optim};

use crate::{GroupPlan, Patterns, PlanError, Role, TensorPlan};

/// Assigns every trainable tensor to a group and returns the groups: first the parameters no pattern matches, then the
/// recipe's groups in order; each is followed by its part that is not decayed, where `no_decay` splits one off.
///
/// Groups that end up empty are left out. A pattern that moves nothing is an error: it is always a slip.
pub fn assign(optim: &Optim, tensors: &mut [TensorPlan]) -> Result<Vec<GroupPlan>, PlanError> {
    let patterns: Vec<String> = optim.groups.iter().map(|group| group.pattern.clone()).collect();
    let matcher = Patterns::new(&patterns, "optim.groups")?;
    refuse_unused(&matcher, tensors)?;

    let slots = 2 * (optim.groups.len() + 1);
    let slot_of = |tensor: &TensorPlan| {
        let group = matcher.first(&tensor.name).map_or(0, |index| index + 1);
        2 * group + usize::from(undecayed(optim, tensor.role))
    };
    let mut groups = Vec::new();
    for slot in 0..slots {
        let members: Vec<&TensorPlan> =
            tensors.iter().filter(|t| t.trainable && slot_of(t) == slot).collect();
        if members.is_empty() {
            continue;
        }
        let (name, mut plan) = describe(optim, slot / 2);
        if slot % 2 == 1 {
            plan.weight_decay = 0.0;
        }
        plan.name = if slot % 2 == 1 { format!("{name} · no decay") } else { name };
        plan.tensors = members.len();
        plan.scalars = members.iter().map(|t| t.shape.iter().product::<i64>() as u64).sum();
        groups.push((slot, plan));
    }
    for tensor in tensors.iter_mut() {
        let slot = slot_of(tensor);
        tensor.group = if tensor.trainable { groups.iter().position(|(of, _)| *of == slot) } else { None };
    }
    if groups.is_empty() {
        return Err(PlanError::at("model.freeze", "nothing is left to train: every parameter is frozen")
            .help("freeze fewer parameters; the head at least must train"));
    }
    Ok(groups.into_iter().map(|(_, plan)| plan).collect())
}

fn undecayed(optim: &Optim, role: Role) -> bool {
    // without decay there is nothing to split off
    let decays =
        optim.weight_decay != 0.0 || optim.groups.iter().any(|g| g.weight_decay.unwrap_or(0.0) != 0.0);
    decays
        && match role {
            Role::Bias => optim.no_decay.contains(&NoDecay::Bias),
            Role::Norm => optim.no_decay.contains(&NoDecay::Norm),
            Role::Weight | Role::Buffer => false,
        }
}

fn describe(optim: &Optim, group: usize) -> (String, GroupPlan) {
    let blank =
        |lr, weight_decay| GroupPlan { name: String::new(), lr, weight_decay, tensors: 0, scalars: 0 };
    match group.checked_sub(1).map(|index| &optim.groups[index]) {
        None => ("(all others)".into(), blank(optim.lr, optim.weight_decay)),
        Some(group) => {
            let lr = group.lr.unwrap_or(optim.lr * group.lr_scale.unwrap_or(1.0));
            (group.pattern.clone(), blank(lr, group.weight_decay.unwrap_or(optim.weight_decay)))
        }
    }
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
