//! `luthier compare --train`: trains a recipe as it is and once per change, and puts the runs side by side.

use std::path::PathBuf;

use luthier::args::CompareArgs;
use luthier::voice::{Failure, Voice};

use crate::commands::train;
use crate::signals;

pub fn run(args: &CompareArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let Some(recipe) = &args.train else {
        return Err(Failure::misuse(
            "there is nothing to train",
            "`luthier compare RUN RUN…` compares runs that are there",
        ));
    };
    luthier::compare::make_room(args.out.as_deref())?;
    let stop = signals::stop_flag()?;
    let mut runs: Vec<PathBuf> = Vec::new();
    // every arm is planned before the first is trained: a slip in the last one is no reason to wait for the others
    for change in arms(&args.vary) {
        crate::job::prepare(recipe, &sets(&args.overrides.set, change), device, voice)?;
    }
    for change in arms(&args.vary) {
        voice.status("arm", change.unwrap_or("the recipe as it is"));
        let sets = sets(&args.overrides.set, change);
        let Some(finished) = train::begin(recipe, &sets, None, device, None, voice, &stop)? else { continue };
        runs.push(finished.run.path().to_path_buf());
        train::conclude(finished, voice)?;
    }
    luthier::compare::run(&runs, args.out.as_deref(), voice)
}

fn arms(vary: &[String]) -> impl Iterator<Item = Option<&str>> {
    std::iter::once(None).chain(vary.iter().map(|change| Some(change.as_str())))
}

/// The changes of one arm: those of all arms, then its own, which may be several with `;` between them.
fn sets(common: &[String], change: Option<&str>) -> Vec<String> {
    let own = change.into_iter().flat_map(|change| change.split(';')).map(|key| key.trim().to_string());
    common.iter().cloned().chain(own).collect()
}
