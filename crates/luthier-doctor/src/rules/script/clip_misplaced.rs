//! # LOO303 script-clip-misplaced
//!
//! ## What it finds
//! Clipping that does nothing, because it stands before `backward()` or after `step()`.
//!
//! ## Why it hurts
//! Gradients are clipped in place. Before `backward()` there are none, after `step()` they have been used: the run is
//! one without clipping, whatever it seems.
//!
//! ## How it is measured
//! In a loop over batches, between the last `backward()` and the `step()` after it there is no clipping, but elsewhere
//! in the loop there is.
//!
//! ## Example
//! ```python
//! loss.backward()
//! optimizer.step()
//! torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
//! ```
//!
//! ## Fix
//! Clip between the two.
//!
//! ## When it is wrong
//! When a hook calls `step()`.
//!
//! ## Source
//! `torch.nn.utils.clip_grad_norm_` changes `.grad` in place.

use crate::script::Call;
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("LOO303", "script-clip-misplaced", Category::Loop, include_str!("clip_misplaced.rs"), look);

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let mut found = Vec::new();
        for index in script.training_loops() {
            let here = |call: &&Call| call.scope.loops.contains(&index);
            let clips: Vec<&Call> = script
                .calls
                .iter()
                .filter(here)
                .filter(|call| call.short().starts_with("clip_grad_"))
                .collect();
            let (Some(backward), Some(update)) =
                (script.backwards().find(here), script.updates().filter(here).last())
            else {
                continue;
            };
            let useful = clips.iter().any(|clip| backward.at < clip.at && clip.at < update.at);
            let Some(clip) = clips.first().filter(|_| !useful && backward.at < update.at) else { continue };
            let side = if clip.at < backward.at { "before `backward()`" } else { "after `step()`" };
            let finding = super::at(rule, script, clip.at)
                .weigh(Severity::Warning, 0.9)
                .evidence(format!("`{}` stands {side}", clip.callee))
                .because(
                    "there is nothing to clip there, and what is used for the update is not clipped",
                    "the norm of the gradient that `step()` sees is at most the one given",
                );
            found.push(super::change(finding, "clip between `backward()` and `step()`"));
        }
        found
    })
}
