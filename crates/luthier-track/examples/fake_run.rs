//! Replays a made-up run through all listeners: `cargo run -p luthier-track --example fake_run -- DIR`.
//!
//! `DIR` must be empty or absent. Good for looking at plots and reports without training anything.

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::path::PathBuf;

use common::Shape;
use luthier_track::{plot_run, write_report};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("which folder? `fake_run DIR`")?;
    let run = common::replay(&folder, &Shape::default());
    plot_run(&run)?;
    let environment = [("Luthier", env!("CARGO_PKG_VERSION")), ("Machine", "made up")];
    write_report(&run, &environment.map(|(fact, value)| (fact.to_owned(), value.to_owned())))?;
    Ok(())
}
