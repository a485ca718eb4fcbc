//! `luthier optimizer`: a run's optimizers, opened up after any of its updates.

mod page;
mod repeat;

use std::collections::HashMap;

use luthier::args::OptimizerArgs;
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_plan::{Plan, TensorPoint};
use luthier_track::RunDir;
use luthier_train::OpenedOptimizer;
use serde_json::{Value, json};

/// The optimizers of a run after some update.
struct Opened {
    plan: Plan,
    update: u64,
    optimizers: Vec<OpenedOptimizer>,
    /// What was seen in that update, by name, where it was looked at
    seen: HashMap<String, TensorPoint>,
}

impl Opened {
    /// The plan of a stream.
    fn plan_of(&self, stream: &str) -> &Plan {
        self.plan.streams.iter().find(|plan| plan.stream == stream).unwrap_or(&self.plan)
    }

    /// What was seen of a tensor. Only the first stream's updates are looked at.
    fn seen(&self, stream: &str, name: &str) -> Option<&TensorPoint> {
        if stream == self.plan.stream { self.seen.get(name) } else { None }
    }
}

pub fn run(args: &OptimizerArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let run = RunDir::open(&args.run).or_call()?;
    let opened = repeat::open(&run, args.at, device, voice)?;
    if voice.json {
        return voice::print_json(&as_json(&opened));
    }
    voice::print(&page::of(&opened, &voice.stdout_look()))
}

fn as_json(opened: &Opened) -> Value {
    let optimizers = opened.optimizers.iter().map(|optimizer| {
        let plan = opened.plan_of(&optimizer.stream);
        let groups = plan.groups.iter().map(|group| {
            json!({
                "name": group.name,
                "lr": group.lr * optimizer.factor,
                "weight_decay": group.weight_decay,
                "tensors": group.tensors,
            })
        });
        let tensors = optimizer.tensors.iter().map(|tensor| {
            let seen = opened.seen(&optimizer.stream, &tensor.name);
            json!({
                "name": tensor.name,
                "group": group_of(plan, &tensor.name),
                "norm": tensor.norm,
                "gradient": seen.map(|seen| seen.grad),
                "step": seen.map(|seen| seen.update),
                "state": tensor.state,
            })
        });
        json!({
            "stream": optimizer.stream,
            "optimizer": plan.recipe.optim.rule,
            "steps": optimizer.steps,
            "groups": groups.collect::<Vec<_>>(),
            "tensors": tensors.collect::<Vec<_>>(),
        })
    });
    json!({ "update": opened.update, "optimizers": optimizers.collect::<Vec<_>>() })
}

/// Name of the group that a parameter is in.
fn group_of<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    let tensor = plan.model.tensors.iter().find(|tensor| tensor.name == name)?;
    plan.groups.get(tensor.group?).map(|group| group.name.as_str())
}
