//! What a run wrote down.

pub use luthier_plan::{MonitorPoint, OutputPoint, TensorPoint};
use luthier_track::{Metrics, RunDir, TrackError};

/// What a run wrote down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFacts {
    /// `metrics.jsonl`
    pub metrics: Metrics,
    /// `monitor.jsonl`: a look at every tensor, now and then
    pub monitor: Vec<MonitorPoint>,
    /// What could not be looked at, and why, as sentences
    pub unseen: Vec<String>,
}

impl RunFacts {
    /// Reads what a run directory holds: of a run that is over, was cut off anywhere, or is still going on.
    ///
    /// # Errors
    /// A file cannot be read, or a line in the middle of it is garbled.
    pub fn read(run: &RunDir) -> Result<Self, TrackError> {
        let metrics = run.metrics()?;
        let (monitor, cut) = run.monitor()?;
        let mut facts = RunFacts { unseen: unseen(&metrics), metrics, monitor };
        if let Some(cut) = cut {
            let line = cut.line;
            facts
                .unseen
                .push(format!("line {line} of `monitor.jsonl` is cut off: that look at the tensors is lost"));
        }
        if facts.monitor.is_empty() {
            facts.unseen.push("no tensor was looked at while the run trained (`train.monitor`)".into());
        }
        let checkpoints = std::fs::read_dir(run.checkpoints());
        if !checkpoints.is_ok_and(|mut entries| entries.next().is_some()) {
            facts.unseen.push("there is no checkpoint: the trained model itself was not looked at".into());
        }
        Ok(facts)
    }
}

/// What a metrics file does not say.
fn unseen(metrics: &Metrics) -> Vec<String> {
    let mut unseen = Vec::new();
    if let Some(cut) = &metrics.cut {
        unseen.push(format!("line {} of `metrics.jsonl` is cut off: what it said is lost", cut.line));
    }
    let updates: Vec<u64> = metrics.steps.iter().map(|step| step.at.update).collect();
    let gaps: Vec<String> = updates
        .windows(2)
        .filter(|pair| pair[1] > pair[0] + 1)
        .map(|pair| format!("{} to {}", pair[0] + 1, pair[1] - 1))
        .collect();
    if !gaps.is_empty() {
        let (first, count) = (&gaps[0], gaps.len());
        let more = if count > 1 { format!(" and {} more gaps", count - 1) } else { String::new() };
        unseen.push(format!("updates {first}{more} are missing in `metrics.jsonl`"));
    }
    if updates.len() < 20 {
        let count = updates.len();
        unseen.push(format!(
            "the run has {count} {}: too few to tell a trend from noise",
            if count == 1 { "update" } else { "updates" }
        ));
    }
    if metrics.evals_of("valid").next().is_none() {
        unseen.push("the run was never evaluated on a validation split".into());
    }
    unseen
}
