//! How long the static rules take beyond what a recipe needs anyway: planning, with the data and the model, beside
//! judging the plan.
//!
//!     cargo run --release -p luthier-probe --example judging RECIPE…
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::Instant;

use luthier_doctor::{Facts, judge};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let began = Instant::now();
        let loaded = luthier_recipe::load(path.as_ref(), &[]).map_err(|error| format!("{error:?}"))?;
        let reading = began.elapsed();
        let began = Instant::now();
        let prepared = luthier_train::prepare(&loaded.recipe, &loaded.base, "cpu")
            .map_err(|error| format!("{error:?}"))?;
        let planning = began.elapsed();
        let facts = Facts { recipe: Some(&loaded), plan: Some(&prepared.plan), ..Facts::default() };
        let mut times: Vec<f64> = Vec::new();
        let mut found = 0;
        for _ in 0..21 {
            let began = Instant::now();
            found = judge("recipe", &facts).findings.len();
            times.push(1e3 * began.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let ms = |time: std::time::Duration| 1e3 * time.as_secs_f64();
        println!(
            "{path}: recipe {:.2} ms, plan with data and model {:.1} ms, judging {:.2} ms (median of 21; worst {:.2}), \
             {found} findings",
            ms(reading),
            ms(planning),
            times[10],
            times[20]
        );
    }
    Ok(())
}
