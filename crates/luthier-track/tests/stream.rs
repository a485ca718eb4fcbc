//! metrics.jsonl, timing.jsonl and monitor.jsonl: what is in them, what a kill leaves, what a resume makes of that.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::fs;

use common::Shape;
use luthier_plan::{Clustered, Event, Granularity, Listener, Outcome, Position};
use luthier_track::{MetricsStream, RunDir, TensorBoard, TrackError, read_metrics};
use proptest::prelude::*;

const GROUPS: [&str; 2] = ["(all others)", "fc.*"];

fn run_dir() -> (tempfile::TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create_at(&folder.path().join("run")).unwrap();
    (folder, run)
}

fn hear_all(listener: &mut dyn Listener, events: &[Event]) {
    for event in events {
        listener.hear(event).map_err(|error| error.to_string()).unwrap();
    }
}

#[test]
fn what_was_said_can_be_read_back() {
    let (_folder, run) = run_dir();
    let shape = Shape::default();
    let mut stream = MetricsStream::create(&run).unwrap();
    hear_all(&mut stream, &shape.events(0));
    let metrics = run.metrics().unwrap();
    assert_eq!(metrics.steps.len(), 120);
    assert_eq!(metrics.epochs.len(), 5);
    assert_eq!(metrics.evals_of("valid").count(), 5);
    assert_eq!(metrics.skipped[0].why, "not a picture & not a \"GIF\"");
    assert_eq!(metrics.end.as_ref().unwrap().outcome, Outcome::Finished);
    assert_eq!(metrics.cut, None);
    for event in shape.events(0) {
        if let Event::StepEnd(step) = &event {
            let point = &metrics.steps[step.at.update as usize - 1];
            assert_eq!(point.loss.to_bits(), step.loss.to_bits(), "every bit survives");
            assert_eq!(point.lr, step.lr);
        }
        if let Event::EvalEnd(eval) = &event {
            let point = metrics.evals.iter().find(|point| point.at == eval.at).unwrap();
            assert_eq!(point.confusion.rows(), eval.confusion);
        }
    }
    let timing = run.timing().unwrap();
    assert_eq!((timing.samples, timing.processes), (120 * 16, 1));
    assert!((timing.train_seconds - 120.0 * 0.31).abs() < 1e-9);
    assert!((timing.samples_per_second().unwrap() - 16.0 / 0.31).abs() < 1e-6);
}

#[test]
fn metrics_hold_no_wall_times() {
    let (_folder, run) = run_dir();
    hear_all(&mut MetricsStream::create(&run).unwrap(), &Shape::default().events(0));
    let text = fs::read_to_string(run.metrics_path()).unwrap();
    assert!(!text.contains("seconds") && !text.contains("time"), "{}", &text[..500]);
    assert!(
        text.starts_with(r#"{"event":"step","update":1,"epoch":0,"samples":16,"epochs":0.0416"#),
        "{}",
        &text[..200]
    );
}

#[test]
fn numbers_that_json_has_no_word_for_survive() {
    let (_folder, run) = run_dir();
    let mut events = Shape { nan_at: Some(3), ..Shape::default() }.events(0);
    for event in &mut events {
        if let Event::StepEnd(step) = event {
            step.grad_norm = if step.at.update == 1 { f64::INFINITY } else { f64::NEG_INFINITY };
        }
    }
    hear_all(&mut MetricsStream::create(&run).unwrap(), &events);
    let text = fs::read_to_string(run.metrics_path()).unwrap();
    assert!(text.contains(r#""loss":"NaN""#) && text.contains(r#""grad_norm":"Infinity""#), "{text}");
    let metrics = run.metrics().unwrap();
    assert!(metrics.steps[2].loss.is_nan());
    assert_eq!(metrics.steps[0].grad_norm, f64::INFINITY);
    assert_eq!(metrics.steps[1].grad_norm, f64::NEG_INFINITY);
    assert_eq!(metrics.end.unwrap().outcome, Outcome::Diverged);
}

#[test]
fn a_skipped_update_of_fp16_says_so_and_others_say_nothing_of_it() {
    let (_folder, run) = run_dir();
    let mut events = Shape::default().events(0);
    for event in &mut events {
        if let Event::StepEnd(step) = event
            && step.at.update <= 2
        {
            step.loss_scale = Some(65536.0 / step.at.update as f64);
            step.skipped = step.at.update == 1;
        }
    }
    hear_all(&mut MetricsStream::create(&run).unwrap(), &events);
    let text = fs::read_to_string(run.metrics_path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains(r#""loss_scale":65536.0,"skipped":true"#), "{}", lines[0]);
    assert!(lines[1].contains(r#""loss_scale":32768.0"#) && !lines[1].contains("skipped"), "{}", lines[1]);
    assert!(!lines[2].contains("loss_scale"), "{}", lines[2]);
    let steps = run.metrics().unwrap().steps;
    assert_eq!((steps[0].skipped, steps[1].skipped, steps[2].loss_scale), (true, false, None));
}

#[test]
fn clusters_are_read_as_they_were_written() {
    let (_folder, run) = run_dir();
    let at = Position { update: 20, epoch: 2, samples: 640, epochs: 2.0 };
    let concentration = [0.1, 0.4];
    let one = Granularity { clusters: 16, spread: 0.3, largest: 9, repaired: 1, concentration };
    let clustered = Clustered { at, samples: 320, granularities: vec![one], seconds: 1.0 };
    hear_all(&mut MetricsStream::create(&run).unwrap(), &[Event::Clustered(clustered.clone())]);
    let read = run.metrics().unwrap().clustered;
    assert_eq!((read[0].at, read[0].samples), (at, 320));
    assert_eq!(read[0].granularities, clustered.granularities);
}

#[test]
fn a_cut_last_line_is_reported_and_the_rest_is_read() {
    let (_folder, run) = run_dir();
    hear_all(&mut MetricsStream::create(&run).unwrap(), &Shape::default().events(0));
    let bytes = fs::read(run.metrics_path()).unwrap();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let path = run.path().join("cut.jsonl");
    for (length, steps, cut, why) in [
        (first + 20, 1, Some((2, 20)), "in the second line"),
        (first, 1, None, "exactly between two lines"),
        (first - 1, 1, None, "only the line break is gone"),
        (first - 2, 0, Some((1, first - 2)), "one byte of the first line is gone"),
        (0, 0, None, "an empty file"),
    ] {
        fs::write(&path, &bytes[..length]).unwrap();
        let metrics = read_metrics(&path).unwrap();
        assert_eq!(metrics.steps.len(), steps, "{why}");
        assert_eq!(metrics.cut.map(|cut| (cut.line, cut.bytes)), cut, "{why}");
    }
}

#[test]
fn a_garbled_line_in_the_middle_is_named() {
    let (_folder, run) = run_dir();
    let good = r#"{"event":"epoch","update":1,"epoch":0,"samples":1,"epochs":1.0,"loss":1,"accuracy":"NaN"}"#;
    for (bad, why) in [
        ("not json", "no JSON at all"),
        (r#"{"event":"epoch","update":1}"#, "a record with members missing"),
        (
            r#"{"event":"epoch","update":-1,"epoch":0,"samples":1,"epochs":1.0,"loss":1,"accuracy":1}"#,
            "a negative count",
        ),
        (
            r#"{"event":"epoch","update":1,"epoch":0,"samples":1,"epochs":1.0,"loss":"big","accuracy":1}"#,
            "a word",
        ),
        (
            r#"{"event":"eval","update":1,"epoch":0,"samples":1,"epochs":1.0,"split":"v","loss":1,"accuracy":1,"count":1,"confusion":{"classes":4000000000,"cells":[]}}"#,
            "would take 128 exabytes",
        ),
        (
            r#"{"event":"eval","update":1,"epoch":0,"samples":1,"epochs":1.0,"split":"v","loss":1,"accuracy":1,"count":1,"confusion":{"classes":2,"cells":[[2,0,1]]}}"#,
            "a class outside the matrix",
        ),
    ] {
        fs::write(run.metrics_path(), format!("{good}\n{bad}\n{good}\n")).unwrap();
        match run.metrics() {
            Err(TrackError::BadLine { line: 2, .. }) => {}
            other => panic!("{why}: {other:?}"),
        }
    }
    let later = r#"{"event":"weather","sun":true}"#;
    fs::write(run.metrics_path(), format!("{good}\n\n{later}\n{good}\n")).unwrap();
    assert_eq!(
        run.metrics().unwrap().epochs.len(),
        2,
        "empty lines and records of a later version are passed over"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run_with_a_hint() {
    let (_folder, run) = run_dir();
    std::os::unix::fs::symlink("/dev/full", run.metrics_path()).unwrap();
    let mut stream = MetricsStream::create(&run).unwrap();
    let errors: Vec<_> =
        Shape::default().events(0).iter().filter_map(|event| stream.hear(event).err()).collect();
    let error = errors.first().expect("the disk is full");
    assert!(error.to_string().contains("metrics.jsonl`"), "{error}");
    assert!(error.help().unwrap().to_string().contains("the disk is full"));
    assert!(stream.state().is_err(), "no checkpoint claims that the bytes are on disk");
}

#[test]
fn a_file_that_lost_bytes_is_not_resumed() {
    let (_folder, run) = run_dir();
    let mut stream = MetricsStream::create(&run).unwrap();
    let mut board = TensorBoard::create(&run, &GROUPS).unwrap();
    for listener in [&mut stream as &mut dyn Listener, &mut board] {
        hear_all(listener, &Shape::default().events(0));
    }
    let (metrics, events) = (stream.state().unwrap(), board.state().unwrap());
    fs::write(run.metrics_path(), "").unwrap();
    let error = MetricsStream::resume(&run, &metrics).unwrap_err();
    assert!(error.to_string().contains("metrics.jsonl` has 0 bytes, but had"), "{error}");

    for (state, why) in [
        (serde_json::json!({ "file": "../plan.json", "length": 0 }), "would cut another file"),
        (
            serde_json::json!({ "file": "events.out.tfevents./../../plan.json", "length": 0 }),
            "the same, hidden",
        ),
        (serde_json::json!({ "length": 0 }), "no file"),
        (serde_json::json!("x"), "not an object"),
    ] {
        let error = TensorBoard::resume(&run, &GROUPS, &state).unwrap_err();
        assert!(matches!(error, TrackError::BadState { .. }), "{why}: {error}");
    }
    TensorBoard::resume(&run, &GROUPS, &events).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Killed anywhere, some updates after a checkpoint, with a line half written: the resumed run's file equals
    /// the uninterrupted one's, byte for byte.
    #[test]
    fn an_interrupted_run_has_the_same_file(saved in 0_u64..119, lost in 0_u64..40, torn in 0_usize..30, polite: bool) {
        let shape = Shape::default();
        let (_folder, whole) = run_dir();
        hear_all(&mut MetricsStream::create(&whole).unwrap(), &shape.events(0));

        let (_other, run) = run_dir();
        let mut stream = MetricsStream::create(&run).unwrap();
        let mut board = TensorBoard::create(&run, &GROUPS).unwrap();
        let mut states = None;
        let killed = saved + lost;
        for event in shape.events(0) {
            let update = match &event {
                Event::StepEnd(step) => step.at.update,
                Event::EvalEnd(eval) => eval.at.update,
                Event::EpochEnd { at, .. } | Event::SampleSkipped { at, .. } => at.update,
                _ => 0,
            };
            // a checkpoint is written when all is said about an update
            if update > saved && states.is_none() {
                states = Some((stream.state().unwrap(), board.state().unwrap()));
            }
            if update > killed {
                break;
            }
            stream.hear(&event).unwrap();
            board.hear(&event).unwrap();
        }
        if polite {
            let Some(Event::RunEnd(mut end)) = shape.events(0).pop() else { panic!("a run ends") };
            end.outcome = Outcome::Interrupted;
            stream.hear(&Event::RunEnd(end)).unwrap();
        }
        drop(stream);
        let mut bytes = fs::read(run.metrics_path()).unwrap();
        bytes.extend_from_slice(&br#"{"event":"step","update":99999"#[..torn]);
        fs::write(run.metrics_path(), bytes).unwrap();

        let (metrics, events) = states.unwrap();
        let mut stream = MetricsStream::resume(&run, &metrics).unwrap();
        let mut board = TensorBoard::resume(&run, &GROUPS, &events).unwrap();
        // what happens in the resumed process: the events after the checkpoint
        for event in shape.events(saved) {
            // what was said with the checkpoint's update (its epoch's end) was said before
            stream.hear(&event).unwrap();
            board.hear(&event).unwrap();
        }
        let same = fs::read(run.metrics_path()).unwrap() == fs::read(whole.metrics_path()).unwrap();
        prop_assert!(same, "{}", fs::read_to_string(run.metrics_path()).unwrap());
        prop_assert_eq!(run.timing().unwrap().processes, 2);
        prop_assert_eq!(fs::read_dir(run.tensorboard()).unwrap().count(), 1);
    }
}

#[test]
fn looks_and_spikes_are_written_down_and_a_resumed_file_is_an_uninterrupted_one() {
    use luthier_plan::{MonitorPoint, Spike, TensorPoint};
    let shape = Shape::default();
    let mut events = Vec::new();
    for event in shape.events(0) {
        let step = if let Event::StepEnd(step) = &event { Some(step.clone()) } else { None };
        events.push(event);
        if let Some(step) = step.filter(|step| step.at.update.is_multiple_of(10)) {
            let update = step.at.update as f64;
            let tensor = TensorPoint {
                name: "fc.weight".into(),
                norm: update,
                grad: 0.1,
                update: f64::INFINITY,
                trust: None,
            };
            let look = MonitorPoint { update: step.at.update, tensors: vec![tensor], outputs: Vec::new() };
            events.push(Event::Monitor(look));
            let samples = vec![("bees/7.jpg".to_owned(), 9.5)];
            events.push(Event::Spike(Spike { at: step.at, loss: 3.0, median: 0.5, again: 3.0, samples }));
        }
        if let Some(Event::RunEnd(end)) = events.last_mut() {
            (end.rule, end.why) = (Some("LOS101".into()), Some("the output of `fc` is not finite".into()));
        }
    }
    let whole = tempfile::tempdir().unwrap();
    let whole = common::replay_events(&whole.path().join("run"), &shape, &events);
    let (looks, cut) = whole.monitor().unwrap();
    assert_eq!((looks.len(), cut), (12, None));
    assert!(looks[0].tensors[0].update.is_infinite());
    let metrics = whole.metrics().unwrap();
    assert_eq!(metrics.spikes.len(), 12);
    assert!(metrics.spikes[0].repeatable && metrics.spikes[0].worst[0].0 == "bees/7.jpg");
    assert_eq!(metrics.end.unwrap().rule.as_deref(), Some("LOS101"));

    // a checkpoint in the middle, some events more, then killed in the middle of a line, then resumed
    let parted = tempfile::tempdir().unwrap();
    let parted = RunDir::create_at(&parted.path().join("run")).unwrap();
    let mut stream = MetricsStream::create(&parted).unwrap();
    let (first, rest) = events.split_at(events.len() / 2);
    for event in first {
        stream.hear(event).map_err(|error| error.to_string()).unwrap();
    }
    let state = stream.state().map_err(|error| error.to_string()).unwrap();
    for event in &rest[..20] {
        stream.hear(event).map_err(|error| error.to_string()).unwrap();
    }
    drop(stream);
    let mut torn = std::fs::read(parted.monitor_path()).unwrap();
    torn.extend(b"{\"update\":77,\"ten");
    std::fs::write(parted.monitor_path(), &torn).unwrap();
    assert!(parted.monitor().unwrap().1.is_some());
    let mut stream = MetricsStream::resume(&parted, &state).unwrap();
    for event in rest {
        stream.hear(event).map_err(|error| error.to_string()).unwrap();
    }
    drop(stream);
    for path in [RunDir::monitor_path, RunDir::metrics_path] {
        assert!(std::fs::read(path(&parted)).unwrap() == std::fs::read(path(&whole)).unwrap());
    }
}
