use luthier::{
    args::RunsArgs,
    show,
    voice::{Blame, Failure, Voice, print, print_json},
};
use luthier_track::{FoundRun, runs_in};
use serde_json::{Value, json};

/// `luthier runs`
pub fn run(args: &RunsArgs, voice: &Voice) -> Result<(), Failure> {
    let dir = args.dir.display();
    if !args.dir.is_dir() {
        return Err(Failure::misuse(
            format!("there is no folder `{dir}`"),
            "`luthier train` makes `runs` where it is called; name another folder as `luthier runs DIR`",
        ));
    }
    let found = runs_in(&args.dir).or_call()?;
    if voice.json {
        return print_json(&found.iter().map(value).collect::<Vec<_>>());
    }
    let mut runs = Vec::new();
    for run in found {
        match run.summary {
            Ok(summary) => runs.push(summary),
            Err(error) => voice.warning(&error),
        }
    }
    if runs.is_empty() {
        voice.hint(&format!("`{dir}` holds no run; `luthier train RECIPE` makes one"));
        return Ok(());
    }
    print(&show::runs_text(&runs, &voice.stdout_look()))
}

fn value(run: &FoundRun) -> Value {
    match &run.summary {
        Ok(summary) => json!(summary),
        Err(error) => json!({ "name": run.name, "error": error.to_string() }),
    }
}
