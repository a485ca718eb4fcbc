//! How weights are updated.

pub(super) mod clip_too_low;
pub(super) mod curvature;
pub(super) mod dead_tensor;
pub(super) mod decay;
pub(super) mod eps;
pub(super) mod exploding_gradients;
pub(super) mod l2_in_adam;
pub(super) mod lr_pretrained;
pub(super) mod lr_scratch;
pub(super) mod no_optimizer;
pub(super) mod rate_too_high;
pub(super) mod rate_too_low;
pub(super) mod too_few_updates;
pub(super) mod too_few_updates_run;
pub(super) mod trust_on_all;
pub(super) mod trust_rate;
pub(super) mod two_optimizers;
pub(super) mod unmoved_tensor;

use crate::{MonitorPoint, TensorPoint};

/// What every tensor was at each look, in the order of the first look that has it.
fn by_tensor<'a>(looks: impl Iterator<Item = &'a MonitorPoint>) -> Vec<(&'a str, Vec<&'a TensorPoint>)> {
    let mut at = std::collections::HashMap::new();
    let mut all: Vec<(&str, Vec<&TensorPoint>)> = Vec::new();
    for tensor in looks.flat_map(|look| &look.tensors) {
        let name = tensor.name.as_str();
        let index = *at.entry(name).or_insert(all.len());
        if index == all.len() {
            all.push((name, Vec::new()));
        }
        all[index].1.push(tensor);
    }
    all
}

/// The first few names, for a sentence.
fn named(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}
