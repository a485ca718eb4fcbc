//! Cures that are tried: each by itself, all of them together, and each on top of others where alone it does not help.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use luthier::voice::Voice;
use luthier_doctor::{Outcome, Proof, Repair, Severity, Verdict, patch, rank};
use luthier_recipe::Loaded;

/// Causes whose cures are tried.
const TRIED: usize = 3;
/// Pairs of runs of each.
const SEEDS: u64 = 3;

type Patch = BTreeMap<String, serde_json::Value>;

/// Findings that one trial is about.
struct Cause {
    /// Indices of the findings
    findings: Vec<usize>,
    code: String,
    summary: String,
    patch: Patch,
}

/// What trials need.
struct Trials<'a> {
    device: &'a str,
    voice: &'a Voice,
    began: Instant,
    budget: Duration,
    /// Trials that the budget is still to be shared by
    planned: usize,
}

/// Tries the cures of the first causes, and ranks again by what came of it. Where alone a cure does not help, it is tried
/// again on top of one that does, or on top of all others where only all together do: several faults may be needed to
/// explain what is seen.
pub fn prove(verdict: &mut Verdict, loaded: &Loaded, budget: Duration, device: &str, voice: &Voice) {
    let causes = causes(verdict, loaded);
    let count = causes.len();
    // each alone, all together, and each but the one that they stand on again
    let planned = if count > 1 { 2 * count } else { 1 };
    let mut trials = Trials { device, voice, began: Instant::now(), budget, planned };
    for cause in &causes {
        if let Some(proof) = trials.run(verdict, loaded, &cause.patch, &cause.code, &cause.summary) {
            cause.found(verdict, &proof);
        }
    }
    if count > 1 {
        let whole = patch::together(causes.iter().map(|cause| &cause.patch));
        let codes: Vec<String> = causes.iter().map(|cause| cause.code.clone()).collect();
        let (name, summary) = (codes.join(" and "), format!("all {count} cures together"));
        if let Some(proof) = trials.run(verdict, loaded, &whole, &name, &summary) {
            verdict.repaired = Some(Repair { codes, patch: whole, proof });
        }
        again(verdict, loaded, &causes, &mut trials);
    }
    rank(verdict);
}

/// The first causes that have a cure. What is wrong in several streams in the same way is one.
fn causes(verdict: &Verdict, loaded: &Loaded) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for (at, finding) in verdict.findings.iter().enumerate() {
        let Some(fix) = finding.fix.as_ref().filter(|_| finding.severity > Severity::Info) else { continue };
        let same = |cause: &Cause| !loaded.recipe.streams.is_empty() && cause.code == finding.code;
        match causes.iter().position(same) {
            Some(known) => {
                let cause = &mut causes[known];
                cause.findings.push(at);
                cause.patch = patch::together([&cause.patch, &fix.patch]);
            }
            None if causes.len() < TRIED => causes.push(Cause {
                findings: vec![at],
                code: finding.code.clone(),
                summary: fix.summary.clone(),
                patch: fix.patch.clone(),
            }),
            None => {}
        }
    }
    causes
}

impl Cause {
    fn found(&self, verdict: &mut Verdict, proof: &Proof) {
        for at in &self.findings {
            verdict.findings[*at].proof = proof.clone();
        }
    }

    fn tell(&self, verdict: &mut Verdict, sentence: &str) {
        for at in &self.findings {
            verdict.findings[*at].evidence.push(sentence.to_owned());
        }
    }

    fn outcome(&self, verdict: &Verdict) -> Outcome {
        let first = self.findings.first().and_then(|at| verdict.findings.get(*at));
        first.map_or(Outcome::NotTried, |finding| finding.proof.verdict)
    }
}

/// Tries cures that did not help alone on top of others: of the first one that did, or else of all the rest.
fn again(verdict: &mut Verdict, loaded: &Loaded, causes: &[Cause], trials: &mut Trials<'_>) {
    let proved = |verdict: &Verdict, cause: &Cause| cause.outcome(verdict) == Outcome::Proved;
    let base = causes.iter().find(|cause| proved(verdict, cause));
    let together = verdict.repaired.as_ref().is_some_and(|repair| repair.proof.verdict == Outcome::Proved);
    if base.is_none() && !together {
        return;
    }
    let left: Vec<&Cause> = causes.iter().filter(|cause| !proved(verdict, cause)).collect();
    trials.planned = left.len();
    for cause in left {
        if let Some(base) = base.filter(|base| base.patch == cause.patch) {
            let proof = verdict.findings[base.findings[0]].proof.clone();
            cause.found(verdict, &proof);
            continue;
        }
        let below: Vec<&Cause> = match base {
            Some(base) => vec![base],
            None => causes.iter().filter(|other| other.code != cause.code).collect(),
        };
        let codes: Vec<&str> = below.iter().map(|other| other.code.as_str()).collect();
        let under = patch::together(below.iter().map(|other| &other.patch));
        let proof = match luthier_probe::patched(loaded, &under) {
            Ok(cured) => trials.run(verdict, &cured, &cause.patch, &cause.code, &cause.summary),
            Err(_) => None,
        };
        let verdict_of = proof.as_ref().map(|proof| proof.verdict);
        match proof.filter(|proof| proof.verdict == Outcome::Proved) {
            Some(proof) => {
                let codes = codes.join(" and ");
                let (those, all) = if below.len() > 1 { ("those", "all") } else { ("that", "both") };
                cause.tell(
                    verdict,
                    &format!("its cure helps once {those} of {codes} {} there: {all} are needed", is(&below)),
                );
                cause.found(verdict, &proof);
            }
            // alone it did not help, and neither did any other: what all of them together do is theirs
            None if base.is_none() && verdict_of != Some(Outcome::Refuted) => {
                cause.tell(verdict, "alone its cure does not help, and all cures together do");
                for at in &cause.findings {
                    verdict.findings[*at].proof.verdict = Outcome::Inconclusive;
                }
            }
            None => {}
        }
    }
}

fn is(causes: &[&Cause]) -> &'static str {
    if causes.len() > 1 { "are" } else { "is" }
}

impl Trials<'_> {
    /// One trial on its share of what is left; what stood in the way is said.
    fn run(
        &mut self,
        verdict: &mut Verdict,
        loaded: &Loaded,
        patch: &Patch,
        name: &str,
        summary: &str,
    ) -> Option<Proof> {
        let left = self.budget.saturating_sub(self.began.elapsed());
        let share = left / u32::try_from(self.planned.max(1)).unwrap_or(u32::MAX);
        self.planned = self.planned.saturating_sub(1);
        self.voice.status("trying", &format!("{name}: {summary}"));
        match luthier_probe::trial(loaded, patch, SEEDS, share, self.device) {
            Ok(trial) => {
                if !trial.note.is_empty() {
                    verdict.unseen.push(format!("the trial of {name} was cut short: {}", trial.note));
                }
                Some(trial.proof)
            }
            Err(error) => {
                verdict.unseen.push(format!("{name} could not be tried: {error}"));
                None
            }
        }
    }
}
