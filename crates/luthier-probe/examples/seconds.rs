//! What each probe of a recipe takes: `cargo run --release -p luthier-probe --example seconds -- RECIPE [KEY=VALUE …]`.
//! The facts go to stdout as JSON, the times to stderr.

use std::path::Path;
use std::time::{Duration, Instant};

use miette::{IntoDiagnostic, Result, miette};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]
fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (recipe, sets) = words.split_first().ok_or_else(|| miette!("a recipe is missing"))?;
    let loaded = luthier_recipe::load(Path::new(recipe), sets)?;
    let prepared = luthier_train::prepare(&loaded.recipe, &loaded.base, "cpu")?;
    let began = Instant::now();
    let (facts, _) = luthier_probe::probe_recipe(&loaded, prepared, Duration::from_secs(60))?;
    for (name, seconds) in &facts.seconds {
        eprintln!("{seconds:8.2} s  {name}");
    }
    eprintln!("{:8.2} s  in all", began.elapsed().as_secs_f64());
    for (name, why) in &facts.skipped {
        eprintln!("{name}: {why}");
    }
    println!("{}", serde_json::to_string_pretty(&facts).into_diagnostic()?);
    Ok(())
}
