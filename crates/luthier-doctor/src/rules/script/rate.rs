//! # OPT301 script-lr-pretrained
//!
//! ## What it finds
//! A learning rate for random weights, on a model that was trained before.
//!
//! ## Why it hurts
//! Adam moves every weight by about the rate at each update. Pretrained weights are of the size 0.02: at 0.01 they
//! are gone after a few updates, and what they were trained for with them.
//!
//! ## How it is measured
//! The script loads weights (`from_pretrained`, `pretrained=True`, `weights=…`, `get_peft_model`), freezes nothing, and
//! gives all of `model.parameters()` to one optimizer. Adam and its like from 3e-3 are an error, above 1e-3 a warning;
//! SGD's effective rate lr / (1 − momentum) from 0.3 is an error. The rate is a number, a name that is given one, or
//! the default of an option.
//!
//! ## Example
//! ```python
//! model = AutoModelForImageClassification.from_pretrained("google/vit-base-patch16-224")
//! optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
//! ```
//!
//! ## Fix
//! Adam 1e-4 (transformers 5e-5, LoRA up to 1e-3), SGD 0.01 with momentum 0.9 at most.
//!
//! ## When it is wrong
//! When what is trained is new after all, and the loaded part rests by means the text does not show.
//!
//! ## Source
//! The same bands as OPT001.

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("OPT301", "script-lr-pretrained", Category::Optimizer, include_str!("rate.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let Some(loads) = script.pretrained() else { return Vec::new() };
        let frozen = script.assigned.iter().any(|a| a.name.ends_with("requires_grad") && a.value == "False")
            || script
                .calls
                .iter()
                .any(|call| call.short() == "requires_grad_" && call.arg("", 0) == Some("False"));
        if frozen {
            return Vec::new();
        }
        script.optimizers().filter_map(|call| find(rule, script, loads, call)).collect()
    })
}

fn find(rule: &Rule, script: &Script, loads: &Call, call: &Call) -> Option<Finding> {
    let given = call.arg("params", 0)?;
    let of_all = |text: &str| {
        text.strip_suffix(".parameters()").is_some_and(|of| {
            // a part of it may be new
            of.split('.').all(|part| !["head", "fc", "classifier", "heads"].contains(&part))
        })
    };
    let named = script.assigned.iter().any(|a| a.name == given && of_all(&a.value));
    if !of_all(given) && !named {
        return None;
    }
    let lr = script.number(call.arg("lr", 1)?)?;
    let momentum = call.arg("momentum", 2).and_then(|text| script.number(text)).unwrap_or(0.0);
    let sgd = call.short() == "SGD";
    let (size, warn, error) =
        if sgd { (lr / (1.0 - momentum).max(1e-3), 0.3, 0.3) } else { (lr, 1e-3, 3e-3) };
    if size < error && size <= warn {
        return None;
    }
    let severity = if size >= error { Severity::Error } else { Severity::Warning };
    let usual =
        if sgd { "0.01 with momentum 0.9" } else { "1e-4, 5e-5 for a transformer, 1e-3 at most with LoRA" };
    let finding = super::at(rule, script, call.at)
        .weigh(severity, if severity == Severity::Error { 0.9 } else { 0.6 })
        .evidence(format!("`{}(…, lr={lr})` trains all of `{given}`", call.short()))
        .evidence(format!("line {}: `{}` loads trained weights", loads.at.line, loads.callee))
        .evidence(if sgd {
            format!("with momentum {momentum} its effect is that of {size:.2}; usual is {usual}")
        } else {
            format!("Adam moves each weight by about {lr} at every update; usual is {usual}")
        })
        .because(
            "the first updates overwrite what the weights were trained for",
            "the loss falls from the first updates on, and does not rise before",
        );
    Some(super::change(finding, format!("a rate for fine-tuning: {usual}")))
}
