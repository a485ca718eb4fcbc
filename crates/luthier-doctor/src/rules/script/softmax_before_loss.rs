//! # OUT301 script-softmax-before-loss
//!
//! ## What it finds
//! Probabilities where a loss wants logits: softmax before cross-entropy, sigmoid before `BCEWithLogitsLoss`.
//!
//! ## Why it hurts
//! The loss takes the softmax itself. Of numbers between 0 and 1 it comes out almost flat: with ten classes a perfect
//! answer still costs 1.46, gradients are small, and the network learns slowly or stops early.
//!
//! ## How it is measured
//! What the loss is given is the result of `softmax(…)`, by itself, through a name, or because the model's `forward`
//! returns it or its `Sequential` ends with it. `log_softmax` does no harm and is not told.
//!
//! ## Example
//! ```python
//! probabilities = torch.softmax(model(x), dim=1)
//! loss = nn.CrossEntropyLoss()(probabilities, y)
//! ```
//!
//! ## Fix
//! Give the loss the outputs as they are; take the softmax only for what is shown.
//!
//! ## When it is wrong
//! When a name is used for two things.
//!
//! ## Source
//! `torch.nn.CrossEntropyLoss`: "the input is expected to contain the unnormalized logits".

use crate::script::{Call, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule = super::rule(
    "OUT301",
    "script-softmax-before-loss",
    Category::Output,
    include_str!("softmax_before_loss.rs"),
    look,
);

/// A loss that wants logits, as a class and as a function, and what must not stand before it.
const LOSSES: [(&str, &str, &str); 2] = [
    ("CrossEntropyLoss", "cross_entropy", "softmax"),
    ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", "sigmoid"),
];

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let mut found = Vec::new();
        for call in &script.calls {
            for (class, function, squash) in LOSSES {
                let made = script
                    .made(&call.callee, |maker| LOSSES.iter().any(|(class, ..)| maker.short() == *class));
                let is_loss = call.short() == function
                    || made.is_some_and(|maker| maker.short() == class)
                    || call.callee.contains(&format!("{class}("));
                let Some(input) = call.arg("input", 0).filter(|_| is_loss) else { continue };
                if let Some(why) = squashed(script, call, input, squash) {
                    let finding = super::at(rule, script, call.at)
                        .weigh(Severity::Error, 0.9)
                        .evidence(why)
                        .evidence(format!("`{class}` takes the {squash} itself"))
                        .because(
                            format!(
                                "the {squash} is taken twice: the loss is almost flat and cannot come near 0"
                            ),
                            "the loss on a batch that is known by heart comes near 0",
                        );
                    found.push(super::change(finding, format!("give the loss the outputs without {squash}")));
                }
            }
        }
        found
    })
}

/// Why an input of a loss went through softmax or sigmoid already.
fn squashed(script: &Script, loss: &Call, input: &str, squash: &str) -> Option<String> {
    if ends_squashed(input, squash) {
        return Some(format!("it is given `{input}`"));
    }
    // what the name was given last before
    let same = |a: &&crate::script::Assigned| {
        a.name == input && a.scope.function == loss.scope.function && a.at < loss.at
    };
    let made = script.assigned.iter().rfind(same);
    if let Some(made) = made.filter(|made| ends_squashed(&made.value, squash)) {
        return Some(format!("line {}: `{} = {}`", made.at.line, made.name, made.value));
    }
    let text = made.map_or(input, |made| made.value.as_str());
    let model = text.split('(').next().filter(|name| !name.is_empty() && text.contains('('))?;
    let maker = script.calls.iter().find(|call| call.to.iter().any(|to| to == model))?;
    let last = || maker.args.last().filter(|_| maker.short() == "Sequential");
    if let Some(last) = last().filter(|last| ends_squashed(&last.text.to_lowercase(), squash)) {
        return Some(format!("`{model}` of line {} ends with `{}`", maker.at.line, last.text));
    }
    let forward = script.returned.iter().find(|returned| {
        let function = returned.scope.function.and_then(|function| script.functions.get(function));
        returned.scope.class.as_deref() == Some(maker.short())
            && function.is_some_and(|function| function.name == "forward")
            && returns_squashed(script, returned, squash)
    })?;
    Some(format!("line {}: `{}.forward` returns the {squash}", forward.at.line, maker.short()))
}

fn returns_squashed(script: &Script, returned: &crate::script::Returned, squash: &str) -> bool {
    let same = |a: &&crate::script::Assigned| {
        a.name == returned.value && a.scope.function == returned.scope.function && a.at < returned.at
    };
    let given = script.assigned.iter().rfind(same);
    ends_squashed(&returned.value, squash) || given.is_some_and(|a| ends_squashed(&a.value, squash))
}

/// The text is one call of `softmax`, as `F.softmax(x, dim=1)` or `x.softmax(1)`.
fn ends_squashed(text: &str, squash: &str) -> bool {
    let text = text.trim();
    let Some(at) = text.rfind(&format!("{squash}(")) else { return false };
    let before = text[..at].chars().next_back();
    let alone = before.is_none_or(|letter| letter == '.' || letter == ' ' || letter == ')');
    // the bracket that opens there closes at the end
    let mut depth = 0_usize;
    let rest = &text[at + squash.len()..];
    let closes = rest.char_indices().find_map(|(index, letter)| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0).then_some(index)
    });
    // nothing but names and a call stands before it
    let plain = !text[..at].contains([' ', ',']) || text[..at].ends_with('.');
    alone && plain && closes == Some(rest.len().saturating_sub(1))
}
