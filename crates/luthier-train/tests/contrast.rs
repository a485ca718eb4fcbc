//! Contrastive pretraining: what is learned from, what a checkpoint keeps, what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::sync::atomic::AtomicBool;

use common::story::Run;
use common::{alone, data, timeless};
use luthier_plan::{Event, Plan, StepEnd};
use luthier_train::{Job, Runner, Session, TrainError, checkpoint, prepare};
use luthier_weights::Weights;
use miette::Diagnostic;
use tempfile::TempDir;

/// MoCo and prototypes over the 17 training scenes, four updates an epoch.
const RECIPE: &str = r#"
    name = "test"
    task = "contrastive"
    [data]
    train = "scenes"
    split = { valid = 0.25 }
    workers = 2
    [data.transform]
    train = [{ op = "RandomResizedCrop", size = 32, scale = [0.4, 1.0] }, { op = "RandomHorizontalFlip" }]
    eval = [{ op = "Resize", size = [32, 32] }]
    [model]
    arch = "resnet18"
    weights = "none"
    [contrastive]
    dim = 16
    queue = 8
    momentum = 0.9
    [contrastive.prototypes]
    clusters = [3, 5]
    warmup_epochs = 1
    negatives = 2
    iterations = 5
    [optim]
    type = "SGD"
    lr = 0.01
    momentum = 0.9
    [train]
    epochs = 3
    batch_size = 4
    drop_last = true
    precision = "fp32"
"#;

fn recipe(sets: &[&str]) -> Result<luthier_recipe::Recipe, String> {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    match luthier_recipe::parse("test.toml", RECIPE, &sets) {
        Ok(loaded) => Ok(loaded.recipe),
        Err(error) => Err(error.problems().iter().map(|one| format!("{one:?} {one}")).collect()),
    }
}

fn plan(sets: &[&str]) -> Plan {
    prepare(&recipe(sets).unwrap(), data(), "cpu").unwrap().plan
}

fn go(sets: &[&str], from: Option<Run>, stop_after: Option<u64>) -> Run {
    Run::go(&recipe(sets).unwrap(), from, stop_after)
}

/// Every tensor of the last checkpoint.
fn tensors(run: &Run) -> Vec<Weights> {
    let files = ["model", "optimizer", "contrast"];
    let read =
        |file: &str| luthier_weights::read(&run.last().path.join(format!("{file}.safetensors"))).unwrap();
    files.map(read).into_iter().map(|weights| Weights { origin: String::new(), ..weights }).collect()
}

/// What stands in the way of a plan.
fn refused(sets: &[&str]) -> String {
    match prepare(&recipe(sets).unwrap(), data(), "cpu") {
        Ok(_) => panic!("accepted: {sets:?}"),
        Err(error) => {
            let key = if let TrainError::Plan(error) = &error { error.key.clone() } else { String::new() };
            format!("{key}: {error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
        }
    }
}

#[test]
fn losses_start_where_theory_says_and_prototypes_begin_after_the_warm_up() {
    let run = go(&[], None, None);
    let steps = run.steps();
    assert_eq!(steps.len(), 12);
    let names = |step: &StepEnd| step.tasks.iter().map(|task| task.head.clone()).collect::<Vec<_>>();
    assert!(steps[..4].iter().all(|step| names(step) == ["info_nce"]));
    assert!(steps[4..].iter().all(|step| names(step) == ["info_nce", "proto_nce"]));
    for step in &steps {
        let sum: f64 = step.tasks.iter().map(|task| task.loss).sum();
        assert!((step.loss - sum).abs() < 1e-6, "{step:?}");
        assert!(step.tasks.iter().all(|task| task.top5.is_some_and(|top5| top5 >= task.accuracy)));
    }
    // nine candidates, and a random queue that is easily told from the positive
    assert!(steps[0].loss > 0.0 && steps[0].loss < 9f64.ln() + 0.5, "{}", steps[0].loss);
    let clustered: Vec<_> = run
        .heard
        .iter()
        .filter_map(|event| if let Event::Clustered(clustered) = event { Some(clustered) } else { None })
        .collect();
    assert_eq!(clustered.iter().map(|one| one.at.epoch).collect::<Vec<_>>(), [1, 2]);
    for one in &clustered {
        assert_eq!((one.samples, one.granularities.len()), (17, 2));
        assert_eq!(one.granularities.iter().map(|one| one.clusters).collect::<Vec<_>>(), [3, 5]);
    }
    let looks: Vec<_> = run
        .heard
        .iter()
        .filter_map(|event| if let Event::Embeddings(end) = event { Some(end) } else { None })
        .collect();
    // before the first update as well: what random weights are worth
    assert_eq!(looks.iter().map(|look| look.at.epoch).collect::<Vec<_>>(), [0, 1, 2, 3]);
    for look in looks {
        assert!(look.alignment >= 0.0 && look.uniformity <= 0.0 && look.count == 17, "{look:?}");
        assert!((look.even_std - 0.25).abs() < 1e-9 && look.std > 0.0 && look.std < 0.3, "{look:?}");
        assert!(look.knn.is_some_and(|knn| (0.0..=1.0).contains(&knn)), "{look:?}");
    }
    let told_bare = run.heard.iter().any(|event| matches!(event, Event::NoGradient { .. }));
    assert!(!told_bare, "every parameter is learned from the first update on");
}

#[test]
fn labels_decide_nothing_but_what_the_neighbours_are_worth() {
    let classes = |plan: &mut Plan| {
        for split in &mut plan.data.splits {
            split.samples.relabel(|_, _| 0);
        }
    };
    let weights = |relabelled: bool| {
        let _alone = alone();
        let mut prepared = prepare(&recipe(&["train.epochs=2"]).unwrap(), data(), "cpu").unwrap();
        if relabelled {
            classes(&mut prepared.plan);
        }
        let job = Job::new(Runner::new(prepared.plan, prepared.model).unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        let stop = AtomicBool::new(false);
        Session::new(job, folder.path(), &mut [], &stop).unwrap().run().unwrap();
        let last = checkpoint::newest(folder.path()).unwrap().0;
        Weights { origin: String::new(), ..last.raw() }.tensors
    };
    assert!(weights(false) == weights(true));
}

#[test]
fn a_run_that_was_stopped_anywhere_and_resumed_is_the_same_to_the_last_bit() {
    let whole = go(&[], None, None);
    let told = |events: &[Event]| -> Vec<Event> {
        events
            .iter()
            .filter_map(timeless)
            .filter(|event| !matches!(event, Event::CheckpointSaved { .. }))
            .collect()
    };
    // in the warm-up, at its end, in the first epoch with prototypes, at its end, in the last one
    for at in [2, 4, 6, 8, 11] {
        let first = go(&[], None, Some(at));
        let mut heard = first.heard.clone();
        let second = go(&[], Some(first), None);
        heard.extend(second.heard.clone());
        let same = tensors(&second) == tensors(&whole);
        assert!(same, "stopped after update {at}: the tensors differ");
        let steps = |events: &[Event]| -> Vec<Event> {
            told(events)
                .into_iter()
                .filter(|event| matches!(event, Event::StepEnd(_) | Event::Embeddings(_)))
                .collect()
        };
        assert_eq!(steps(&heard), steps(&whole.heard), "stopped after update {at}");
    }
}

#[test]
fn numbers_that_do_not_fit_the_samples_are_told() {
    let told = refused(&["contrastive.prototypes.clusters=[3, 18]"]);
    assert!(
        told.starts_with("contrastive.prototypes.clusters[1]: 18 clusters of 17 training samples"),
        "{told}"
    );
    let told = refused(&["train.drop_last=false"]);
    assert!(told.contains("the last batch of an epoch has one sample"), "{told}");
    let plan = plan(&["contrastive.queue=40"]);
    let note = plan.notes.iter().find(|note| note.contains("the queue holds 40 keys of 17 samples"));
    assert!(note.is_some_and(|note| note.contains("meets 1.9 keys of its own")), "{:?}", plan.notes);
    let share = plan.contrast.unwrap().false_negatives;
    assert!((share - (40.0 / 17.0 - 0.5)).abs() < 0.1, "{share}");
}

#[test]
fn a_contrastive_run_has_no_answers() {
    let _alone = alone();
    let prepared = prepare(&recipe(&[]).unwrap(), data(), "cpu").unwrap();
    let runner = Runner::new(prepared.plan, prepared.model).unwrap();
    for error in [runner.evaluate("valid").err(), runner.predict(&["x.png".into()]).err()] {
        assert!(error.is_none_or(|error| matches!(error, TrainError::NoAnswers)));
    }
    assert!(matches!(runner.evaluate("valid"), Err(TrainError::NoAnswers)));
}

#[test]
fn fine_tuning_starts_from_the_encoder_that_was_pretrained() {
    let run = go(&["train.epochs=1", "contrastive.prototypes.warmup_epochs=0"], None, None);
    let _alone = alone();
    let plan = plan(&["train.epochs=1", "contrastive.prototypes.warmup_epochs=0"]);
    let runner = Runner::with_weights(plan, &run.last().best(), tch::Device::Cpu).unwrap();
    let file = run.folder.path().join("encoder.safetensors");
    runner.write_weights(&file, |name| (!runner.model.is_head(name)).then(|| name.to_owned())).unwrap();
    let text = RECIPE
        .replace("task = \"contrastive\"", "task = \"image-classification\"")
        .replace("weights = \"none\"", &format!("weights = {:?}", file.display().to_string()));
    let cut = |text: &str, from: &str, to: &str| {
        let (start, end) = (text.find(from).unwrap(), text.find(to).unwrap());
        format!("{}{}", &text[..start], &text[end..])
    };
    let text = cut(&text, "[contrastive]", "[optim]");
    let recipe = luthier_recipe::parse("fine.toml", &text, &[]).unwrap().recipe;
    let fine = prepare(&recipe, data(), "cpu").unwrap();
    let load = fine.plan.model.load.unwrap();
    assert_eq!(
        (load.head, load.missing, load.unexpected),
        (vec!["fc.weight".into(), "fc.bias".into()], vec![], vec![])
    );
    for name in ["conv1.weight", "layer4.1.conv2.weight", "bn1.running_mean"] {
        let of = |model: &luthier_model::Model| model.store.get(name).unwrap().tensor.shallow_clone();
        assert!(of(&fine.model).equal(&of(&runner.model)), "{name}");
    }
}

#[test]
fn a_stage_moves_what_it_trains_and_goes_through_the_heads_it_names() {
    let stages = "stages=[{name=\"one\",epochs=1,loss=[\"info_nce\"],heads=[]},\
                  {name=\"two\",epochs=1,loss=[\"info_nce\"],heads=[\"a\"],train=[\"fc.a.*\"]},\
                  {name=\"three\",epochs=1,loss=[\"info_nce\",\"proto_nce\"],freeze=[\"fc.a.*\"]}]";
    let sets = ["contrastive.heads=[\"a\",\"b\"]", stages];
    let whole = go(&sets, None, None);
    let began: Vec<(String, u64)> = whole
        .heard
        .iter()
        .filter_map(|event| match event {
            Event::StageBegin { name, at, .. } => Some((name.clone(), at.update)),
            _ => None,
        })
        .collect();
    assert_eq!(began, [("one".into(), 0), ("two".into(), 4), ("three".into(), 8)]);
    let names = |step: &StepEnd| step.tasks.iter().map(|task| task.head.clone()).collect::<Vec<_>>();
    let steps = whole.steps();
    assert!(steps[..8].iter().all(|step| names(step) == ["info_nce"]));
    assert!(steps[8..].iter().all(|step| names(step) == ["info_nce", "proto_nce"]));
    let planned = plan(&sets);
    let rests = |stage: usize, name: &str| {
        let at = planned.model.tensors.iter().position(|tensor| tensor.name == name).unwrap();
        planned.stages[stage].resting.contains(&at)
    };
    assert!(rests(0, "fc.a.weight") && rests(0, "fc.b.weight") && !rests(0, "conv1.weight"));
    assert!(!rests(1, "fc.a.weight") && rests(1, "fc.b.weight") && rests(1, "conv1.weight"));
    assert!(rests(2, "fc.a.weight") && !rests(2, "fc.b.weight") && !rests(2, "conv1.weight"));
    // what rested did not move: the state after each stage
    let after = |update: u64| go(&sets, None, Some(update)).last().raw();
    let (one, two, three) = (after(4), after(8), whole.last().raw());
    let same = |a: &Weights, b: &Weights, name: &str| a.tensors[name] == b.tensors[name];
    assert!(same(&one, &two, "conv1.weight") && !same(&one, &two, "fc.a.weight"));
    assert!(same(&one, &two, "fc.b.weight") && same(&one, &two, "bn1.running_mean"));
    assert!(same(&two, &three, "fc.a.weight") && !same(&two, &three, "fc.b.weight"));
    assert!(!same(&two, &three, "conv1.weight"));
    // killed in each stage, and resumed
    for at in [3, 5, 10] {
        let again = go(&sets, Some(go(&sets, None, Some(at))), None);
        assert!(tensors(&again) == tensors(&whole), "stopped after update {at}");
    }
}

#[test]
fn a_stage_that_trains_only_what_it_does_not_go_through_is_refused() {
    let stages =
        "stages=[{name=\"one\",epochs=3,loss=[\"info_nce\",\"proto_nce\"],heads=[],train=[\"fc.a.*\"]}]";
    let told = refused(&["contrastive.heads=[\"a\"]", stages]);
    assert!(told.starts_with("stages[0].train: stage `one` trains only heads"), "{told}");
}
