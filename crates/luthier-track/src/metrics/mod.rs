//! The metrics stream: what a run said, as lines of JSON.

mod confusion;
mod read;
mod record;
mod stream;
mod timing;

pub use confusion::Confusion;
pub use read::{Cut, Metrics, StreamMetrics, read_metrics, read_monitor};
pub use record::{
    ClusteredPoint, EmbeddingsPoint, EndPoint, EpochPoint, EvalPoint, Record, SkippedPoint, SpikePoint,
    StagePoint, StepPoint, TaskPoint,
};
pub use stream::MetricsStream;
pub(crate) use stream::now;
pub use timing::{Timing, TimingRecord, read_timing};
