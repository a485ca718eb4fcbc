//! Plots: what is drawn, that it is drawn right, and that nothing breaks the pen.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::fs;

use common::{Shape, replay, replay_events};
use luthier_plan::{EvalEnd, Event, StepEnd, TaskScore};
use luthier_track::{RunDir, compare_plot, plot_run, plots};

fn svg(run: &RunDir, name: &str) -> String {
    let found = plots(run).unwrap().into_iter().find(|(plot, _)| plot == name);
    found.unwrap_or_else(|| panic!("no plot `{name}`")).1
}

fn names(run: &RunDir) -> Vec<String> {
    plots(run).unwrap().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn each_plot_is_three_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay(&folder.path().join("run"), &Shape::default());
    let written = plot_run(&run).unwrap();
    assert_eq!(written.len(), 15);
    for name in ["loss", "accuracy", "learning-rate", "gradient-norm", "confusion"] {
        let read = |ending: &str| fs::read(run.plots().join(format!("{name}.{ending}"))).unwrap();
        assert!(read("svg").starts_with(b"<svg xmlns="));
        assert!(read("png").starts_with(b"\x89PNG"));
        assert!(read("pdf").starts_with(b"%PDF-"));
    }
    // the same run, the same bytes: pictures in a repository do not change for nothing
    let before = fs::read(run.plots().join("loss.png")).unwrap();
    plot_run(&run).unwrap();
    assert!(before == fs::read(run.plots().join("loss.png")).unwrap());
}

#[test]
fn accuracy_is_drawn_as_document_5_draws_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay(&folder.path().join("run"), &Shape::default());
    insta::assert_snapshot!(svg(&run, "accuracy").replace("><", ">\n<"));
}

#[test]
fn epochs_and_samples_are_one_ruler() {
    let folder = tempfile::tempdir().unwrap();
    // 24 updates of 16 samples: 384 samples an epoch, so 1,500 samples are 3.90625 epochs of 5
    let run = replay(&folder.path().join("run"), &Shape::default());
    let text = svg(&run, "loss");
    let x_of = |label: &str| {
        let end = text.find(&format!(">{label}</text>")).unwrap_or_else(|| panic!("no {label}"));
        let start = text[..end].rfind("<text x=\"").unwrap() + 9;
        text[start..].split('"').next().unwrap().parse::<f64>().unwrap()
    };
    let (first, last) = (x_of("1"), x_of("4"));
    let want = first + (last - first) * (1500.0 / 384.0 - 1.0) / 3.0;
    assert!((x_of("1,500") - want).abs() < 0.1, "{} is not {want}", x_of("1,500"));
}

#[test]
fn validation_is_told_from_training_without_colour() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay(&folder.path().join("run"), &Shape::default());
    for name in ["loss", "accuracy"] {
        let text = svg(&run, name);
        let curve = |color: &str| {
            let start =
                text.find(&format!("stroke=\"{color}\" stroke-width=\"2\" stroke-opacity=\"1\"")).unwrap();
            text[start..].split('>').next().unwrap().to_owned()
        };
        assert!(!curve("#0072b2").contains("dasharray"), "training is solid");
        assert!(curve("#d55e00").contains("stroke-dasharray=\"9 3.5 2 3.5\""), "validation is dash-dotted");
    }
}

#[test]
fn odd_runs_have_the_plots_they_have_numbers_for() {
    let folder = tempfile::tempdir().unwrap();
    let steps = ["loss", "learning-rate", "gradient-norm"];
    let all = ["loss", "accuracy", "learning-rate", "gradient-norm", "confusion"];
    let cases: [(&str, Shape, &[&str]); 6] = [
        ("no-valid", Shape { valid: false, ..Shape::default() }, &all[..4]),
        ("one-step", Shape { epochs: 1, updates_per_epoch: 1, ..Shape::default() }, &all),
        ("nan-late", Shape { nan_at: Some(70), ..Shape::default() }, &all),
        ("nan-early", Shape { nan_at: Some(2), ..Shape::default() }, &steps),
        // a loss that never was a number has no curve; the learning rate has
        ("nan-first", Shape { nan_at: Some(1), ..Shape::default() }, &["learning-rate"]),
        ("long", Shape { updates_per_epoch: 20_000, ..Shape::default() }, &all),
    ];
    for (case, shape, want) in cases {
        let run = replay(&folder.path().join(case), &shape);
        assert_eq!(names(&run), want, "{case}");
        for (name, svg) in plots(&run).unwrap() {
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{case}: {name}");
            assert!(svg.len() < 150_000, "{case}: {name} has {} bytes", svg.len());
        }
        if case != "long" {
            assert_eq!(plot_run(&run).unwrap().len(), 3 * want.len(), "{case}");
        }
    }
    let run = replay_events(&folder.path().join("nothing"), &Shape::default(), &[]);
    assert_eq!(names(&run), Vec::<String>::new());
}

#[test]
fn class_names_cannot_break_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let classes =
        ["<script>x</script>", "a & \"b\"", "]]>", "蚂蚁", "", "a class name that goes on and on and on"];
    let shape = Shape { classes: classes.map(str::to_owned).to_vec(), ..Shape::default() };
    let run = replay(&folder.path().join("run"), &shape);
    let text = svg(&run, "confusion");
    assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
    assert!(text.contains("a class name that…"), "{text}");
    plot_run(&run).unwrap();
}

#[test]
fn a_matrix_of_many_classes_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let classes = (0..1000).map(|class| format!("class {class}")).collect();
    let run = replay(&folder.path().join("run"), &Shape { classes, epochs: 1, ..Shape::default() });
    let text = svg(&run, "confusion");
    assert!(text.len() < 1_500_000, "{}", text.len());
    assert!(fs::metadata(run.metrics_path()).unwrap().len() < 100_000, "empty cells are not written down");
}

#[test]
fn several_runs_in_one_picture() {
    let folder = tempfile::tempdir().unwrap();
    let pretrained = replay(&folder.path().join("a"), &Shape::default());
    let scratch = replay(&folder.path().join("b"), &Shape { speed: 0.12, seed: 5, ..Shape::default() });
    let runs = [
        ("pretrained".to_owned(), pretrained.metrics().unwrap()),
        ("from scratch".to_owned(), scratch.metrics().unwrap()),
    ];
    let out = folder.path().join("v1.2-compare");
    let written = compare_plot(&runs, &out).unwrap();
    assert_eq!(written.len(), 3);
    let text = fs::read_to_string(folder.path().join("v1.2-compare.svg")).unwrap();
    for label in ["pretrained, training", "pretrained, validation", "from scratch, validation"] {
        assert_eq!(text.matches(&format!(">{label}<")).count(), 1, "{label}: one legend for both panels");
    }
    assert_eq!(
        compare_plot(&[("x".to_owned(), Default::default())], &out).unwrap().len(),
        0,
        "nothing to draw"
    );
    if let Some(keep) = std::env::var_os("LUTHIER_KEEP_PLOTS") {
        fs::copy(folder.path().join("v1.2-compare.png"), keep).unwrap();
    }
}

#[test]
fn plots_that_cannot_be_written_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay(&folder.path().join("run"), &Shape::default());
    fs::remove_dir(run.plots()).unwrap();
    fs::write(run.plots(), "a file").unwrap();
    let error = plot_run(&run).unwrap_err().to_string();
    assert!(error.contains("plots`"), "{error}");
}

#[test]
fn a_gap_in_the_metrics_is_a_line_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let events: Vec<Event> = Shape::default().events(0);
    let gappy: Vec<Event> = events
        .into_iter()
        .filter(|event| !matches!(event, Event::StepEnd(step) if (40..80).contains(&step.at.update)))
        .collect();
    let run = replay_events(&folder.path().join("run"), &Shape::default(), &gappy);
    assert_eq!(run.metrics().unwrap().steps.len(), 80);
    plot_run(&run).unwrap();
}

/// The events of a run with two heads, and the same again as a second stream.
fn several() -> Vec<Event> {
    let score = |loss: f64| {
        let one = |head: &str, by: f64| TaskScore {
            head: head.into(),
            loss: loss * by,
            accuracy: 0.5 * by,
            weight: None,
            confusion: Vec::new(),
            top5: None,
            positives: None,
            active: None,
            barren: 0,
        };
        vec![one("shape", 1.0), one("hue", 0.7)]
    };
    let mut events = Vec::new();
    for event in Shape::default().events(0) {
        for stream in ["", "replay"] {
            let (stream, one) = (stream.to_owned(), event.clone());
            match one {
                Event::StepEnd(step) => {
                    events.push(Event::StepEnd(StepEnd { stream, tasks: score(step.loss), ..step }));
                }
                Event::EvalEnd(eval) => {
                    events.push(Event::EvalEnd(EvalEnd { stream, tasks: score(eval.loss), ..eval }));
                }
                other if stream.is_empty() => events.push(other),
                _ => {}
            }
        }
    }
    events
}

#[test]
fn heads_and_streams_have_curves_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let run = replay_events(&folder.path().join("several"), &Shape::default(), &several());
    let heads = svg(&run, "heads");
    for name in ["shape", "hue", "shape, replay", "hue, replay"] {
        assert!(heads.contains(&format!(">{name}<")), "{name} has no entry in the legend");
    }
    assert!(svg(&run, "streams").contains(">replay<"));
    // what one stream did is not mixed into the other's curve
    let metrics = run.metrics().unwrap();
    let shape = Shape::default();
    assert_eq!(
        (metrics.steps.len() as u64, metrics.streams[0].steps.len() as u64),
        (shape.updates(), shape.updates())
    );
    let plain = replay_events(&folder.path().join("plain"), &shape, &shape.events(0));
    assert_eq!(svg(&run, "loss"), svg(&plain, "loss"));
    assert!(!names(&plain).iter().any(|name| name == "heads" || name == "streams"));
}
