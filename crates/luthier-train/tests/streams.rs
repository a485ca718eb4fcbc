//! Several heads and several streams over one model.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::sync::atomic::AtomicBool;

use common::story::Run;
use common::{alone, data};
use luthier_plan::{EvalEnd, Event, Plan, streams};
use luthier_train::{Job, Runner, Session, TrainError, checkpoint, prepare};
use luthier_weights::Weights;
use miette::Diagnostic;
use tempfile::TempDir;

const TRANSFORM: &str = r#"
    [streams.data.transform]
    train = [{ op = "Resize", size = [64, 64] }]
    eval = [{ op = "Resize", size = [64, 64] }]
"#;

/// Two streams over the 25 scenes: of the second, only the classifier is learned.
fn recipe(sets: &[&str]) -> Result<luthier_recipe::Recipe, String> {
    let text = format!(
        r#"
        name = "test"
        task = "multi-task"
        [model]
        arch = "resnet18"
        weights = "none"
        [model.heads]
        yaw = {{ weight = 0.5, hidden = ["dense"] }}
        classifier = {{ hidden = ["dense"] }}
        [train]
        epochs = 2
        batch_size = 8
        precision = "fp32"
        [[streams]]
        name = "new"
        optim = {{ type = "Adam", lr = 1e-3 }}
        [streams.data]
        train = "scenes"
        attributes = "scenes/attributes.csv"
        split = {{ valid = 0.25 }}
        {TRANSFORM}
        [[streams]]
        name = "replay"
        loss_weights = {{ classifier = 2.0 }}
        train = ["classifier.*", "dense.*", "layer4.*"]
        batch_size = 4
        clip_grad_norm = 1.0
        optim = {{ type = "SGD", lr = 1e-2, momentum = 0.9 }}
        schedule = {{ type = "StepLR", step_size = 2, gamma = 0.5, unit = "step" }}
        [streams.data]
        train = "scenes"
        split = {{ valid = 0.25 }}
        {TRANSFORM}
        "#
    );
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    match luthier_recipe::parse("test.toml", &text, &sets) {
        Ok(loaded) => Ok(loaded.recipe),
        Err(error) => Err(format!("{error}{:?}", error.help().map(|help| help.to_string()))
            + &error.related().into_iter().flatten().map(|one| format!("{one}")).collect::<String>()),
    }
}

fn plan(sets: &[&str]) -> Plan {
    prepare(&recipe(sets).unwrap(), data(), "cpu").unwrap().plan
}

/// What stands in the way of a plan.
fn refused(sets: &[&str]) -> String {
    match recipe(sets) {
        Err(told) => told,
        Ok(recipe) => match prepare(&recipe, data(), "cpu") {
            Ok(_) => panic!("accepted: {sets:?}"),
            Err(error) => {
                let key =
                    if let TrainError::Plan(error) = &error { error.key.clone() } else { String::new() };
                format!("{key}: {error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
            }
        },
    }
}

/// Largest difference between two sets of weights.
fn distance(a: &Weights, b: &Weights) -> f32 {
    let floats = |weights: &Weights, name: &str| {
        let tensor = luthier_model_tensor(weights, name);
        Vec::<f32>::try_from(tensor.reshape([-1]).to_kind(tch::Kind::Float)).unwrap()
    };
    assert_eq!(a.tensors.len(), b.tensors.len());
    let of = |name: &String| {
        let (x, y) = (floats(a, name), floats(b, name));
        x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
    };
    a.tensors.keys().map(of).fold(0.0, f32::max)
}

fn luthier_model_tensor(weights: &Weights, name: &str) -> tch::Tensor {
    luthier_model::tensor_of(name, &weights.tensors[name]).unwrap()
}

#[test]
fn each_stream_has_its_plan_over_the_one_model() {
    let plan = plan(&[]);
    let other = &plan.streams[0];
    assert_eq!((plan.stream.as_str(), other.stream.as_str()), ("new", "replay"));
    assert_eq!(plan.model.heads, [("yaw".to_owned(), 8), ("classifier".to_owned(), 8)]);
    let heads = |plan: &Plan| -> Vec<_> {
        plan.data.tasks.iter().map(|task| (task.head.clone(), task.index, task.weight)).collect()
    };
    assert_eq!(heads(&plan), [("yaw".to_owned(), 0, 0.5), ("classifier".to_owned(), 1, 1.0)]);
    assert_eq!(heads(other), [("classifier".to_owned(), 1, 2.0)]);
    // 17 samples: 3 updates of 8, 5 of 4; the shorter one ends the epoch
    assert_eq!((plan.length.updates, other.length.updates, other.lr_factors.len()), (6, 6, 6));
    assert_eq!(other.lr_factors, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    let shared = streams::shared(&plan);
    assert!(shared.iter().any(|(name, who)| *name == "layer4.0.conv1.weight" && *who == ["new", "replay"]));
    assert!(!shared.iter().any(|(name, _)| *name == "yaw.weight" || *name == "conv1.weight"));
}

#[test]
fn an_epoch_ends_with_the_shortest_or_the_longest_and_turns_are_counted() {
    let updates = |sets: &[&str]| {
        let plan = plan(sets);
        (plan.length.updates_per_epoch, plan.streams[0].length.updates_per_epoch)
    };
    assert_eq!(updates(&["train.epoch_ends=longest"]), (5, 5));
    assert_eq!(updates(&["train.interleave=ratio", "streams[1].steps=2"]), (2, 4));
    assert_eq!(updates(&["train.interleave=ratio", "streams[0].steps=3"]), (3, 1));
    assert_eq!(
        updates(&["train.interleave=ratio", "streams[1].steps=2", "train.epoch_ends=longest"]),
        (3, 6)
    );
}

#[test]
fn a_warm_up_is_held_against_the_updates_that_the_stream_has() {
    let warm = |steps: u64| {
        format!(
            "streams[1].schedule={{ type = \"constant\", unit = \"step\", warmup = {{ steps = {steps} }} }}"
        )
    };
    // ten passes over the 5 updates of the second stream alone, as the first one takes 3 in an epoch
    let long = ["train.epochs=10".to_owned(), warm(29)];
    assert_eq!(plan(&long.each_ref().map(String::as_str)).streams[0].length.updates, 30);
    let told = refused(&[&long[0], &warm(30)]);
    assert!(told.contains("the warm-up takes 30 steps, but the stream has 30 updates"), "{told}");
}

#[test]
fn updates_take_turns_and_losses_are_the_weighted_sums_of_the_heads() {
    let run = Run::go(&recipe(&["train.epoch_ends=longest"]).unwrap(), None, None);
    let steps = run.steps();
    let order: Vec<&str> = steps.iter().map(|step| step.stream.as_str()).collect();
    assert_eq!(order, ["", "replay"].repeat(10));
    for step in &steps {
        let weights: &[f64] = if step.stream.is_empty() { &[0.5, 1.0] } else { &[2.0] };
        let sum: f64 = step.tasks.iter().zip(weights).map(|(task, weight)| weight * task.loss).sum();
        assert!((sum - step.loss).abs() < 1e-9 && step.tasks.len() == weights.len(), "{step:?}");
    }
    // the shorter stream starts over: its 17 samples are seen in updates of 8, 8, 1, 8, 8
    let counts: Vec<u64> =
        steps.iter().filter(|step| step.stream.is_empty()).map(|step| step.count).collect();
    assert_eq!(counts, [8, 8, 1, 8, 8].repeat(2));
    let evals: Vec<&EvalEnd> = run
        .heard
        .iter()
        .filter_map(|event| if let Event::EvalEnd(eval) = event { Some(eval) } else { None })
        .collect();
    assert_eq!(evals.len(), 4, "each stream after each epoch");
    assert!(evals.iter().all(|eval| eval.count == 8));
    let accuracy: f64 = evals[0].tasks.iter().map(|task| task.accuracy).sum::<f64>() / 2.0;
    assert!((evals[0].accuracy.unwrap() - accuracy).abs() < 1e-12, "of all heads together");
}

#[test]
fn a_parameter_of_one_stream_alone_is_not_moved_by_the_other() {
    // the first stream stands still: what moves is the second one's
    let run = Run::go(&recipe(&["streams[0].optim.lr=1e-30"]).unwrap(), None, None);
    let before = prepare(&recipe(&[]).unwrap(), data(), "cpu").unwrap();
    let after = run.weights();
    for entry in before.model.parameters() {
        let change =
            (luthier_model_tensor(&after, &entry.name) - &entry.tensor).abs().max().double_value(&[]);
        let own = ["classifier.", "dense.", "layer4."].iter().any(|layer| entry.name.starts_with(layer));
        assert_eq!(change > 1e-9, own, "{}: {change}", entry.name);
    }
}

/// Both streams the same whole set, plain SGD: what they do is known.
const TWINS: &[&str] = &[
    "train.shuffle=false",
    "train.batch_size=17",
    "streams[0].optim={ type = \"SGD\", lr = 0.01 }",
    "streams[1].optim={ type = \"SGD\", lr = 0.01 }",
    "streams[1].schedule={ type = \"constant\", unit = \"epoch\" }",
    "streams[1].train=[]",
    "streams[1].batch_size=17",
    "streams[1].clip_grad_norm=1e9",
    "streams[1].loss_weights={ yaw = 0.5, classifier = 1.0 }",
    "streams[1].data.attributes=scenes/attributes.csv",
];

fn twins(more: &[&str]) -> luthier_recipe::Recipe {
    recipe(&[TWINS, more].concat()).unwrap()
}

/// The same model and data without streams.
fn alone_for(epochs: u64, lr: f64) -> luthier_recipe::Recipe {
    let mut recipe = twins(&[]);
    recipe.streams.clear();
    recipe.train.epochs = epochs;
    recipe.optim.lr = lr;
    recipe
}

#[test]
fn twins_that_alternate_are_one_run_of_twice_the_updates() {
    let both = Run::go(&twins(&[]), None, None);
    let one = Run::go(&alone_for(4, 0.01), None, None);
    assert!(distance(&both.weights(), &one.weights()) < 1e-6);
}

#[test]
fn the_sum_of_twins_is_one_run_at_twice_the_rate() {
    let both = Run::go(
        &{
            let mut recipe = twins(&[]);
            recipe.streams[1].optim = None;
            recipe.streams[1].schedule = None;
            recipe.train.interleave = luthier_recipe::Interleave::Sum;
            recipe
        },
        None,
        None,
    );
    assert_eq!(both.steps().len(), 4, "both streams tell their losses");
    let one = Run::go(&alone_for(2, 0.02), None, None);
    // running statistics are moved by both forward passes
    let learned = |run: &Run| {
        let mut weights = run.weights();
        weights.tensors.retain(|name, _| !name.contains("running") && !name.contains("num_batches"));
        weights
    };
    assert!(distance(&learned(&both), &learned(&one)) < 1e-5);
}

#[test]
fn a_run_of_streams_that_is_interrupted_goes_on_to_the_last_bit() {
    let recipe = recipe(&["train.epoch_ends=longest", "train.ema={ decay = 0.6 }"]).unwrap();
    let whole = Run::go(&recipe, None, None);
    for stop in [1, 4, 5, 8] {
        let torn = Run::go(&recipe, None, Some(stop));
        assert_eq!(torn.last().state.update, stop);
        let resumed = Run::go(&recipe, Some(torn), None);
        assert_eq!(distance(&resumed.weights(), &whole.weights()), 0.0, "stopped after {stop}");
        let averages = [&resumed, &whole].map(|run| run.last().best());
        assert_eq!(distance(&averages[0], &averages[1]), 0.0, "the average, stopped after {stop}");
        let mut states = [resumed.last().state, whole.last().state];
        states.iter_mut().for_each(|state| {
            state.seconds = 0.0;
            state.sums.seconds = 0.0;
            state.streams.iter_mut().for_each(|stream| stream.sums.seconds = 0.0);
        });
        assert_eq!(states[0], states[1]);
    }
}

#[test]
fn the_average_is_one_of_all_that_any_stream_moves() {
    // the first moves the backbone, the second a head: none of it is in both
    let sets = [
        "streams[0].train=[\"layer4.*\", \"yaw.*\"]",
        "streams[1].train=[\"classifier.*\", \"dense.*\"]",
        "train.ema={ decay = 0.7 }",
        "train.checkpoint={ every = { steps = 1 }, keep = 20 }",
    ];
    let recipe = recipe(&sets).unwrap();
    let start = {
        let _alone = alone();
        prepare(&recipe, data(), "cpu").unwrap().model.state()
    };
    let run = Run::go(&recipe, None, None);
    let of =
        |update: u64| checkpoint::load(&run.folder.path().join(checkpoint::folder_name(update))).unwrap();
    let last = run.last();
    assert_eq!(last.state.update, 6);
    let all: Vec<Weights> = (1..=6).map(|update| of(update).raw()).collect();
    let averages = last.best();
    for name in ["layer4.1.conv2.weight", "yaw.bias", "classifier.weight", "dense.weight"] {
        let (_, begun) = start.iter().find(|(known, _)| known == name).unwrap();
        let mut expected = begun.detach();
        for weights in &all {
            expected = expected * 0.7 + luthier_model_tensor(weights, name) * 0.3;
        }
        let off = |to: &tch::Tensor| f64::try_from((&expected - to).abs().max()).unwrap();
        assert!(off(&luthier_model_tensor(&averages, name)) < 1e-6, "{name}");
        assert!(off(&luthier_model_tensor(&all[5], name)) > 1e-6, "{name} did not move");
    }
    // both streams are evaluated with it
    let told = |stream: &str| -> Vec<&EvalEnd> {
        let evals = run.heard.iter().filter_map(|event| match event {
            Event::EvalEnd(end) if end.stream == stream => Some(end),
            _ => None,
        });
        evals.collect()
    };
    let mut plain = recipe.clone();
    plain.train.ema = None;
    let other = Run::go(&plain, None, None);
    assert_eq!(distance(&other.weights(), &all[5]), 0.0, "an average changes nothing of the run");
    let other_told = |stream: &str| {
        other.heard.iter().rev().find_map(|event| match event {
            Event::EvalEnd(end) if end.stream == stream => Some(end.loss),
            _ => None,
        })
    };
    for stream in ["", "replay"] {
        let (mine, theirs) = (told(stream).last().unwrap().loss, other_told(stream).unwrap());
        assert!((mine - theirs).abs() > 1e-7, "`{stream}` was evaluated without the average: {mine}");
    }
}

#[test]
fn a_second_stream_that_goes_off_ends_the_run_by_name() {
    let _alone = alone();
    // the classifier is the second stream's alone: what it does to it, it sees itself
    let sets = [
        "streams[0].loss_weights={ yaw = 0.5 }",
        "streams[1].train=[\"classifier.*\"]",
        "streams[1].optim.lr=1e39",
        "streams[1].clip_grad_norm=1e9",
        "train.epochs=4",
    ];
    let recipe = recipe(&sets).unwrap();
    let prepared = prepare(&recipe, data(), "cpu").unwrap();
    let job = Job::new(Runner::new(prepared.plan, prepared.model).unwrap()).unwrap();
    let (folder, never) = (TempDir::new().unwrap(), AtomicBool::new(false));
    let error = Session::new(job, folder.path(), &mut [], &never).unwrap().run().unwrap_err();
    assert!(error.to_string().contains("replay"), "{error}");
}

#[test]
fn lora_trains_every_head_whatever_it_is_called() {
    let sets = [
        "model={ arch = \"vit\", weights = \"none\", vit = { size = \"tiny\", patch_size = 16, hidden_size = 32, \
         num_hidden_layers = 1, num_attention_heads = 2 }, lora = { r = 2, alpha = 4.0 }, heads = { yaw = { hidden = \
         [\"dense\"] }, shape = { column = \"class\" } } }",
        "streams[1].loss_weights={ shape = 1.0 }",
        "streams[1].train=[\"*lora_*\", \"shape.*\"]",
    ];
    let plan = plan(&sets);
    assert_eq!(plan.model.lora.as_ref().unwrap().modules_to_save, ["dense", "yaw", "shape"]);
    let moved = |name: &str| plan.model.tensors.iter().any(|tensor| tensor.name == name && tensor.trainable);
    assert!(moved("yaw.weight") && moved("shape.weight") && moved("dense.bias"));
    assert!(!moved("vit.encoder.layer.0.intermediate.dense.weight"));
}

#[test]
fn what_does_not_fit_is_told_with_its_stream() {
    let told = |sets: &[&str], parts: &[&str]| {
        let text = refused(sets);
        for part in parts {
            assert!(text.contains(part), "{sets:?}: `{part}` is not in: {text}");
        }
    };
    told(&["streams[1].loss_weights={ clasifier = 1.0 }"], &["there is no head `clasifier`"]);
    told(&["streams[1].name=new"], &["two streams are called `new`"]);
    told(&["streams[1].steps=2"], &["stream `replay` takes 2 steps in a row"]);
    told(
        &["streams[1].train=[\"clasifier.*\"]"],
        &["streams[1].train[0]: `clasifier.*` matches no parameter"],
    );
    told(
        &["streams[1].loss_weights={}"],
        &["streams[1].data.attributes", "stream `replay`", "the column `yaw`"],
    );
    told(&["model.heads.hue.column=hues"], &["has no column `hues` | did you mean `hue`?"]);
    told(&["model.heads.yaw.classes=4"], &["`yaw` is `", "and there are 4 classes"]);
    told(&["model.heads.classifier.classes=5"], &["the head `classifier` has 5 classes, and the data has 8"]);
    told(&["streams[0].loss_weights={ classifier = 1.0 }"], &["no stream trains the head `yaw`"]);
    told(&["streams[1].data.train=nowhere"], &["nowhere"]);
    told(&["train.interleave=sum"], &["stream `replay` has `optim`, and nothing to step with it"]);
    let stages = "stages=[{ name = \"a\", epochs = 1 }, { name = \"b\", epochs = 1 }]";
    told(&[stages], &["a list of stages does not go with streams", "each stream's `train`"]);
    told(&["task=text-classification", "model.heads={}"], &["only pictures are trained on in streams"]);
    told(&["model.heads={}"], &["a multi-task model has heads"]);
    told(&["train.interleave=ratio", "streams[1].steps=9"], &["takes 9 in a row"]);
}
