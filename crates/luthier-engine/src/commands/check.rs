//! `luthier check`: the plan, and nothing trained.

use luthier::args::CheckArgs;
use luthier::show::plan_text;
use luthier::voice::{self, Failure, Voice};

use crate::job;

pub fn run(args: &CheckArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let (_, prepared) = job::prepare(&args.recipe, &args.overrides.set, device, voice)?;
    if voice.json {
        return voice::print_json(&prepared.plan);
    }
    voice::print(&plan_text(&prepared.plan, &voice.stdout_look(), voice.verbose))
}
