//! `luthier doctor`: why it does not converge, with proof.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use luthier::args::{DoctorArgs, ProbeKind};
use luthier::show::verdict_text;
use luthier::voice::{self, Blame, Failure, Sentence, Voice};
use luthier_doctor::{Facts, Finding, Fix, Outcome, ProbeFacts, RunFacts, Severity, Status, Verdict, judge};
use luthier_plan::{Plan, PlanError, streams};
use luthier_recipe::Loaded;
use luthier_track::{RunDir, write_atomic};
use luthier_train::TrainError;
use serde::Serialize;

use super::doctor_probe::{self, Asked, Which};
use super::doctor_prove;

/// Share of the budget for probes where cures are to be tried as well.
const FOR_PROBES: f64 = 0.3;
/// Probes take no longer than this, however large the budget.
const PROBES: Duration = Duration::from_secs(60);

/// What is looked at.
struct Subject {
    kind: &'static str,
    loaded: Loaded,
    plan: Option<Plan>,
    run: Option<RunFacts>,
    refused: Option<PlanError>,
    unseen: Vec<String>,
}

pub fn run(args: &DoctorArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    if let Some(which) = args.probe {
        return probe(args, which, device, voice);
    }
    let began = Instant::now();
    let device = device.unwrap_or("cpu");
    let mut subject = open(args)?;
    let probes = look(args, &mut subject, device, voice);
    let mut verdict = {
        let (plan, run, refused) = (subject.plan.as_ref(), subject.run.as_ref(), subject.refused.as_ref());
        let recipe = Some(&subject.loaded);
        judge(subject.kind, &Facts { recipe, plan, refused, probes: probes.as_ref(), run, script: None })
    };
    verdict.unseen.append(&mut subject.unseen);
    if args.prove {
        let budget = args.budget.0.saturating_sub(began.elapsed());
        doctor_prove::prove(&mut verdict, &subject.loaded, budget, device, voice);
    }
    if args.apply {
        apply(args, &verdict, voice)?;
    }
    if voice.json {
        print_json(&verdict, probes.filter(|_| voice.verbose > 0))?;
    } else {
        voice::print(&verdict_text(&verdict, &subject.loaded.file, &voice.stdout_look(), voice.verbose))?;
    }
    if verdict.status == Status::Sick { Err(Failure::quiet(1)) } else { Ok(()) }
}

/// The verdict as data and, where more is wanted, what was measured.
fn print_json(verdict: &Verdict, probes: Option<ProbeFacts>) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Said<'a> {
        #[serde(flatten)]
        verdict: &'a Verdict,
        #[serde(skip_serializing_if = "Option::is_none")]
        probes: Option<ProbeFacts>,
    }
    voice::print_json(&Said { verdict, probes })
}

fn open(args: &DoctorArgs) -> Result<Subject, Failure> {
    if !args.subject.is_dir() {
        let loaded = luthier_recipe::load(&args.subject, &args.overrides.set).or_call()?;
        return Ok(Subject {
            kind: "recipe",
            loaded,
            plan: None,
            run: None,
            refused: None,
            unseen: Vec::new(),
        });
    }
    let run = RunDir::open(&args.subject).or_call()?;
    let plan = run.plan().or_call()?;
    // the recipe as it was resolved: what was typed may have been changed by `--set`
    let text = luthier_recipe::render(&streams::recipe(&plan));
    let file = run.recipe_path().display().to_string();
    let mut loaded = luthier_recipe::parse(&file, &text, &args.overrides.set).or_call()?;
    loaded.base = PathBuf::from(&plan.base);
    let facts = RunFacts::read(&run).or_subject()?;
    Ok(Subject { kind: "run", loaded, plan: Some(plan), run: Some(facts), refused: None, unseen: Vec::new() })
}

/// Plans the recipe and, unless the plan is all that is asked for, measures the live model. What cannot be done is said.
fn look(args: &DoctorArgs, subject: &mut Subject, device: &str, voice: &Voice) -> Option<ProbeFacts> {
    if args.plan_only && subject.plan.is_some() {
        return None;
    }
    let prepared = match luthier_train::prepare(&subject.loaded.recipe, &subject.loaded.base, device) {
        Ok(prepared) => prepared,
        Err(error) => {
            unresolved(subject, error, device);
            return None;
        }
    };
    subject.plan.get_or_insert_with(|| prepared.plan.clone());
    if args.plan_only {
        return None;
    }
    let budget = if args.prove { args.budget.0.mul_f64(FOR_PROBES) } else { args.budget.0 }.min(PROBES);
    voice.status("probing", "the live model, before anything is trained");
    match luthier_probe::probe(prepared, budget) {
        Ok((facts, _)) => {
            if voice.verbose > 0 {
                subject.unseen.extend(skipped(&facts));
            }
            Some(facts)
        }
        Err(error) => {
            subject.unseen.push(format!("the live model could not be measured: {error}"));
            None
        }
    }
}

/// Which probes could not run, those of streams beside the first with the stream's name.
fn skipped(facts: &ProbeFacts) -> Vec<String> {
    let own = facts.skipped.iter().map(|(name, why)| format!("probe `{name}`: {why}"));
    let others = facts.streams.iter().flat_map(|(stream, its)| {
        its.skipped.iter().map(move |(name, why)| format!("probe `{name}` of stream `{stream}`: {why}"))
    });
    own.chain(others).collect()
}

/// What is still looked at where the recipe cannot be resolved here, and what is not.
fn unresolved(subject: &mut Subject, error: TrainError, device: &str) {
    if subject.run.is_some() {
        // the run's own plan is there: data that have moved since are no fault of it
        let why = format!("the live model was not measured: {error}");
        subject.unseen.push(why);
        return;
    }
    if matches!(error, TrainError::Weights(_)) {
        subject.plan = without_weights(&subject.loaded, device);
    }
    subject.unseen.push(match &subject.plan {
        Some(_) => "the weights were not read: the rest of the plan was judged, the live model was not measured".into(),
        None => "the recipe cannot be resolved: its keys and values are well written, and nothing that the plan would say \
                 of data, model and rates could be looked at"
            .into(),
    });
    subject.refused = Some(refusal(error));
}

/// The plan that there would be with the weights, as far as it can be told: which of them match is left open.
fn without_weights(loaded: &Loaded, device: &str) -> Option<Plan> {
    let mut recipe = loaded.recipe.clone();
    recipe.model.weights = Some("none".into());
    let mut plan = luthier_train::prepare(&recipe, &loaded.base, device).ok()?.plan;
    let mut others = std::mem::take(&mut plan.streams);
    for own in std::iter::once(&mut plan).chain(&mut others) {
        // each stream's recipe is what it was resolved to, but for the weights
        own.recipe.model.weights.clone_from(&loaded.recipe.model.weights);
        own.model.weights = loaded.recipe.model.weights().into();
    }
    plan.streams = others;
    Some(plan)
}

/// What stands in the way of a plan, with the key that it is about.
fn refusal(error: TrainError) -> PlanError {
    let key = match error {
        TrainError::Plan(error) => return error,
        TrainError::Weights(_) => "model.weights",
        TrainError::Model(_) => "model",
        TrainError::Transform(_) => "data.transform",
        _ => "data",
    };
    let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
    PlanError { key: key.into(), what: error.to_string(), help }
}

/// Writes cures into the recipe: every one that was proved, or, where nothing was tried, the first.
fn apply(args: &DoctorArgs, verdict: &Verdict, voice: &Voice) -> Result<(), Failure> {
    if args.subject.is_dir() {
        return Err(Failure::misuse(
            "a run's recipe is kept as it was",
            "name the recipe instead: `luthier doctor recipe.toml --apply`",
        ));
    }
    let cures: Vec<(&Finding, &Fix)> = verdict
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .filter(|finding| !args.prove || finding.proof.verdict == Outcome::Proved)
        .filter_map(|finding| Some((finding, finding.fix.as_ref()?)))
        .take(if args.prove { usize::MAX } else { 1 })
        .collect();
    if cures.is_empty() {
        voice.warn("there is no cure to write into the recipe");
        return Ok(());
    }
    // what one cure takes out, another does not change
    let patch = luthier_doctor::patch::together(cures.iter().map(|(_, fix)| &fix.patch));
    let text = luthier_doctor::patch::apply(&read(&args.subject)?, &patch).or_subject()?;
    write_atomic(&args.subject, text.as_bytes()).or_subject()?;
    for (finding, fix) in cures {
        voice.status("changed", &format!("{}: {} ({})", args.subject.display(), fix.summary, finding.code));
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::call(Sentence { message: format!("cannot read `{}`: {error}", path.display()), hint: None })
    })
}

fn probe(args: &DoctorArgs, which: ProbeKind, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    if args.subject.is_dir() {
        return Err(Failure::misuse("a probe looks at a recipe", "name the recipe, not a run"));
    }
    let (which, word) = match which {
        ProbeKind::Lr => (Which::Lr, "lr"),
        ProbeKind::Batch => (Which::Batch, "batch"),
        ProbeKind::Overfit => (Which::Overfit, "overfit"),
    };
    let beside = || args.subject.with_extension(format!("probe-{word}"));
    let picture = args.picture.clone().unwrap_or_else(beside);
    let asked = Asked {
        recipe: &args.subject,
        sets: &args.overrides.set,
        which,
        picture: &picture,
        budget: args.budget.0,
        memory: None,
    };
    doctor_probe::run(&asked, device, voice)
}
