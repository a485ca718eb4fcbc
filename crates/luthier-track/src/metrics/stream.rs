use std::time::{SystemTime, UNIX_EPOCH};

use luthier_plan::{Event, Listener, Wish};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};

use super::{Record, TimingRecord};
use crate::append::AppendFile;
use crate::{RunDir, TrackError};

/// Writes `metrics.jsonl`, `timing.jsonl` and `monitor.jsonl`, one record a line.
///
/// Lines reach the files within a second or at the end of an epoch; a checkpoint ([`Listener::state`]) makes them
/// survive a power cut. A resumed run goes on from the length that its checkpoint remembers, so what a killed run
/// wrote after that checkpoint is not there twice.
#[derive(Debug)]
pub struct MetricsStream {
    metrics: AppendFile,
    timing: AppendFile,
    monitor: AppendFile,
}

/// What a checkpoint remembers: lengths in bytes.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    metrics: u64,
    timing: u64,
    monitor: u64,
}

impl MetricsStream {
    /// Begins empty files.
    ///
    /// # Errors
    /// A file cannot be made.
    pub fn create(run: &RunDir) -> Result<Self, TrackError> {
        Ok(MetricsStream {
            metrics: AppendFile::create(run.metrics_path())?,
            timing: AppendFile::create(run.timing_path())?,
            monitor: AppendFile::create(run.monitor_path())?,
        })
    }

    /// Goes on with the files of an interrupted run. `state` is what [`Listener::state`] said when the checkpoint
    /// was written; with `null` (no checkpoint yet) the files begin again.
    ///
    /// # Errors
    /// A file cannot be opened, or is shorter than it was then.
    pub fn resume(run: &RunDir, state: &serde_json::Value) -> Result<Self, TrackError> {
        if state.is_null() {
            return Self::create(run);
        }
        let state: State = serde::Deserialize::deserialize(state).map_err(|error: serde_json::Error| {
            TrackError::BadState { what: "metrics", why: error.to_string() }
        })?;
        Ok(MetricsStream {
            metrics: AppendFile::resume(run.metrics_path(), state.metrics)?,
            timing: AppendFile::resume(run.timing_path(), state.timing)?,
            monitor: AppendFile::resume(run.monitor_path(), state.monitor)?,
        })
    }

    fn write(&mut self, event: &Event) -> Result<(), TrackError> {
        if let Some(record) = Record::of(event) {
            write_line(&mut self.metrics, &record)?;
        }
        if let Some(record) = TimingRecord::of(event, now()) {
            write_line(&mut self.timing, &record)?;
        }
        if let Event::Monitor(look) = event {
            write_line(&mut self.monitor, look)?;
        }
        if !matches!(event, Event::StepEnd(_) | Event::Monitor(_) | Event::SampleSkipped { .. }) {
            self.metrics.flush()?;
            self.timing.flush()?;
            self.monitor.flush()?;
        }
        Ok(())
    }
}

impl Listener for MetricsStream {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn Diagnostic + Send + Sync>> {
        self.write(event)?;
        Ok(Wish::Continue)
    }

    fn state(&mut self) -> Result<serde_json::Value, Box<dyn Diagnostic + Send + Sync>> {
        let (metrics, timing) = (self.metrics.sync()?, self.timing.sync()?);
        Ok(serde_json::json!({ "metrics": metrics, "timing": timing, "monitor": self.monitor.sync()? }))
    }

    fn name(&self) -> &'static str {
        "metrics"
    }
}

fn write_line(file: &mut AppendFile, record: &impl Serialize) -> Result<(), TrackError> {
    let mut line =
        serde_json::to_vec(record).map_err(|error| TrackError::io("write", file.path(), error.into()))?;
    line.push(b'\n');
    file.write(&line)
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
