//! Every rule, one file each, by category.

mod activation;
mod data;
mod evaluation;
mod finetune;
#[cfg(test)]
mod healthy;
mod loss;
mod optimizer;
mod regularization;
#[cfg(test)]
mod sample;
mod schedule;
mod training_loop;

use crate::Rule;

/// Every rule, in the order of their codes.
pub fn all() -> &'static [&'static Rule] {
    ALL
}

static ALL: &[&Rule] = &[
    &schedule::scheduler_unit::RULE,
    // read from what a run wrote down
    &activation::vanishing::RULE,
    &data::bad_input::RULE,
    &data::odd_batch::RULE,
    &evaluation::constant_valid::RULE,
    &evaluation::mode_gap::RULE,
    &evaluation::majority::RULE,
    &evaluation::class_never_guessed::RULE,
    &finetune::forgetting::RULE,
    &training_loop::interrupted::RULE,
    &training_loop::not_repeatable::RULE,
    &loss::not_finite::RULE,
    &loss::gone_off::RULE,
    &loss::flat::RULE,
    &optimizer::rate_too_high::RULE,
    &optimizer::rate_too_low::RULE,
    &optimizer::too_few_updates::RULE,
    &optimizer::dead_tensor::RULE,
    &optimizer::unmoved_tensor::RULE,
    &optimizer::exploding_gradients::RULE,
    &optimizer::clip_too_low::RULE,
    &regularization::overfit::RULE,
    &schedule::spent_early::RULE,
];

/// The rule of that code, in any case, or of that name.
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code) || rule.name == code)
}
