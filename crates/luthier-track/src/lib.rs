//! The run directory: metrics, TensorBoard, plots, report.
//!
//! A [`RunDir`] is a folder that can be copied anywhere. While a run goes on, two listeners write to it:
//! [`MetricsStream`] and [`TensorBoard`]. Afterwards, or in between, everything else is drawn from those files:
//! plots, the report, the table of runs. Nothing here knows a tensor.

mod append;
mod atomic;
mod class_report;
mod error;
mod figures;
mod metrics;
mod plot;
mod report;
mod run_dir;
mod summary;
mod tensorboard;

use luthier_plan::float;

pub use atomic::write_atomic;
pub use class_report::{ClassScore, ClassificationReport, Score, classification_report};
pub use error::TrackError;
pub use metrics::{
    ClusteredPoint, Confusion, Cut, EmbeddingsPoint, EndPoint, EpochPoint, EvalPoint, Metrics, MetricsStream,
    Record, SkippedPoint, SpikePoint, StagePoint, StepPoint, StreamMetrics, TaskPoint, Timing, TimingRecord,
    read_metrics, read_monitor, read_timing,
};
pub use plot::{CurvePlot, compare_plot, curve_plot, plot_run, plots};
pub use report::{report_html, write_report};
pub use run_dir::RunDir;
pub use summary::{
    Comparison, Difference, EvalSummary, FoundRun, RunSummary, compare, differences, runs_in, summary,
};
pub use tensorboard::{Curve, Point, Scalars, TensorBoard, has_events, read_scalars};
