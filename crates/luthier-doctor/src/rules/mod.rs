//! Every rule, one file each, by category.

mod activation;
mod contrastive;
mod data;
mod distributed;
mod evaluation;
mod finetune;
mod init;
mod labels;
mod loss;
mod normalization;
mod optimizer;
mod output;
mod plan;
mod precision;
mod probed;
mod regularization;
mod schedule;
mod script;
mod training;
mod training_loop;

#[cfg(test)]
mod faulty;
#[cfg(test)]
mod healthy;
#[cfg(test)]
mod healthy_runs;
#[cfg(test)]
pub(crate) mod sample;

use std::sync::LazyLock;

use crate::Rule;

/// Every rule, those from the plan alone first.
pub fn all() -> &'static [&'static Rule] {
    &ALL
}

static ALL: LazyLock<Vec<&'static Rule>> =
    LazyLock::new(|| [STATIC, probed::PROBED, READ, script::SCRIPT].concat());

/// Rules that need the plan alone, in the order a training goes: data, model, optimizer, loop, evaluation.
static STATIC: &[&Rule] = &[
    &plan::refused::RULE,
    &data::unscaled_features::RULE,
    &data::unscaled_target::RULE,
    &data::constant_column::RULE,
    &data::not_finite::RULE,
    &data::normalize_unit::RULE,
    &data::normalize_differs::RULE,
    &data::sorted::RULE,
    &data::texts_cut::RULE,
    &data::split_overlap::RULE,
    &data::rows_in_both::RULE,
    &data::random_eval::RULE,
    &data::left_out::RULE,
    &data::box_corners::RULE,
    &labels::imbalance::RULE,
    &labels::few_samples::RULE,
    &output::softmax_one_output::RULE,
    &output::output_range::RULE,
    &output::double_activation::RULE,
    &output::logits_as_probabilities::RULE,
    &output::output_width::RULE,
    &output::mismatched_pair::RULE,
    &loss::sum_reduction::RULE,
    &loss::mse_for_classes::RULE,
    &loss::class_weights_inverted::RULE,
    &loss::bce_targets::RULE,
    &loss::smoothing::RULE,
    &loss::class_weight_zero::RULE,
    &loss::streams_apart::RULE,
    &init::symmetric::RULE,
    &init::scale::RULE,
    &init::bias::RULE,
    &activation::vanishing::RULE,
    &activation::hidden_softmax::RULE,
    &activation::missing::RULE,
    &activation::doubled::RULE,
    &normalization::small_batch::RULE,
    &normalization::pretrained_batch_norm::RULE,
    &normalization::at_output::RULE,
    &normalization::shared_statistics::RULE,
    &optimizer::lr_pretrained::RULE,
    &optimizer::lr_scratch::RULE,
    &optimizer::eps::RULE,
    &optimizer::l2_in_adam::RULE,
    &optimizer::decay::RULE,
    &optimizer::too_few_updates::RULE,
    &optimizer::curvature::RULE,
    &optimizer::trust_on_all::RULE,
    &optimizer::trust_rate::RULE,
    &optimizer::two_optimizers::RULE,
    &optimizer::no_optimizer::RULE,
    &schedule::scheduler_unit::RULE,
    &schedule::warmup::RULE,
    &schedule::length::RULE,
    &schedule::gone::RULE,
    &schedule::early_stopping::RULE,
    &schedule::plateau::RULE,
    &schedule::plateau_hasty::RULE,
    &training::clip::RULE,
    &training::accumulation_tail::RULE,
    &training::batch_scaling::RULE,
    &training::average_slow::RULE,
    &distributed::rate::RULE,
    &contrastive::same_views::RULE,
    &contrastive::batch_statistics::RULE,
    &contrastive::queue_too_long::RULE,
    &contrastive::temperature::RULE,
    &contrastive::few_positives::RULE,
    &precision::scale_too_small::RULE,
    &finetune::unmatched::RULE,
    &finetune::frozen_random::RULE,
    &finetune::head_frozen::RULE,
    &finetune::head_slower::RULE,
    &finetune::preprocessing::RULE,
    &finetune::lora_scale::RULE,
    &finetune::lora_untrained::RULE,
    &finetune::heads_swapped::RULE,
    &finetune::head_starved::RULE,
    &evaluation::no_validation::RULE,
    &evaluation::small_validation::RULE,
    &regularization::dropout::RULE,
    &regularization::too_much::RULE,
];

/// Rules that read what a run wrote down.
static READ: &[&Rule] = &[
    &activation::vanishing_run::RULE,
    &contrastive::same_views_run::RULE,
    &contrastive::below_untrained::RULE,
    &contrastive::collapsed::RULE,
    &contrastive::stuck_at_margin::RULE,
    &contrastive::none_active::RULE,
    &data::bad_input::RULE,
    &data::odd_batch::RULE,
    &evaluation::constant_valid::RULE,
    &evaluation::mode_gap::RULE,
    &evaluation::majority::RULE,
    &evaluation::class_never_guessed::RULE,
    &finetune::forgetting::RULE,
    &finetune::lora_idle::RULE,
    &finetune::replay_forgotten::RULE,
    &training_loop::interrupted::RULE,
    &training_loop::not_repeatable::RULE,
    &precision::scale_fell::RULE,
    &loss::not_finite::RULE,
    &loss::gone_off::RULE,
    &loss::flat::RULE,
    &loss::tasks_conflict::RULE,
    &loss::by_turns::RULE,
    &optimizer::rate_too_high::RULE,
    &optimizer::rate_too_low::RULE,
    &optimizer::too_few_updates_run::RULE,
    &optimizer::dead_tensor::RULE,
    &optimizer::unmoved_tensor::RULE,
    &optimizer::exploding_gradients::RULE,
    &optimizer::clip_too_low::RULE,
    &regularization::overfit::RULE,
    &schedule::spent_early::RULE,
];

/// The rule of that code, in any case, or of that name.
pub fn find(code: &str) -> Option<&'static Rule> {
    all().iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code) || rule.name == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::page;

    #[test]
    fn codes_and_names_are_their_own_and_pages_are_whole() {
        let codes: BTreeSet<&str> = all().iter().map(|rule| rule.code).collect();
        let names: BTreeSet<&str> = all().iter().map(|rule| rule.name).collect();
        assert_eq!((codes.len(), names.len()), (all().len(), all().len()));
        for rule in all() {
            let page = page(rule);
            assert!(page.starts_with(&format!("# {} {}\n", rule.code, rule.name)), "{page}");
            let chapters = [
                "What it finds",
                "Why it hurts",
                "How it is measured",
                "Example",
                "Fix",
                "When it is wrong",
                "Source",
            ];
            for chapter in chapters {
                assert!(page.contains(&format!("\n## {chapter}\n")), "{} has no `{chapter}`", rule.code);
            }
        }
    }

    #[test]
    fn a_rule_is_found_by_code_and_by_name() {
        for key in ["SCH001", "sch001", "scheduler-unit"] {
            assert_eq!(find(key).map(|rule| rule.code), Some("SCH001"), "{key}");
        }
        assert!(find("SCH999").is_none());
    }
}
