//! Rules over what probes measured on the live model, one file each, by category.
//!
//! The same symptom has several causes, and the numbers of the first update tell them apart. [`signs`] holds what more
//! than one rule asks for: a rule names its cause, and those that would see its consequences keep silent.

pub(super) mod signs;
#[cfg(test)]
mod tests;
mod view;

mod data {
    pub mod eval_inputs_differ;
    pub mod feature_scales_apart;
    pub mod input_ignored;
    pub mod inputs_constant;
    pub mod inputs_huge;
    pub mod inputs_not_finite;
    pub mod inputs_tiny;
    pub mod no_augmentation;
    pub mod rows_mixed;
    pub mod targets_far;
}
mod labels {
    pub mod labels_constant;
    pub mod labels_unrelated;
}
mod output {
    pub mod output_flat;
    pub mod softmax_of_one;
    pub mod targets_out_of_reach;
}
mod loss {
    pub mod gradient_zero;
    pub mod loss_climbs;
    pub mod loss_off_theory;
    pub mod loss_summed;
    pub mod softmax_twice;
}
mod init {
    pub mod dead_at_start;
    pub mod signal_explodes;
    pub mod signal_vanishes;
    pub mod units_equal;
}
mod activation {
    pub mod saturated_at_start;
    pub mod squashed_away;
    pub mod units_die;
}
mod normalization {
    pub mod frozen_statistics_drift;
}
mod optimizer {
    pub mod batch_not_learned;
    pub mod clip_too_low;
    pub mod eps_too_large;
    pub mod own_optimizer_fails;
    pub mod rate_too_high;
    pub mod rate_too_low;
    pub mod trained_but_stuck;
}
mod finetune {
    pub mod frozen_but_moving;
}
mod attention {
    pub mod future_seen;
    pub mod order_unseen;
    pub mod padding_seen;
}
mod evaluation {
    pub mod evaluation_random;
}
mod regularization {
    pub mod dropout_heavy;
}

use crate::{Category, Facts, Finding, Kind, Phase, Rule};

/// Every rule over probes, by category.
pub(super) static PROBED: &[&Rule] = &[
    &data::inputs_huge::RULE,
    &data::inputs_tiny::RULE,
    &data::inputs_not_finite::RULE,
    &data::feature_scales_apart::RULE,
    &data::inputs_constant::RULE,
    &data::rows_mixed::RULE,
    &data::no_augmentation::RULE,
    &data::eval_inputs_differ::RULE,
    &data::input_ignored::RULE,
    &data::targets_far::RULE,
    &labels::labels_unrelated::RULE,
    &labels::labels_constant::RULE,
    &output::targets_out_of_reach::RULE,
    &output::output_flat::RULE,
    &output::softmax_of_one::RULE,
    &loss::softmax_twice::RULE,
    &loss::loss_summed::RULE,
    &loss::loss_climbs::RULE,
    &loss::gradient_zero::RULE,
    &loss::loss_off_theory::RULE,
    &init::dead_at_start::RULE,
    &init::units_equal::RULE,
    &init::signal_vanishes::RULE,
    &init::signal_explodes::RULE,
    &activation::squashed_away::RULE,
    &activation::saturated_at_start::RULE,
    &activation::units_die::RULE,
    &normalization::frozen_statistics_drift::RULE,
    &optimizer::rate_too_high::RULE,
    &optimizer::rate_too_low::RULE,
    &optimizer::clip_too_low::RULE,
    &optimizer::eps_too_large::RULE,
    &optimizer::trained_but_stuck::RULE,
    &optimizer::own_optimizer_fails::RULE,
    &optimizer::batch_not_learned::RULE,
    &finetune::frozen_but_moving::RULE,
    &attention::future_seen::RULE,
    &attention::padding_seen::RULE,
    &attention::order_unseen::RULE,
    &evaluation::evaluation_random::RULE,
    &regularization::dropout_heavy::RULE,
];

type Look = fn(&Rule, &Facts) -> Vec<Finding>;

/// A rule over probes that names a cause.
const fn cause(
    code: &'static str,
    name: &'static str,
    category: Category,
    source: &'static str,
    look: Look,
) -> Rule {
    Rule { code, name, category, phase: Phase::Probe, kind: Kind::Cause, source, look }
}

/// A rule over probes that names what follows from a cause.
const fn symptom(
    code: &'static str,
    name: &'static str,
    category: Category,
    source: &'static str,
    look: Look,
) -> Rule {
    Rule { code, name, category, phase: Phase::Probe, kind: Kind::Symptom, source, look }
}

/// A rate as a person would type it: two digits.
fn round(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}
