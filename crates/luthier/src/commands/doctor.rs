//! `luthier doctor` of subjects without tensors: a script as it is written, curves as they were logged.

use std::collections::BTreeMap;

use luthier::{
    args::DoctorArgs,
    show::verdict_text,
    voice::{Blame, Failure, Sentence, Voice, print, print_json},
};
use luthier_doctor::{Facts, RunFacts, Status, Verdict, judge, script};

/// Judges a script or a folder of event files.
pub fn run(args: &DoctorArgs, voice: &Voice) -> Result<(), Failure> {
    if args.prove || args.apply || args.probe.is_some() || !args.overrides.set.is_empty() {
        return Err(Failure::misuse(
            "`--prove`, `--apply`, `--probe` and `--set` need a recipe",
            "a script and the curves of another program are only looked at",
        ));
    }
    let file = args.subject.display().to_string();
    let verdict = if args.is_script() { of_script(args, &file)? } else { of_logs(args)? };
    if voice.json {
        print_json(&verdict)?;
    } else {
        print(&verdict_text(&verdict, &file, &voice.stdout_look(), voice.verbose))?;
    }
    if verdict.status == Status::Sick { Err(Failure::quiet(1)) } else { Ok(()) }
}

fn of_script(args: &DoctorArgs, file: &str) -> Result<Verdict, Failure> {
    let bytes = std::fs::read(&args.subject).map_err(|error| {
        Failure::call(Sentence { message: format!("cannot read `{file}`: {error}"), hint: None })
    })?;
    // what is no UTF-8 stands in comments and strings
    let script = script::read(file, &String::from_utf8_lossy(&bytes)).or_call()?;
    let mut verdict = judge("script", &Facts { script: Some(&script), ..Facts::default() });
    let broken = script
        .broken
        .iter()
        .take(3)
        .map(|place| format!("{file}:{}:{} is no Python, and was read around", place.line, place.column));
    verdict.unseen.extend(broken);
    if script.backwards().next().is_none() {
        verdict
            .unseen
            .push("there is no `backward()` in it: a loop that another file has was not looked at".into());
    }
    Ok(verdict)
}

fn of_logs(args: &DoctorArgs) -> Result<Verdict, Failure> {
    let scalars = luthier_track::read_scalars(&args.subject).or_subject()?;
    let run = RunFacts::of_scalars(&scalars);
    let mut verdict = judge("logs", &Facts { run: Some(&run), ..Facts::default() });
    // there is no recipe that a patch could be written into: what to do is said in words
    for fix in verdict.findings.iter_mut().filter_map(|finding| finding.fix.as_mut()) {
        fix.patch = BTreeMap::new();
    }
    Ok(verdict)
}
