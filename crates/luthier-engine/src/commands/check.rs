//! `luthier check`: the plan and what the doctor's rules say of it; nothing is trained.

use luthier::args::CheckArgs;
use luthier::show::plan_text;
use luthier::voice::{self, Failure, Voice};
use luthier_doctor::{Facts, Severity, Status, judge};

use crate::job;

pub fn run(args: &CheckArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let (loaded, prepared) =
        job::prepare_for(&args.recipe, &args.overrides.set, device, args.nproc_per_node, voice)?;
    if voice.json {
        return voice::print_json(&prepared.plan);
    }
    voice::print(&plan_text(&prepared.plan, &voice.stdout_look(), voice.verbose))?;
    let facts = Facts { recipe: Some(&loaded), plan: Some(&prepared.plan), ..Facts::default() };
    let verdict = judge("recipe", &facts);
    for finding in verdict.findings.iter().filter(|finding| finding.severity > Severity::Info) {
        let said = finding.evidence.first().unwrap_or(&finding.explanation);
        voice.warn(&format!("{} {} (`{}`): {said}", finding.code, finding.name, finding.place));
    }
    if verdict.status != Status::Healthy {
        voice.hint(&format!("`luthier doctor {}` says more, and tries a cure", args.recipe.display()));
    }
    Ok(())
}
