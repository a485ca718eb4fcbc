//! # OPT302 script-shared-weights
//!
//! ## What it finds
//! Two optimizers that train the same weights.
//!
//! ## Why it hurts
//! Each of them has its own momentum and its own second moments, of the gradients it saw. What one does to a weight,
//! the other takes for where the weight was; each undoes the other's progress, and each schedule lowers only its own
//! rate. `zero_grad()` of one clears the gradients of the other.
//!
//! ## How it is measured
//! What each optimizer is given, names followed to where they are made: `model.parameters()` holds
//! `model.classifier.parameters()`, and what is picked from `model.named_parameters()`. Two that are both picked by a
//! condition are left alone.
//!
//! ## Example
//! ```python
//! everything = torch.optim.Adam(model.parameters(), lr=1e-4)
//! head = torch.optim.Adam(model.classifier.parameters(), lr=1e-4)
//! ```
//!
//! ## Fix
//! One optimizer, with a group for each part; both losses added up before `backward()`.
//!
//! ## When it is wrong
//! When the two are used one after the other in time, in stages, and never in the same epoch.
//!
//! ## Source
//! `torch.optim.Adam`: the state belongs to the optimizer and the parameter, not to the parameter alone.

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "OPT302",
    "script-shared-weights",
    Category::Optimizer,
    include_str!("shared_weights.rs"),
    look,
);

/// Names are followed through so many others.
const DEEPEST: usize = 5;

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let all: Vec<&Call> = script.optimizers().collect();
        let mut found = Vec::new();
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                // either the one or the other is made
                let different = one.to != other.to && one.scope.function == other.scope.function;
                if let Some(what) = different.then(|| shared(script, one, other)).flatten() {
                    found.push(finding(rule, script, [one, other], &what));
                }
            }
        }
        found
    })
}

fn finding(rule: &Rule, script: &Script, [one, other]: [&Call; 2], what: &[String; 2]) -> Finding {
    let names = [&one.to, &other.to].map(|to| to.first().map_or("", String::as_str));
    let finding = super::at(rule, script, other.at)
        .weigh(Severity::Warning, 0.85)
        .evidence(format!("`{}` of line {} has `{}`", names[0], one.at.line, what[0]))
        .evidence(format!("`{}` of line {} has `{}`, a part of the same weights", names[1], other.at.line, what[1]))
        .because(
            "both optimizers move the same weights, each with moments of its own that know nothing of the other",
            "with one optimizer and the sum of the losses the run does no better",
        );
    super::change(finding, "one optimizer over all weights, and one `backward()` of the losses added up")
}

/// What one optimizer is given: weights of a module, and whether a condition picks among them.
struct Given {
    module: String,
    picked: bool,
}

/// The weights of each that are also the other's.
fn shared(script: &Script, one: &Call, other: &Call) -> Option<[String; 2]> {
    let [one, other] = [one, other].map(|call| {
        let mut given = Vec::new();
        gather(script, call.arg("params", 0).unwrap_or_default(), DEEPEST, &mut given);
        given
    });
    for a in &one {
        for b in &other {
            if (holds(&a.module, &b.module) || holds(&b.module, &a.module)) && !(a.picked && b.picked) {
                return Some([&a.module, &b.module].map(|module| format!("{module}.parameters()")));
            }
        }
    }
    None
}

/// Whether a module is another one, or holds it.
fn holds(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Modules whose parameters a text names, through the names that it uses.
fn gather(script: &Script, text: &str, depth: usize, given: &mut Vec<Given>) {
    let picked = text.contains(" if ") || text.contains("filter(");
    for end in [".parameters(", ".named_parameters("] {
        for (at, _) in text.match_indices(end) {
            let start = text[..at].rfind(|c: char| !(c.is_alphanumeric() || "_.".contains(c)));
            let module = &text[start.map_or(0, |start| start + 1)..at];
            // the wrapper of data-parallel training is the model itself
            let parts: Vec<&str> = module.split('.').filter(|part| *part != "module").collect();
            given.push(Given { module: parts.join("."), picked });
        }
    }
    let Some(less) = depth.checked_sub(1) else { return };
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    for word in words {
        let lists = |value: &str| value.contains("parameters(") || value.contains("params");
        let assigned =
            script.assigned.iter().filter(|a| a.name == word && lists(&a.value) && a.value != text);
        for assigned in assigned {
            gather(script, &assigned.value, less, given);
        }
    }
}
