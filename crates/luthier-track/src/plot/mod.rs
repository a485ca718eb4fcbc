//! Plots: one SVG each as the source, and PNG and PDF made from it.

mod axis;
mod chart;
mod confused;
mod curves;
mod embeddings;
mod files;
mod free;
mod matrix;
mod render;
mod series;
mod several;
mod update_ratio;

pub(crate) use axis::grouped;
pub(crate) use confused::{Confused, confused};
pub(crate) use curves::{Picture, confusion, pictures};
pub use files::{compare_plot, plot_run, plots};
pub use free::{CurvePlot, curve_plot};
