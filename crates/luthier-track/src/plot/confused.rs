//! Which confusion matrices a run has to show: one, or of each of several heads, for every stream.

use luthier_plan::Plan;

use crate::{Confusion, EvalPoint, Metrics};

/// A confusion matrix and what it is of.
pub struct Confused<'a> {
    /// The evaluation that it is from
    pub eval: &'a EvalPoint,
    /// Name of a stream beside the first; empty for the first, or the only one
    pub stream: &'a str,
    /// Name of the head; empty where there is one
    pub head: &'a str,
    /// Class names in label order
    pub classes: &'a [String],
    /// The counts
    pub confusion: &'a Confusion,
}

impl Confused<'_> {
    /// File name of its picture, without an ending.
    pub fn name(&self) -> String {
        let parts = ["confusion", self.stream, self.head];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// Its heading.
    pub fn title(&self) -> String {
        let parts = ["Confusion matrix", self.head, self.stream];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// All of them, the first stream's first.
pub fn confused<'a>(plan: &'a Plan, metrics: &'a Metrics) -> Vec<Confused<'a>> {
    let mut all = Vec::new();
    let best = metrics.best_eval("valid", plan.recipe.eval.metric).or(metrics.evals.last());
    if let Some(eval) = best.filter(|eval| eval.confusion.classes() > 0) {
        all.extend(of_heads(plan, eval, ""));
    }
    for stream in &plan.streams {
        let own = metrics.streams.iter().find(|own| own.name == stream.stream);
        // a stream beside the first does not say which weights are best
        let last = own.and_then(|own| own.evals.iter().rfind(|eval| eval.split == "valid" && !eval.estimate));
        if let Some(eval) = last.filter(|eval| eval.confusion.classes() > 0) {
            all.extend(of_heads(stream, eval, &stream.stream));
        }
    }
    all
}

fn of_heads<'a>(plan: &'a Plan, eval: &'a EvalPoint, stream: &'a str) -> Vec<Confused<'a>> {
    let each = plan.data.tasks.iter().filter_map(|task| {
        let point = eval.tasks.iter().find(|point| point.head == task.head)?;
        let (head, classes, confusion) = (task.head.as_str(), &*task.classes, point.confusion.as_ref()?);
        Some(Confused { eval, stream, head, classes, confusion })
    });
    let each: Vec<Confused> = each.collect();
    if each.is_empty() {
        let classes = &*plan.data.classes;
        return vec![Confused { eval, stream, head: "", classes, confusion: &eval.confusion }];
    }
    each
}
