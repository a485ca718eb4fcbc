//! The page, the table of runs, runs side by side.

mod common;

use std::fs;

use common::{Shape, replay, replay_events};
use luthier_plan::{Event, Outcome};
use luthier_track::{TrackError, compare, report_html, runs_in, summary, write_report};

#[test]
fn the_page_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay(&folder.path().join("run"), &Shape::default());
    let environment = [("CPU".to_owned(), "two <cores>".to_owned())];
    let path = write_report(&run, &environment).unwrap();
    let page = fs::read_to_string(path).unwrap();
    for wanted in [
        "95.8\u{a0}%",
        "finished",
        "two &lt;cores&gt;",
        "(all others)",
        "imageNotFound.gif",
        "Precision",
        "<svg ",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
    // the only addresses are the names of XML's languages
    let addresses: Vec<_> = page.match_indices("http").map(|(at, _)| &page[at..at + 30]).collect();
    assert!(
        addresses
            .iter()
            .all(|it| it.starts_with("http://www.w3.org/2000/svg") || it.starts_with("http-equiv")),
        "{addresses:?}"
    );
    for loader in ["<script", "<img", "<link", "@import", "url(http", " src=", " href="] {
        assert!(!page.contains(loader), "{loader}");
    }
    assert!(!page.contains(&folder.path().to_string_lossy()[..]), "the page knows where it was written");
}

#[test]
fn paths_and_recipes_are_hostile() {
    let folder = tempfile::tempdir().unwrap();
    let shape =
        Shape { classes: vec!["<img src=x onerror=alert(1)>".into(), "b".into()], ..Shape::default() };
    let page = report_html(&replay(&folder.path().join("run"), &shape), &[]).unwrap();
    assert!(!page.contains("<img") && !page.contains("<script") && !page.contains("<b>made-up"));
    assert!(page.contains("bees/&lt;script&gt;alert('1')&lt;/script&gt;.jpg"));
    assert!(page.contains("&lt;b&gt;made-up&lt;/b&gt;"), "the recipe is shown as typed");
}

#[test]
fn odd_runs_have_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Shape::default();
    let killed: Vec<Event> = whole.events(0).into_iter().take(40).collect();
    let cases = [
        ("killed", whole.clone(), killed, "not over: running, or killed"),
        ("nothing", whole.clone(), vec![], "No update is done yet"),
        (
            "no-valid",
            Shape { valid: false, ..whole.clone() },
            Shape { valid: false, ..whole.clone() }.events(0),
            "no validation",
        ),
        (
            "nan",
            Shape { nan_at: Some(30), ..whole.clone() },
            Shape { nan_at: Some(30), ..whole.clone() }.events(0),
            "diverged",
        ),
        (
            "one",
            Shape { epochs: 1, updates_per_epoch: 1, ..whole.clone() },
            Shape { epochs: 1, updates_per_epoch: 1, ..whole.clone() }.events(0),
            "1 of 1 updates",
        ),
    ];
    for (case, shape, events, wanted) in cases {
        let run = replay_events(&folder.path().join(case), &shape, &events);
        let page = report_html(&run, &[]).unwrap();
        assert!(page.contains(wanted), "{case}: {wanted} is missing");
    }
    let run = replay(&folder.path().join("cut"), &whole);
    let bytes = fs::read(run.metrics_path()).unwrap();
    fs::write(run.metrics_path(), &bytes[..bytes.len() - 30]).unwrap();
    assert!(report_html(&run, &[]).unwrap().contains("was cut off"));
}

#[test]
fn findings_stand_beside_the_curves_that_show_them() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay(&folder.path().join("run"), &Shape::default());
    let finding = |code: &str, category: &str, severity: &str| {
        serde_json::json!({
            "code": code, "name": "n", "category": category, "severity": severity, "explanation": "why", "evidence": ["seen"],
            "fix": null,
        })
    };
    let findings = [
        finding("SCH001", "schedule", "error"),
        finding("LOO001", "loop", "warning"),
        finding("OPT201", "optimizer", "warning"),
        finding("REG101", "regularization", "warning"),
        finding("DAT003", "data", "info"),
    ];
    let verdict = serde_json::json!({ "status": "sick", "findings": findings });
    fs::write(run.findings_path(), verdict.to_string()).unwrap();
    let looks: String = (1..=3)
        .map(|update| {
            let tensor = serde_json::json!({ "name": "fc.weight", "norm": 1.0, "grad": 1.0, "update": 0.01 });
            format!("{}\n", serde_json::json!({ "update": update, "tensors": [tensor] }))
        })
        .collect();
    fs::write(run.monitor_path(), looks).unwrap();
    let page = report_html(&run, &[]).unwrap();
    for (code, shown) in [
        ("SCH001", &["Learning rate", "Loss"][..]),
        ("LOO001", &["Gradient norm", "Loss"]),
        ("OPT201", &["Share of a weight that an update moves", "Loss"]),
        ("REG101", &["Loss", "Accuracy"]),
        ("DAT003", &[]),
    ] {
        let from = page.find(&format!(">{code}</b>")).unwrap();
        let part = &page[from..from + page[from..].find("</details>").unwrap()];
        let captions: Vec<&str> = part
            .split("<figcaption>")
            .skip(1)
            .map(|rest| &rest[..rest.find("</figcaption>").unwrap()])
            .collect();
        assert_eq!(captions, shown, "{code}");
        assert_eq!(part.matches("<svg ").count(), shown.len(), "{code}");
    }
    // a name stands for one thing on a page, however often a curve is drawn
    let mut names: Vec<&str> =
        page.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for part in page.split("url(#").skip(1) {
        let name = &part[..part.find(')').unwrap()];
        assert!(names.binary_search(&name).is_ok(), "{name}");
    }
}

#[test]
fn runs_are_listed_with_their_best_numbers() {
    let folder = tempfile::tempdir().unwrap();
    replay(&folder.path().join("b-whole"), &Shape::default());
    replay(&folder.path().join("c-nan"), &Shape { nan_at: Some(30), ..Shape::default() });
    let torn = replay(&folder.path().join("d-torn"), &Shape::default());
    fs::write(torn.plan_path(), "{").unwrap();
    fs::create_dir(folder.path().join("a-not-a-run")).unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();

    let runs = runs_in(folder.path()).unwrap();
    let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["b-whole", "c-nan", "d-torn"], "what is no run is passed over");
    let whole = runs[0].summary.as_ref().unwrap();
    assert_eq!((whole.outcome, whole.epochs, whole.planned_epochs), (Some(Outcome::Finished), 5.0, 5));
    assert!(whole.best.unwrap().loss <= whole.last.unwrap().loss);
    assert!((whole.seconds - 43.2).abs() < 1e-9);
    assert_eq!(runs[1].summary.as_ref().unwrap().outcome, Some(Outcome::Diverged));
    assert!(
        matches!(runs[2].summary, Err(TrackError::TornPlan { .. })),
        "a torn run is named, the others are listed"
    );
    assert!(runs_in(&folder.path().join("nowhere")).is_err());
    let json = serde_json::to_value(whole).unwrap();
    assert_eq!(json["outcome"], "finished");
}

#[test]
fn comparing_names_the_settings_that_differ() {
    let folder = tempfile::tempdir().unwrap();
    let a = replay(&folder.path().join("a"), &Shape::default());
    let b = replay(&folder.path().join("b"), &Shape { lr: 0.1, epochs: 3, speed: 0.2, ..Shape::default() });
    let comparison = compare(&[a.clone(), b]).unwrap();
    let differences: Vec<_> =
        comparison.differences.iter().map(|d| (d.key.as_str(), d.values.clone())).collect();
    let values = |a: &str, b: &str| vec![Some(a.to_owned()), Some(b.to_owned())];
    assert_eq!(differences, [("optim.lr", values("0.01", "0.1")), ("train.epochs", values("5", "3"))]);
    assert!(comparison.runs[0].best.unwrap().accuracy > comparison.runs[1].best.unwrap().accuracy);
    assert_eq!(comparison.runs[0], summary(&a).unwrap());
    assert!(compare(&[a.clone(), a]).unwrap().differences.is_empty());
}

#[test]
fn the_best_evaluation_is_the_recipes_best() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = Shape::default().events(0);
    let mut evals = 0;
    for event in &mut events {
        if let Event::EvalEnd(eval) = event {
            evals += 1;
            // the loss is best at the second, the accuracy at the fourth; the third is not a number
            (eval.loss, eval.accuracy) =
                [(0.9, 0.5), (0.1, 0.6), (f64::NAN, f64::NAN), (0.5, 0.9), (0.1, 0.9)]
                    .map(|(loss, accuracy)| (loss, Some(accuracy)))[evals - 1];
        }
    }
    let run = replay_events(&folder.path().join("run"), &Shape::default(), &events);
    let metrics = run.metrics().unwrap();
    let when = |metric| metrics.best_eval("valid", metric).unwrap().at.epochs;
    assert_eq!(when(luthier_recipe::Metric::Loss), 2.0, "the first of equals");
    assert_eq!(when(luthier_recipe::Metric::Accuracy), 4.0);
    assert!(metrics.best_eval("test", luthier_recipe::Metric::Loss).is_none());
}
