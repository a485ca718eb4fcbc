//! # FIN301 script-lora-head
//!
//! ## What it finds
//! LoRA by `peft` on a model with a new classification head, without the head in `modules_to_save`.
//!
//! ## Why it hurts
//! `get_peft_model` freezes all that is not LoRA. The head starts random and stays so; and where the script sets
//! `requires_grad` again, it is trained and then not among what `save_pretrained` writes: the adapter is loaded with
//! another random head.
//!
//! ## How it is measured
//! A `LoraConfig` without `modules_to_save`, whose `task_type` is not one for which `peft` adds the head itself, in a script
//! that loads an `AutoModelFor…Classification` and calls `get_peft_model`.
//!
//! ## Example
//! ```python
//! model = ViTForImageClassification.from_pretrained(name, num_labels=10)
//! model = get_peft_model(model, LoraConfig(r=16, target_modules=["query", "value"]))
//! ```
//!
//! ## Fix
//! `modules_to_save=["classifier"]`.
//!
//! ## When it is wrong
//! When the head's weights are the checkpoint's own and shall stay; or are saved by `torch.save` besides.
//!
//! ## Source
//! PEFT's guide to image classification, which gives `modules_to_save=["classifier"]` for this reason.

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("FIN301", "script-lora-head", Category::Finetune, include_str!("lora_head.rs"), look);

/// Kinds of models with a head that is made anew for other classes.
const CLASSIFIERS: &[&str] = &[
    "ForImageClassification",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForAudioClassification",
];

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let applied = script.calls.iter().any(|call| call.short() == "get_peft_model");
        let Some(model) = script.calls.iter().find(|call| is_classifier(call)).filter(|_| applied) else {
            return Vec::new();
        };
        let configs = script.calls.iter().filter(|call| call.short() == "LoraConfig" && !saves_head(call));
        configs.map(|config| finding(rule, script, config, model)).collect()
    })
}

fn is_classifier(call: &Call) -> bool {
    call.short() == "from_pretrained" && CLASSIFIERS.iter().any(|kind| call.of().contains(kind))
}

fn saves_head(config: &Call) -> bool {
    let named = |name: &str| config.arg(name, usize::MAX);
    let saved = named("modules_to_save").is_some_and(|text| text != "None");
    // what is unpacked cannot be seen
    let hidden = config.args.iter().any(|arg| arg.text.starts_with("**"));
    saved || hidden || named("task_type").is_some_and(|text| text.contains("_CLS"))
}

fn finding(rule: &Rule, script: &Script, config: &Call, model: &Call) -> Finding {
    let thawed = script.assigned.iter().any(|a| a.name.ends_with("requires_grad") && a.value == "True");
    let finding = super::at(rule, script, config.at)
        .evidence(format!("`{}` of line {} makes a head for the classes", model.callee, model.at.line))
        .evidence(
            "`LoraConfig` has no `modules_to_save`, and no `task_type` that would add the head".to_owned(),
        );
    let finding = if thawed {
        finding.weigh(Severity::Warning, 0.6).because(
            "the head is trained, and `save_pretrained` leaves it out: the adapter comes back with a random one",
            "the head's weights are in the saved adapter",
        )
    } else {
        finding.weigh(Severity::Error, 0.85).because(
            "`get_peft_model` freezes the head, which starts random: the classes are read off numbers that never change",
            "`print_trainable_parameters()` counts the head",
        )
    };
    super::change(finding, "`modules_to_save=[\"classifier\"]` in `LoraConfig`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::read;

    fn said(config: &str, more: &str) -> Vec<(Severity, usize)> {
        let text = format!(
            "from peft import LoraConfig, get_peft_model\n\
             model = ViTForImageClassification.from_pretrained(\"vit\", num_labels=10)\n\
             config = LoraConfig({config})\n\
             model = get_peft_model(model, config)\n{more}"
        );
        let script = read("train.py", &text).unwrap();
        let found = look(&RULE, &Facts { script: Some(&script), ..Facts::default() });
        found.into_iter().map(|finding| (finding.severity, finding.line.unwrap())).collect()
    }

    #[test]
    fn the_head_is_named_or_stays_random() {
        assert_eq!(said("r=16, target_modules=[\"query\"]", ""), [(Severity::Error, 3)]);
        let thawed = "for p in model.classifier.parameters():\n    p.requires_grad = True\n";
        assert_eq!(said("r=16", thawed), [(Severity::Warning, 3)]);
        assert_eq!(said("r=16, modules_to_save=[\"classifier\"]", ""), []);
        assert_eq!(said("r=16, task_type=TaskType.SEQ_CLS", ""), [], "peft adds it");
        assert_eq!(said("**options", ""), []);
    }

    #[test]
    fn without_a_new_head_there_is_none_to_save() {
        let text = "model = AutoModelForCausalLM.from_pretrained(\"gpt2\")\nmodel = get_peft_model(model, LoraConfig(r=8))\n";
        let script = read("train.py", text).unwrap();
        assert!(look(&RULE, &Facts { script: Some(&script), ..Facts::default() }).is_empty());
    }
}
