use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use luthier_plan::MonitorPoint;
use serde::de::DeserializeOwned;

use super::{
    ClusteredPoint, EmbeddingsPoint, EndPoint, EpochPoint, EvalPoint, Record, SkippedPoint, SpikePoint,
    StagePoint, StepPoint,
};
use crate::TrackError;

/// A line longer than this is not a record: a confusion matrix of 1000 classes takes less than a hundredth of it.
const LONGEST_LINE: u64 = 256 << 20;

/// What a metrics file holds. A list may have gaps; numbers may be NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Optimizer updates
    pub steps: Vec<StepPoint>,
    /// Evaluations of all splits
    pub evals: Vec<EvalPoint>,
    /// Ends of epochs
    pub epochs: Vec<EpochPoint>,
    /// What the streams beside the first did
    pub streams: Vec<StreamMetrics>,
    /// Beginnings of stages
    pub stages: Vec<StagePoint>,
    /// Clusters of the training samples, as often as they were found
    pub clustered: Vec<ClusteredPoint>,
    /// Looks at embeddings
    pub embeddings: Vec<EmbeddingsPoint>,
    /// Samples that were left out while the run went on
    pub skipped: Vec<SkippedPoint>,
    /// Losses far above the ones before
    pub spikes: Vec<SpikePoint>,
    /// The end of the run; `None` while it runs, or when it was killed
    pub end: Option<EndPoint>,
    /// The last line was cut off
    pub cut: Option<Cut>,
}

/// What a stream beside the first did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamMetrics {
    /// Its name
    pub name: String,
    /// Its optimizer updates
    pub steps: Vec<StepPoint>,
    /// Evaluations of its splits
    pub evals: Vec<EvalPoint>,
    /// Ends of epochs
    pub epochs: Vec<EpochPoint>,
}

/// A last line that has no end, as a killed process leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Counted from 1
    pub line: usize,
    /// Bytes of it that are there
    pub bytes: usize,
}

impl Metrics {
    /// Evaluations of one split, quick estimates among them, in order.
    pub fn evals_of<'a>(&'a self, split: &'a str) -> impl Iterator<Item = &'a EvalPoint> {
        self.evals.iter().filter(move |eval| eval.split == split)
    }

    /// The last evaluation of a whole split.
    pub fn last_eval(&self, split: &str) -> Option<&EvalPoint> {
        self.evals.iter().rfind(|eval| eval.split == split && !eval.estimate)
    }

    /// The evaluation of a whole split with the lowest loss, or the highest accuracy or R²; the first of
    /// equals. One that is NaN, or lacks the figure, is never the best.
    pub fn best_eval(&self, split: &str, metric: luthier_recipe::Metric) -> Option<&EvalPoint> {
        // both as "higher is better"
        let score = |eval: &EvalPoint| match metric {
            luthier_recipe::Metric::Loss => -eval.loss,
            luthier_recipe::Metric::Accuracy => eval.accuracy.unwrap_or(f64::NAN),
            luthier_recipe::Metric::R2 => eval.r2.unwrap_or(f64::NAN),
        };
        let mut best: Option<&EvalPoint> = None;
        let whole = self.evals.iter().filter(|eval| eval.split == split && !eval.estimate);
        for eval in whole.filter(|eval| !score(eval).is_nan()) {
            if best.is_none_or(|best| score(eval) > score(best)) {
                best = Some(eval);
            }
        }
        best
    }

    fn of_stream(&mut self, name: &str) -> &mut StreamMetrics {
        let at = self.streams.iter().position(|stream| stream.name == name).unwrap_or_else(|| {
            self.streams.push(StreamMetrics { name: name.to_owned(), ..StreamMetrics::default() });
            self.streams.len() - 1
        });
        &mut self.streams[at]
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Step(step) if step.stream.is_empty() => self.steps.push(step),
            Record::Eval(eval) if eval.stream.is_empty() => self.evals.push(eval),
            Record::Epoch(epoch) if epoch.stream.is_empty() => self.epochs.push(epoch),
            Record::Step(step) => self.of_stream(&step.stream.clone()).steps.push(step),
            Record::Eval(eval) => self.of_stream(&eval.stream.clone()).evals.push(eval),
            Record::Epoch(epoch) => self.of_stream(&epoch.stream.clone()).epochs.push(epoch),
            Record::Stage(stage) => self.stages.push(stage),
            Record::Clustered(clustered) => self.clustered.push(clustered),
            Record::Embeddings(embeddings) => self.embeddings.push(embeddings),
            Record::Skipped(skipped) => self.skipped.push(skipped),
            Record::Spike(spike) => self.spikes.push(spike),
            Record::End(end) => self.end = Some(end),
            Record::Unknown => {}
        }
    }
}

/// Reads `metrics.jsonl`, line by line. A cut last line is reported in [`Metrics::cut`] and otherwise ignored.
///
/// # Errors
/// The file cannot be read, or a line in the middle of it is garbled.
pub fn read_metrics(path: &Path) -> Result<Metrics, TrackError> {
    let mut metrics = Metrics::default();
    metrics.cut = read_lines(path, |record| metrics.take(record))?;
    Ok(metrics)
}

/// Reads `monitor.jsonl`; a cut last line is reported and otherwise ignored.
///
/// # Errors
/// The file cannot be read, or a line in the middle of it is garbled.
pub fn read_monitor(path: &Path) -> Result<(Vec<MonitorPoint>, Option<Cut>), TrackError> {
    let mut looks = Vec::new();
    let cut = read_lines(path, |look| looks.push(look))?;
    Ok((looks, cut))
}

/// Hands every line of a file to `take`; says where the file was cut.
pub(super) fn read_lines<T: DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(T),
) -> Result<Option<Cut>, TrackError> {
    let failed = |source| TrackError::io("read", path, source);
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(failed)?);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let length = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(failed)?;
        if length == 0 {
            break;
        }
        let whole = bytes.ends_with(b"\n");
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(&bytes) {
            // a last line may be whole but for its line break
            Ok(record) => take(record),
            Err(_) if !whole && (length as u64) < LONGEST_LINE => {
                return Ok(Some(Cut { line, bytes: length }));
            }
            Err(error) => {
                return Err(TrackError::BadLine { path: path.to_owned(), line, why: error.to_string() });
            }
        }
    }
    Ok(None)
}
