//! Weights of several heads that are learned: against PyTorch (fixtures/weighting.py made the numbers), in runs, and
//! over an interruption; and the angles between heads' gradients.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::collections::BTreeMap;

use common::story::{Run, job};
use common::{alone, data};
use luthier_plan::{Plan, StepEnd};
use luthier_recipe::Rule;
use luthier_train::{Weighting, prepare};
use miette::Diagnostic;
use tch::Kind;

/// Three heads on the 25 scenes.
fn recipe(sets: &[&str]) -> luthier_recipe::Recipe {
    let text = r#"
        name = "test"
        task = "multi-task"
        [data]
        train = "scenes"
        attributes = "scenes/attributes.csv"
        split = { valid = 0.25 }
        [data.transform]
        train = [{ op = "Resize", size = [32, 32] }]
        eval = [{ op = "Resize", size = [32, 32] }]
        [model]
        arch = "resnet18"
        weights = "none"
        [model.heads]
        yaw = { weight = 0.5, hidden = [8] }
        classifier = { hidden = ["dense"] }
        hue = { weight = 2.0, hidden = ["dense"] }
        [optim]
        type = "SGD"
        lr = 0.01
        [train]
        epochs = 2
        batch_size = 6
        precision = "fp32"
    "#;
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    luthier_recipe::parse("test.toml", text, &sets).unwrap().recipe
}

const UNCERTAINTY: &str = "train.task_weighting={ type = \"uncertainty\", lr = 0.1 }";
const GRADNORM: &str = "train.task_weighting={ type = \"gradnorm\" }";

fn plan(sets: &[&str]) -> Plan {
    prepare(&recipe(sets), data(), "cpu").unwrap().plan
}

fn weights(step: &StepEnd) -> Vec<f64> {
    step.tasks.iter().map(|task| task.weight.unwrap()).collect()
}

#[test]
fn both_weightings_equal_pytorch() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("fixtures/weighting.json")).unwrap();
    let list = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    for (name, steps) in fixture["cases"].as_object().unwrap() {
        let ways = [
            ("uncertainty, Adam", "{ type = \"uncertainty\", lr = 0.04 }"),
            ("uncertainty, SGD", "{ type = \"uncertainty\", lr = 0.04 }"),
            ("gradnorm, 1.5", "{ type = \"gradnorm\", lr = 0.03 }"),
            ("gradnorm, 0", "{ type = \"gradnorm\", lr = 0.03, alpha = 0.0 }"),
        ];
        let way = ways.iter().find(|(known, _)| known == name).unwrap().1;
        let mut plan = plan(&[&format!("train.task_weighting={way}")]);
        plan.recipe.optim.rule = match name.as_str() {
            "uncertainty, SGD" => Rule::SGD { momentum: 0.9, dampening: 0.0, nesterov: false },
            _ => Rule::Adam { betas: [0.9, 0.999], eps: 1e-8 },
        };
        let mut weighting = Weighting::new(&plan).unwrap().unwrap();
        for (given, start) in weighting.weights().iter().zip(list(&fixture["start"])) {
            assert!((given - start).abs() < 1e-6, "{name}");
        }
        let steps = steps.as_array().unwrap();
        for (at, step) in steps.iter().enumerate() {
            let factor = 1.0 - at as f64 / steps.len() as f64;
            weighting.update(&list(&step["losses"]), &list(&step["norms"]), factor).unwrap();
            for (ours, theirs) in weighting.weights().iter().zip(list(&step["weights"])) {
                assert!((ours - theirs).abs() < 5e-6, "{name}, step {at}: {ours} here, {theirs} there");
            }
        }
    }
}

#[test]
fn log_variances_follow_the_losses_that_are_told() {
    let run = Run::go(&recipe(&[UNCERTAINTY]), None, None);
    let steps = run.steps();
    assert_eq!(steps.len(), 6);
    let mut logs: Vec<f64> = [0.5f64, 1.0, 2.0].iter().map(|weight| -weight.ln()).collect();
    for step in steps {
        for ((log, given), task) in logs.iter_mut().zip(weights(step)).zip(&step.tasks) {
            assert!(((-*log).exp() - given).abs() < 1e-5, "{step:?}");
            *log -= 0.1 * (0.5 - given * task.loss);
        }
        // what is told is the sum by the recipe's weights
        let told: f64 = step.tasks.iter().zip([0.5, 1.0, 2.0]).map(|(task, weight)| weight * task.loss).sum();
        assert!((told - step.loss).abs() < 1e-9);
    }
}

/// Gradients of one head alone at what all heads share, by name.
fn alone_at(head: &str) -> BTreeMap<String, tch::Tensor> {
    let weight = |name: &str| if name == head { "1.0" } else { "0.0" };
    let sets: Vec<String> = ["yaw", "classifier", "hue"]
        .map(|name| format!("model.heads.{name}.weight={}", weight(name)))
        .to_vec();
    let mut job = job(&recipe(&sets.iter().map(String::as_str).collect::<Vec<_>>()));
    let update = job.runner().feed.train(0, 0).unwrap().next_update(1).unwrap().unwrap();
    job.gradients(&update, 0).unwrap();
    let own = ["yaw", "classifier", "hue", "dense"];
    let shared = job
        .runner()
        .model
        .parameters()
        .filter(|entry| !own.iter().any(|layer| entry.name.starts_with(layer)));
    shared.map(|entry| (entry.name.clone(), entry.tensor.grad().copy())).collect()
}

fn dot(a: &BTreeMap<String, tch::Tensor>, b: &BTreeMap<String, tch::Tensor>) -> f64 {
    a.iter().map(|(name, grad)| (grad * &b[name]).sum(Kind::Double).double_value(&[])).sum()
}

#[test]
fn cosines_are_those_of_the_heads_own_gradients() {
    let run = Run::go(&recipe(&["train.monitor.gradient_cosine=true"]), None, None);
    let looked_at: Vec<bool> = run.steps().iter().map(|step| !step.gradient_cosine.is_empty()).collect();
    assert_eq!(looked_at, [true, true, false, false, true, true], "updates 1, 2, 5 and the last");
    let told = &run.steps()[0].gradient_cosine;
    let _alone = alone();
    let heads = ["yaw", "classifier", "hue"].map(|head| (head, alone_at(head)));
    let mut pairs = told.iter();
    for (at, (one, a)) in heads.iter().enumerate() {
        for (two, b) in &heads[at + 1..] {
            let (first, second, cosine) = pairs.next().unwrap();
            assert_eq!((first.as_str(), second.as_str()), (*one, *two));
            let expected = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
            assert!((cosine - expected).abs() < 1e-4, "{one} and {two}: {cosine}, {expected}");
            assert!(expected.abs() < 0.999, "they differ");
        }
    }
    assert!(pairs.next().is_none());
}

#[test]
fn gradnorm_moves_by_the_norms_at_the_last_shared_layer() {
    let planned = plan(&[GRADNORM]).weighting.unwrap();
    assert_eq!(planned.shared, ["layer4.1.conv2.weight"]);
    assert_eq!((planned.group.weight_decay, planned.group.scalars), (0.0, 3));
    let run = Run::go(&recipe(&[GRADNORM]), None, None);
    let (steps, _alone) = (run.steps(), alone());
    let norms = ["yaw", "classifier", "hue"].map(|head| {
        let at = &alone_at(head)["layer4.1.conv2.weight"];
        at.norm().double_value(&[])
    });
    // the first losses are the scale: every share is 1, and what is wanted is the mean length
    let sizes: Vec<f64> = norms.iter().zip([0.5, 1.0, 2.0]).map(|(norm, weight)| norm * weight).collect();
    let mean = sizes.iter().sum::<f64>() / 3.0;
    // Adam's first step is the rate, against the sign
    let moved: Vec<f64> = sizes
        .iter()
        .zip([0.5, 1.0, 2.0])
        .map(|(size, weight)| weight - 0.025 * (size - mean).signum())
        .collect();
    let sum: f64 = moved.iter().sum();
    assert_eq!(weights(steps[0]), [0.5, 1.0, 2.0]);
    for (given, moved) in weights(steps[1]).iter().zip(moved) {
        assert!((given - moved * 3.5 / sum).abs() < 1e-5, "{:?} {sizes:?}", weights(steps[1]));
    }
    for step in steps {
        assert!((weights(step).iter().sum::<f64>() - 3.5).abs() < 1e-5);
    }
}

#[test]
fn a_run_with_learned_weights_goes_on_to_the_last_bit() {
    for way in [UNCERTAINTY, GRADNORM] {
        let recipe = recipe(&[way, "train.monitor.gradient_cosine=true"]);
        let whole = Run::go(&recipe, None, None);
        for stop in [1, 4] {
            let torn = Run::go(&recipe, None, Some(stop));
            let resumed = Run::go(&recipe, Some(torn), None);
            let steps = whole.steps();
            for (ours, theirs) in resumed.steps().iter().zip(&steps[stop as usize..]) {
                assert_eq!(
                    (&ours.tasks, ours.loss),
                    (&theirs.tasks, theirs.loss),
                    "{way}, stopped after {stop}"
                );
                assert_eq!(ours.gradient_cosine, theirs.gradient_cosine);
            }
            let (ours, theirs) = (resumed.last().raw(), whole.last().raw());
            for (name, tensor) in &theirs.tensors {
                assert!(ours.tensors[name].to_f32() == tensor.to_f32(), "{way}: {name}");
            }
        }
    }
}

const STREAMS: &[&str] = &[
    "streams=[{ name = \"new\", loss_weights = { yaw = 0.5, hue = 2.0 } }, { name = \"replay\", loss_weights = { \
     classifier = 1.0, yaw = 0.25 } }]",
];

#[test]
fn each_stream_weighs_its_own_heads() {
    for interleave in ["train.interleave=alternate", "train.interleave=sum"] {
        let sets = [STREAMS, &[UNCERTAINTY, interleave]].concat();
        let run = Run::go(&recipe(&sets), None, None);
        for (stream, start) in [("", [0.5, 2.0]), ("replay", [0.25, 1.0])] {
            let steps: Vec<&StepEnd> = run.steps().into_iter().filter(|step| step.stream == stream).collect();
            let mut logs = start.map(|weight: f64| -weight.ln());
            for step in steps {
                for ((log, given), task) in logs.iter_mut().zip(weights(step)).zip(&step.tasks) {
                    assert!(((-*log).exp() - given).abs() < 1e-5, "{stream} {step:?}");
                    *log -= 0.1 * (0.5 - given * task.loss);
                }
            }
        }
        // and goes on with them
        let torn = Run::go(&recipe(&sets), None, Some(2));
        let resumed = Run::go(&recipe(&sets), Some(torn), None);
        let last = |run: &Run| run.steps().iter().rev().take(2).map(|step| weights(step)).collect::<Vec<_>>();
        assert_eq!(last(&resumed), last(&run), "{interleave}");
    }
    let one = [STREAMS[0].replace("classifier = 1.0, yaw = 0.25", "classifier = 1.0")];
    let plan = plan(&[&one[0], UNCERTAINTY]);
    assert!(plan.weighting.is_some() && plan.streams[0].weighting.is_none());
    assert!(plan.streams[0].notes.iter().any(|note| note.contains("nothing to weigh it against")));
}

#[test]
fn what_cannot_be_weighed_is_told() {
    let told = |sets: &[&str]| {
        let error = prepare(&recipe(sets), data(), "cpu").err().expect("it cannot be planned");
        format!("{error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
    };
    let text = told(&[
        GRADNORM,
        "model.train=[\"yaw.*\", \"yaw_hidden.*\", \"classifier.*\", \"hue.*\", \"dense.*\"]",
    ]);
    assert!(text.contains("none that is trained is") && text.contains("uncertainty"), "{text}");
    let at = |patterns: &str| {
        told(&[&format!("train.task_weighting={{ type = \"gradnorm\", shared = [{patterns}] }}")])
    };
    assert!(at("\"dense.weight\"").contains("`dense.weight` is not shared by all heads"));
    assert!(at("\"layer9*\"").contains("matches no parameter"));
}
