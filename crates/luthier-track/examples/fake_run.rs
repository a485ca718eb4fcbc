//! Replays a made-up run through all listeners: `cargo run -p luthier-track --example fake_run -- DIR`.
//!
//! `DIR` must be empty or absent. Good for looking at plots and reports without training anything.

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::path::PathBuf;

use common::{RECIPE, Shape};
use luthier_plan::Listener;
use luthier_track::{MetricsStream, RunDir, TensorBoard};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("which folder? `fake_run DIR`")?;
    let shape = Shape::default();
    let plan = shape.plan();
    let run = RunDir::create_at(&folder)?;
    run.write_recipe(RECIPE)?;
    run.write_plan(&plan)?;
    let groups: Vec<_> = plan.groups.iter().map(|group| &group.name).collect();
    let mut listeners: [Box<dyn Listener>; 2] =
        [Box::new(MetricsStream::create(&run)?), Box::new(TensorBoard::create(&run, &groups)?)];
    for event in shape.events(0) {
        for listener in &mut listeners {
            listener.hear(&event).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
