//! Tables of numbers and words, from the recipe to a trained network.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use luthier_plan::{EvalEnd, Event, FeatureKind, Listener, Wish};
use luthier_train::{Job, Runner, Session, TrainError, prepare};
use miette::Diagnostic;
use tempfile::TempDir;

const RECIPE: &str = r#"
    name = "rows"
    task = "regression"
    seed = 1
    [data]
    format = "csv"
    train = "table.csv"
    target = "y"
    scale = "standardize"
    scale_target = "standardize"
    [model]
    arch = "sequential"
    layers = [{ linear = 50 }, { act = "relu" }, { linear = 30 }, { act = "relu" }, { linear = "targets" }]
    [loss]
    type = "mse"
    [optim]
    type = "SGD"
    lr = 0.1
    [train]
    epochs = 300
    batch_size = 32
    checkpoint = { every = { epochs = 1000 } }
    [eval]
    every = { epochs = 1000 }
    at_end = ["train", "valid"]
    metric = "loss"
"#;

/// Everything that is said.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Event>>>);

impl Listener for Ear {
    fn hear(&mut self, event: &Event) -> Result<Wish, Box<dyn Diagnostic + Send + Sync>> {
        self.0.lock().unwrap().push(event.clone());
        Ok(Wish::Continue)
    }

    fn name(&self) -> &'static str {
        "ear"
    }
}

fn folder(table: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("table.csv"), table).unwrap();
    folder
}

fn recipe(sets: &[&str]) -> luthier_recipe::Recipe {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    luthier_recipe::parse("rows.toml", RECIPE, &sets).unwrap_or_else(|error| panic!("{error:?}")).recipe
}

fn runner(folder: &TempDir, sets: &[&str]) -> Result<Runner, TrainError> {
    let prepared = prepare(&recipe(sets), folder.path(), "cpu")?;
    Runner::new(prepared.plan, prepared.model)
}

/// Trains, and what was said.
fn train(folder: &TempDir, sets: &[&str]) -> Result<Vec<Event>, TrainError> {
    let ear = Ear::default();
    let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(ear.clone())];
    let (never, kept) = (AtomicBool::new(false), TempDir::new().unwrap());
    let job = Job::new(runner(folder, sets)?)?;
    Session::new(job, kept.path(), &mut listeners, &never)?.run()?;
    let heard = ear.0.lock().unwrap().clone();
    Ok(heard)
}

fn eval(heard: &[Event], split: &str) -> EvalEnd {
    let found = heard.iter().rev().find_map(|event| match event {
        Event::EvalEnd(eval) if eval.split == split => Some(eval.clone()),
        _ => None,
    });
    found.unwrap()
}

/// Message and hint of an error at planning.
fn refused(table: &str, sets: &[&str]) -> String {
    let folder = folder(table);
    match prepare(&recipe(sets), folder.path(), "cpu") {
        Ok(_) => panic!("accepted: {sets:?}"),
        Err(error) => {
            let key = if let TrainError::Plan(error) = &error { error.key.clone() } else { String::new() };
            format!("{key}: {error} | {}", error.help().map(|help| help.to_string()).unwrap_or_default())
        }
    }
}

fn quadratic() -> String {
    let row = |at: i32| format!("{},{}\n", f64::from(at) / 10.0, 5.0 * (f64::from(at) / 10.0).powi(2));
    std::iter::once("x,y\n".to_owned()).chain((0..50).map(row)).collect()
}

const CLASSES: &[&str] = &[
    "task=classification",
    "data.scale_target=none",
    "loss.type=cross_entropy",
    "optim.type=Adam",
    "optim.lr=0.05",
    "model.layers=[{ linear = 50 }, { act = \"relu\" }, { linear = \"classes\" }]",
];

#[test]
fn a_quadratic_is_learned_and_told_in_its_own_units() {
    let heard = train(&folder(&quadratic()), &[]).unwrap();
    let end = eval(&heard, "train");
    assert!(end.r2.unwrap() > 0.98, "{end:?}");
    // the targets go up to 120, and deviate by 37: the loss is of scaled ones
    assert!(end.mae.unwrap() > 10.0 * end.loss && end.mae.unwrap() < 6.0, "{end:?}");
    assert_eq!((end.accuracy, end.confusion.len()), (None, 0));
    let told = heard.iter().any(|event| matches!(event, Event::EpochEnd { accuracy: Some(_), .. }));
    assert!(!told, "a regression has no accuracy");
    // without scaled targets the same mean absolute error is in the same units
    let raw = train(&folder(&quadratic()), &["data.scale_target=none", "optim.lr=1e-4"]).unwrap();
    assert!(eval(&raw, "train").mae.unwrap() > 1.0);
}

#[test]
fn xor_is_learned_by_one_output() {
    let table = folder("a,b,y\n0,0,no\n0,1,yes\n1,0,yes\n1,1,no\n");
    let mut sets = CLASSES.to_vec();
    sets.extend([
        "loss.type=bce",
        "loss.input=probabilities",
        "model.output=sigmoid",
        "model.layers=[{ linear = 4 }, { act = \"tanh\" }, { linear = 1 }]",
        "model.init={ weights = \"xavier_uniform\", bias = 0.0 }",
        "train.batch_size=4",
        "train.epochs=2000",
        "data.scale=none",
    ]);
    let end = eval(&train(&table, &sets).unwrap(), "train");
    assert_eq!(end.accuracy, Some(1.0), "{end:?}");
    assert_eq!(end.confusion, [[2, 0], [0, 2]]);
}

#[test]
fn what_is_fitted_is_fitted_on_training_rows_alone() {
    let mut table = String::from("x,word,y\n");
    for at in 0..40 {
        table.push_str(&format!("{},{},{}\n", at * at, ["a", "b"][at % 2], at));
    }
    table.push_str("9999,zzz,7\n");
    let folder = folder(&table);
    let prepared = prepare(&recipe(&["data.split={ valid = 0.5 }"]), folder.path(), "cpu").unwrap();
    let plan = &prepared.plan;
    let training: Vec<f64> =
        plan.data.split("train").unwrap().samples.paths().map(|line| line.parse().unwrap()).collect();
    let x: Vec<f64> =
        training.iter().map(|line| if *line > 41.0 { 9999.0 } else { (line - 2.0).powi(2) }).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let held_out = !training.contains(&42.0);
    let shared = plan.table.as_ref().unwrap();
    match &shared.features[0].kind {
        FeatureKind::Numbers { stats, scale } => {
            assert!((stats.mean - mean).abs() < 1e-9 && stats.count == x.len() as u64);
            assert_eq!((scale.shift, scale.divisor), (stats.mean, stats.std));
            assert_eq!(stats.max < 9999.0, held_out);
        }
        other => panic!("{other:?}"),
    }
    let FeatureKind::Words { words, .. } = &shared.features[1].kind else { panic!("numbers") };
    assert_eq!(words.len(), if held_out { 2 } else { 3 });
    let told = plan.notes.iter().any(|note| {
        note.contains("1 of 21 valid rows have a word in the column `word`")
            || note.contains("1 of 20 valid rows have a word in the column `word`")
    });
    assert_eq!(told, held_out, "{:?}", plan.notes);
    assert_eq!(shared.width(), if held_out { 3 } else { 4 });
}

#[test]
fn a_row_is_encoded_as_planned() {
    let folder = folder("x,word,y\n1,b,1\n3,a,2\n");
    let runner = runner(&folder, &["data.scale=minmax", "model.layers=[{ linear = 1 }]"]).unwrap();
    let weights = &runner.model.store.get("0.weight").unwrap().tensor;
    assert_eq!(weights.size(), [1, 3], "x, then a and b");
    tch::no_grad(|| {
        weights.shallow_clone().copy_(&tch::Tensor::from_slice(&[1.0f32, 10.0, 100.0]).reshape([1, 3]));
        let _ = runner.model.store.get("0.bias").unwrap().tensor.shallow_clone().zero_();
    });
    std::fs::write(folder.path().join("new.csv"), "word,other,x\nb,8,1\na,8,5\nc,8,3\n,8,3\n").unwrap();
    let answers = runner.predict_rows(&folder.path().join("new.csv")).unwrap();
    let values: Vec<Option<f64>> = answers.iter().map(|row| row.result.as_ref().ok().map(|x| x[0])).collect();
    // targets deviate by 0.5 around 1.5; x is scaled by what training rows had, an unknown word is none
    let own = |scaled: f64| Some(scaled * 0.5 + 1.5);
    assert_eq!(values, [own(100.0), own(12.0), own(1.0), None]);
    assert_eq!(answers.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[test]
fn several_targets_are_scored_together() {
    let row = |at: i32| format!("{at},{},{}\n", 2 * at + 1, 1000 - 30 * at);
    let table: String = std::iter::once("x,a,b\n".to_owned()).chain((0..40).map(row)).collect();
    let sets = ["data.target=[\"a\", \"b\"]", "model.layers=[{ linear = \"targets\" }]", "train.epochs=60"];
    let end = eval(&train(&folder(&table), &sets).unwrap(), "train");
    assert!(end.r2.unwrap() > 0.999, "{end:?}");
}

#[test]
fn tables_that_cannot_be_learned_are_refused() {
    let many: String = (0..100).map(|at| format!("{at},{}\n", at * 3)).collect();
    let classes = |more: &[&'static str]| [CLASSES, more].concat();
    let rows: &[(String, Vec<&str>, &str, &str)] = &[
        ("x,z\n1,2\n".into(), vec![], "no column `y` for the target", "it has `x`, `z`"),
        (
            "x,y\n1,2\n2,2\n".into(),
            vec![],
            "data.target: the target `y` is 2 in every training row",
            "another column",
        ),
        (
            "x,y\n1,a\n2,a\n".into(),
            classes(&[]),
            "has the label `a`: there is nothing to tell apart",
            "another class",
        ),
        ("y\n1\n2\n".into(), vec![], "no column is left to learn from", "add columns"),
        (
            format!("x,y\n{many}"),
            classes(&[]),
            "data.target: the column `y` has 100 different values in 100 rows",
            "task = \"regression\"",
        ),
        (
            "x,y\n1,a\n2,b\n3,c\n".into(),
            classes(&["model.layers=[{ linear = 4 }, { act = \"relu\" }, { linear = 2 }]"]),
            "model.layers[2]: the model gives 2 numbers for 3 classes",
            "linear = \"classes\"",
        ),
        (
            "x,y\n1,a\n2,b\n".into(),
            classes(&["model.layers=[{ linear = 1 }]"]),
            "model.layers[0]: the model gives 1 numbers for 2 classes",
            "bce",
        ),
        (
            "x,y\n1,1\n2,2\n".into(),
            vec!["model.layers=[{ linear = 3 }]"],
            "model.layers[0]: the model gives 3 numbers for 1 target column",
            "targets",
        ),
        (
            "x,y\n1,1\nred,2\n3,3\n".into(),
            vec![],
            "`x` is `red`, and most of the column are numbers",
            "data.features",
        ),
        ("x,y\n1,1\nnan,2\n3,3\n".into(), vec![], "column `x` is empty or not a number", "on_error"),
        (
            "x,y\n1,1\n2,2\n".into(),
            vec!["model.layers=[{ conv = 3 }, { linear = 1 }]"],
            "model.layers[0]: this layer takes pictures",
            "unflatten",
        ),
    ];
    for (table, sets, what, hint) in rows {
        let said = refused(table, sets);
        assert!(said.contains(what) && said.contains(hint), "{table:.40} {sets:?}: {said}");
    }
}

#[test]
fn a_cell_that_is_no_number_stops_the_run_by_name() {
    let mut table = quadratic();
    table.push_str("nan,3\n");
    let folder = folder(&table);
    let error = train(&folder, &["data.on_error=keep"]).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { update: 1 | 2, .. }), "{error}");
    assert!(
        error.to_string().contains("the cell in the column `x` of `table.csv:52` is not finite"),
        "{error}"
    );
    let skipped = train(&folder, &["data.on_error=skip", "train.epochs=1"]).unwrap();
    assert_eq!(eval(&skipped, "train").count, 50);
}

#[test]
fn outputs_without_a_class_are_noted() {
    let folder = folder("x,y\n1,a\n2,b\n3,a\n4,b\n");
    let sets = [CLASSES, &["model.layers=[{ linear = 5 }]"][..]].concat();
    let prepared = prepare(&recipe(&sets), folder.path(), "cpu").unwrap();
    assert!(
        prepared.plan.notes.iter().any(|note| note.contains("the last 3 are never right")),
        "{:?}",
        prepared.plan.notes
    );
    let end = eval(&train(&folder, &sets).unwrap(), "train");
    assert!(end.accuracy.unwrap() >= 0.5 && end.confusion.len() == 2);
}
