//! Contrasts within batches, by class: what is learned from, what is counted, what a checkpoint keeps, what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::story::{Run, job};
use common::{alone, data, timeless};
use luthier_contrast::{Distance, Margin, Mining, TripletLoss, normalize, sup_con, triplet};
use luthier_model::Input;
use luthier_plan::{Event, Plan, StepEnd};
use luthier_train::{Start, TrainError, Update, prepare};
use luthier_weights::Weights;
use miette::Diagnostic;
use tch::Tensor;

/// Eight classes of two or three training scenes each, four updates an epoch.
const RECIPE: &str = r#"
    name = "test"
    task = "contrastive"
    [data]
    train = "scenes"
    split = { valid = 0.25 }
    workers = 2
    [data.transform]
    train = [{ op = "RandomResizedCrop", size = 32, scale = [0.6, 1.0] }, { op = "RandomHorizontalFlip" }]
    eval = [{ op = "Resize", size = [32, 32] }]
    [model]
    arch = "resnet18"
    weights = "none"
    [contrastive]
    loss = ["sup_con"]
    dim = 16
    [optim]
    type = "SGD"
    lr = 0.02
    momentum = 0.9
    [train]
    epochs = 2
    batch_size = 4
    drop_last = true
    precision = "fp32"
"#;

const TRIPLETS: [&str; 2] = ["contrastive.loss=[\"triplet\"]", "contrastive.m_per_class=2"];

fn recipe(sets: &[&str]) -> luthier_recipe::Recipe {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    luthier_recipe::parse("test.toml", RECIPE, &sets).unwrap_or_else(|error| panic!("{error:?}")).recipe
}

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

fn tensors(run: &Run) -> Vec<Weights> {
    let read =
        |file: &str| luthier_weights::read(&run.last().path.join(format!("{file}.safetensors"))).unwrap();
    ["model", "optimizer"].map(read).into_iter().map(|all| Weights { origin: String::new(), ..all }).collect()
}

fn refused(sets: &[&str], change: impl Fn(&mut Plan)) -> String {
    let told = |error: TrainError| {
        let key = if let TrainError::Plan(error) = &error { error.key.clone() } else { String::new() };
        format!("{key}: {error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
    };
    let mut prepared = match prepare(&recipe(&[]), data(), "cpu") {
        Ok(prepared) => prepared,
        Err(error) => return told(error),
    };
    change(&mut prepared.plan);
    let cut = prepared.plan.data.clone();
    match luthier_train::cut(prepared, &recipe(sets), vec![cut]) {
        Ok(_) => panic!("accepted: {sets:?}"),
        Err(error) => told(error),
    }
}

/// What is done to the data of a plan.
type Change = Box<dyn Fn(&mut Plan)>;

/// Every training sample's class.
fn relabel(class: impl Fn(usize) -> u32) -> impl Fn(&mut Plan) {
    move |plan| {
        let train = plan.data.splits.iter_mut().find(|split| split.name == "train").unwrap();
        train.samples.relabel(|at, _| class(at));
    }
}

/// All views of a batch, one below the other.
fn pictures(update: &Update) -> (Tensor, Vec<i64>) {
    let batch = &update.batches[0];
    let Start::Input(Input::Pictures(first)) = &batch.start else { panic!("pictures") };
    match &batch.second {
        Some(second) => (Tensor::cat(&[first, second], 0), batch.labels.repeat(2)),
        None => (first.shallow_clone(), batch.labels.clone()),
    }
}

#[test]
fn an_update_minimises_what_the_losses_say_of_its_embeddings() {
    let semi =
        with(&TRIPLETS, &["contrastive.triplet={mining=\"semi-hard\",distance=\"cosine\",margin=0.3}"]);
    let soft = with(&TRIPLETS, &["contrastive.triplet.margin=soft"]);
    let rows: [(&[&str], Option<TripletLoss>); 4] = [
        (&[], None),
        (
            &TRIPLETS,
            Some(TripletLoss {
                margin: Margin::Hinge(0.2),
                mining: Mining::BatchHard,
                distance: Distance::Euclidean,
            }),
        ),
        (
            &semi,
            Some(TripletLoss {
                margin: Margin::Hinge(0.3),
                mining: Mining::SemiHard,
                distance: Distance::Cosine,
            }),
        ),
        (
            &soft,
            Some(TripletLoss {
                margin: Margin::Soft,
                mining: Mining::BatchHard,
                distance: Distance::Euclidean,
            }),
        ),
    ];
    for (sets, asked) in rows {
        let _alone = alone();
        let mut job = job(&recipe(sets));
        let update = job.runner().feed.train(0, 0).unwrap().next_update(1).unwrap().unwrap();
        let (all, labels) = pictures(&update);
        assert_eq!(labels.len(), if asked.is_some() { 4 } else { 8 }, "triplets have one view: {sets:?}");
        let outputs = tch::no_grad(|| job.runner().forward_input(&Input::Pictures(all), true)).unwrap();
        let (embeddings, labels) = (normalize(&outputs).unwrap(), Tensor::from_slice(&labels));
        let (expected, active) = match &asked {
            Some(asked) => {
                let found = triplet(&embeddings, &labels, asked).unwrap();
                (found.loss.double_value(&[]), Some(found.active))
            }
            None => (sup_con(&embeddings, &labels, 0.1).unwrap().double_value(&[]), None),
        };
        let step = job.gradients(&update, 0).unwrap().end;
        assert!((step.loss - expected).abs() < 1e-4, "{sets:?}: {} for {expected}", step.loss);
        let task = &step.tasks[0];
        assert_eq!((task.positives, task.top5, task.barren), (Some(1.0), None, 0), "{sets:?}");
        assert!(task.active.is_some() == active.is_some());
        let shares = active.unwrap_or(0.0) - task.active.unwrap_or(0.0);
        assert!(shares.abs() < 1e-9, "{sets:?}: {task:?}");
        assert!(step.grad_norm > 0.0 && step.grad_norm.is_finite());
    }
}

#[test]
fn there_is_no_key_encoder_and_labels_decide() {
    let run = Run::go(&recipe(&[]), None, None);
    assert!(!run.last().path.join("contrast.safetensors").exists());
    let steps = run.steps();
    assert_eq!(steps.len(), 8);
    // eight candidates but itself
    assert!((steps[0].loss - 7f64.ln()).abs() < 1.5, "{}", steps[0].loss);
    assert!(steps.iter().all(|step| step.tasks.len() == 1 && step.tasks[0].head == "sup_con"));
    assert!(steps.iter().all(|step| (0.0..=1.0).contains(&step.accuracy())));
    let looks: Vec<_> = run
        .heard
        .iter()
        .filter_map(|event| if let Event::Embeddings(end) = event { Some(end) } else { None })
        .collect();
    // before the first update and after each epoch
    assert!(looks.len() == 3 && looks.iter().all(|look| look.knn.is_some() && look.alignment > 0.0));
    assert!(!run.heard.iter().any(|event| matches!(event, Event::NoGradient { .. } | Event::Clustered(_))));
}

#[test]
fn both_losses_fall() {
    for sets in [&[][..], &TRIPLETS] {
        let more = ["optim.type=Adam", "optim.lr=1e-3", "train.epochs=8"];
        let text = RECIPE.replace("    momentum = 0.9\n", "");
        let all: Vec<String> = with(sets, &more).iter().map(ToString::to_string).collect();
        let recipe = luthier_recipe::parse("test.toml", &text, &all).unwrap().recipe;
        let run = Run::go(&recipe, None, None);
        let losses: Vec<f64> = run.steps().iter().map(|step| step.loss).collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..8]), mean(&losses[24..]));
        assert!(last < 0.8 * first, "{sets:?}: {first} to {last}");
    }
}

#[test]
fn a_run_that_was_stopped_anywhere_and_resumed_is_the_same_to_the_last_bit() {
    let accumulated = with(&TRIPLETS, &["train.grad_accum=2", "contrastive.triplet.mining=semi-hard"]);
    let staged = [
        "stages=[{name=\"one\",epochs=1,loss=[\"triplet\"]},{name=\"two\",epochs=1,loss=[\"sup_con\",\"triplet\"]}]",
        "contrastive.m_per_class=2",
    ];
    let rows: [(&[&str], &[u64]); 4] =
        [(&[], &[3, 4]), (&TRIPLETS, &[2, 6]), (&accumulated, &[1, 3]), (&staged, &[3, 4, 6])];
    for (sets, stops) in rows {
        let recipe = recipe(sets);
        let whole = Run::go(&recipe, None, None);
        for at in stops {
            let first = Run::go(&recipe, None, Some(*at));
            let mut heard = first.heard.clone();
            let second = Run::go(&recipe, Some(first), None);
            heard.extend(second.heard.clone());
            assert!(
                tensors(&second) == tensors(&whole),
                "{sets:?} stopped after update {at}: tensors differ"
            );
            let told = |events: &[Event]| -> Vec<Event> {
                let kept = |event: &Event| matches!(event, Event::StepEnd(_) | Event::Embeddings(_));
                events.iter().filter_map(timeless).filter(kept).collect()
            };
            assert_eq!(told(&heard), told(&whole.heard), "{sets:?} stopped after update {at}");
        }
    }
}

#[test]
fn stages_say_which_loss_runs_when() {
    let stages = "stages=[{name=\"one\",epochs=1,loss=[\"triplet\"]},{name=\"two\",epochs=1,loss=[\"sup_con\",\"triplet\"]}]";
    let run = Run::go(&recipe(&[stages]), None, None);
    let names = |at: usize| run.steps()[at].tasks.iter().map(|task| task.head.clone()).collect::<Vec<_>>();
    assert_eq!((names(0), names(4)), (vec!["triplet".into()], vec!["triplet".into(), "sup_con".into()]));
    for step in run.steps() {
        let sum: f64 = step.tasks.iter().map(|task| task.loss).sum();
        assert!((step.loss - sum).abs() < 1e-6, "{step:?}");
    }
}

#[test]
fn batches_without_a_positive_are_counted_and_teach_nothing() {
    let run = Run::go(&recipe(&["contrastive.loss=[\"triplet\"]", "train.batch_size=2"]), None, None);
    let steps = run.steps();
    let barren = steps.iter().filter(|step| step.tasks[0].barren == 1).count();
    // two of eight classes are rarely the same, and then there is no negative
    assert_eq!(barren, steps.len());
    assert!(steps.iter().all(|step| step.loss == 0.0 && step.grad_norm == 0.0));
    // four samples: some batches have a pair, others have none
    let run = Run::go(&recipe(&["contrastive.loss=[\"triplet\"]", "train.epochs=4"]), None, None);
    let steps = run.steps();
    let (without, others): (Vec<&StepEnd>, Vec<&StepEnd>) =
        steps.into_iter().partition(|step| step.tasks[0].barren == 1);
    assert!(!without.is_empty() && !others.is_empty());
    assert!(without.iter().all(|step| step.loss == 0.0 && step.tasks[0].positives == Some(0.0)));
    assert!(others.iter().all(|step| step.tasks[0].positives >= Some(0.5)));
    // a triplet that is far enough apart already teaches nothing either
    assert!(others.iter().any(|step| step.grad_norm > 0.0));
}

#[test]
fn classes_that_do_not_fit_are_told() {
    let rows: [(&[&str], Change, &str, &str); 5] = [
        (
            &[],
            Box::new(relabel(|_| 0)),
            "`sup_con` tells classes apart, and the training samples are of one",
            "info_nce",
        ),
        (&TRIPLETS, Box::new(relabel(|_| 0)), "`triplet` tells classes apart", "folder for each class"),
        (
            &["contrastive.loss=[\"triplet\"]", "contrastive.m_per_class=4", "train.batch_size=8"],
            Box::new(|_: &mut Plan| {}),
            "training samples, and a batch has 4 of each",
            "m_per_class = ",
        ),
        (
            &["contrastive.loss=[\"triplet\"]", "contrastive.m_per_class=2", "train.batch_size=16"],
            Box::new(relabel(|at| (at % 3) as u32)),
            "a batch of 16 has 8 classes of 2 samples each, and there are 3",
            "take batches of 6",
        ),
        (
            &["contrastive.loss=[\"triplet\"]"],
            Box::new(|plan: &mut Plan| {
                let train = plan.data.splits.iter_mut().find(|split| split.name == "train").unwrap();
                let labels = train.samples.labels().to_vec();
                let first = |at: &u32| !labels[..*at as usize].contains(&labels[*at as usize]);
                let kept: Vec<u32> = (0..labels.len() as u32).filter(first).collect();
                train.samples = train.samples.pick(&kept);
            }),
            "every class has one training sample: no triplet has a positive",
            "sup_con",
        ),
    ];
    for (sets, change, message, help) in rows {
        let told = refused(sets, change);
        assert!(told.contains(message) && told.contains(help), "{sets:?}: {told}");
    }
}

#[test]
fn what_batches_hold_is_planned() {
    let plan = |sets: &[&str]| prepare(&recipe(sets), data(), "cpu").unwrap().plan;
    let share = |sets: &[&str]| plan(sets).contrast.unwrap().positives.unwrap();
    assert_eq!(share(&[]), 1.0);
    assert_eq!(share(&TRIPLETS), 1.0);
    let free = share(&["contrastive.loss=[\"triplet\"]"]);
    // one or two others among sixteen, three draws
    assert!(free > 0.15 && free < 0.3, "{free}");
    let notes = plan(&["contrastive.loss=[\"triplet\"]"]).notes;
    assert!(
        notes.iter().any(|note| note.contains("have another of their class in their batch of 4")),
        "{notes:?}"
    );
    let notes = plan(&["train.grad_accum=2"]).notes;
    assert!(notes.iter().any(|note| note.contains("each contrasts its 4 samples alone")), "{notes:?}");
    assert!(plan(&TRIPLETS).recipe.train.drop_last);
}
