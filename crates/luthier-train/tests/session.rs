//! Runs, through the public face: what an update is, what an epoch adds up to, and how runs end.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::{Run, alone, resume, runner, timeless, train};
use luthier_plan::{Event, Outcome, StepEnd};
use luthier_train::TrainError;

fn steps(run: &Run) -> Vec<StepEnd> {
    let step = |event: &Event| match event {
        Event::StepEnd(step) => Some(step.clone()),
        _ => None,
    };
    run.heard.iter().filter_map(step).collect()
}

/// Weights, their average and what the optimizer remembers, byte for byte.
fn everything(run: &Run) -> Vec<Vec<u8>> {
    let files = ["model.safetensors", "ema.safetensors", "optimizer.safetensors"];
    files.iter().map(|file| std::fs::read(run.last().path.join(file)).unwrap()).collect()
}

/// BatchNorm sees batches, so that only frozen ones make the sum over batches the same as one large batch.
const FROZEN_NORMS: &str = "model.freeze=[\"*bn*\", \"*downsample.1.*\"]";

#[test]
fn accumulated_batches_are_one_large_batch_the_tail_included() {
    // 17 training samples: updates of 8, 8 and 1, whichever way
    let common = [FROZEN_NORMS, "train.epochs=1", "optim.lr=0.05"];
    let large = train(&[&common[..], &["train.batch_size=8"]].concat(), None);
    let small = train(&[&common[..], &["train.batch_size=2", "train.grad_accum=4"]].concat(), None);
    let counts: Vec<u64> = steps(&small).iter().map(|step| step.count).collect();
    assert_eq!(counts.iter().sum::<u64>(), 17);
    assert_eq!(counts, steps(&large).iter().map(|step| step.count).collect::<Vec<_>>());
    for (a, b) in steps(&large).iter().zip(steps(&small)) {
        assert!(
            (a.loss - b.loss).abs() < 1e-4 * a.loss,
            "update {}: loss {} and {}",
            a.at.update,
            a.loss,
            b.loss
        );
        assert!(
            (a.grad_norm - b.grad_norm).abs() < 1e-3 * a.grad_norm,
            "{} and {}",
            a.grad_norm,
            b.grad_norm
        );
    }
}

#[test]
fn the_epochs_loss_is_the_mean_over_its_samples() {
    let run = train(&["train.epochs=1"], None);
    let steps = steps(&run);
    let sum: f64 = steps.iter().map(|step| step.loss * step.count as f64).sum();
    let count: u64 = steps.iter().map(|step| step.count).sum();
    let told = run.heard.iter().find_map(|event| match event {
        Event::EpochEnd { loss, accuracy, .. } => Some((*loss, *accuracy)),
        _ => None,
    });
    let (loss, accuracy) = told.unwrap();
    assert!((loss - sum / count as f64).abs() < 1e-9);
    let correct: u64 = steps.iter().map(|step| step.correct).sum();
    assert!((accuracy.unwrap() - correct as f64 / count as f64).abs() < 1e-12);
}

#[test]
fn a_run_stopped_after_any_update_and_resumed_says_and_ends_the_same() {
    let sets = [
        "train.ema={ decay = 0.9 }",
        "train.clip_grad_norm=1.0",
        "eval.every={ steps = 3 }",
        "model.arch=efficientnet-lite0", // dropout and drop-connect: randomness inside the model
    ];
    let whole = train(&sets, None);
    let told: Vec<Event> = whole.heard.iter().filter_map(timeless).collect();
    // 5 updates an epoch: in the middle of one, at its end, after an evaluation
    for stop in [2, 3, 5, 9] {
        let part = train(&sets, Some(stop));
        assert_eq!(part.end.as_ref().unwrap().outcome, Outcome::Interrupted);
        let mut again: Vec<Event> = part.heard.iter().filter_map(timeless).collect();
        let rest = resume(&sets, part, None);
        again.extend(rest.heard.iter().filter_map(timeless));
        assert_eq!(again, told, "stopped after {stop}");
        assert!(everything(&whole) == everything(&rest), "stopped after {stop}");
        assert_eq!(rest.end.unwrap().outcome, Outcome::Finished);
    }
}

#[test]
fn the_average_of_the_weights_follows_by_its_decay() {
    let every = "train.checkpoint={ every = { steps = 1 }, keep = 10 }";
    let run = train(&["train.ema={ decay = 0.9 }", "train.epochs=1", every], None);
    let mut folders = luthier_train::checkpoint::list(&run.checkpoints());
    folders.reverse();
    assert_eq!(folders.len(), 5);
    let read = |at: usize, file: &str, name: &str| {
        let weights = luthier_weights::read(&folders[at].join(file)).unwrap();
        luthier_model::tensor_of(name, &weights.tensors[name]).unwrap()
    };
    for name in ["fc.weight", "conv1.weight", "bn1.bias"] {
        for now in 1..folders.len() {
            let (before, average) =
                (read(now - 1, "ema.safetensors", name), read(now, "ema.safetensors", name));
            let weights = read(now, "model.safetensors", name);
            let expected = before * 0.9 + &weights * 0.1;
            let off = (&average - expected).abs().max().double_value(&[]);
            assert!(off < 1e-6, "`{name}` is off by {off} after update {}", now + 1);
            assert!((average - weights).abs().max().double_value(&[]) > 1e-7, "`{name}` was not averaged");
        }
    }
}

#[test]
fn the_logged_rate_is_the_one_of_the_plan() {
    let sets = ["schedule.type=StepLR", "schedule.step_size=1", "schedule.gamma=0.5", "schedule.unit=epoch"];
    let groups = "optim.groups=[{ match = \"fc.*\", lr_scale = 10 }]";
    let run = train(&[&sets[..], &[groups]].concat(), None);
    for step in steps(&run) {
        let factor = if step.at.update <= 5 { 1.0 } else { 0.5 };
        assert!((step.lr[0] - 0.01 * factor).abs() < 1e-12 && (step.lr[1] - 0.1 * factor).abs() < 1e-12);
    }
}

#[test]
fn a_run_that_diverges_names_what_is_not_finite_and_makes_no_update_of_it() {
    let run = train(&["optim.lr=1e30", "train.epochs=1"], None);
    match &run.end {
        Err(TrainError::Diverged { what, help, update, .. }) => {
            assert!(what.contains("not finite") || what.contains("overflows"), "{what}");
            assert!(*update >= 2 && help.contains("optim.lr"), "{update} {help}");
        }
        other => panic!("{:?}", other.as_ref().map(|end| end.outcome)),
    }
    assert!(matches!(run.heard.last(), Some(Event::RunEnd(end)) if end.outcome == Outcome::Diverged));
}

#[test]
fn frozen_norms_keep_their_statistics_and_frozen_weights_their_values() {
    let sets = ["model.freeze=[\"layer1.*\", \"bn1.*\", \"conv1.*\"]", "train.epochs=1"];
    let start: Vec<(String, tch::Tensor)> = {
        let _alone = alone();
        runner(&sets).model.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect()
    };
    let run = train(&sets, None);
    let last = run.last();
    for (name, tensor) in start {
        let after = luthier_model::tensor_of(&name, &last.raw().tensors[&name]).unwrap();
        let same = after.equal(&tensor.contiguous());
        let frozen = name.starts_with("layer1.") || name.starts_with("bn1.") || name.starts_with("conv1.");
        assert_eq!(same, frozen, "`{name}`");
    }
}

#[test]
fn early_stopping_ends_the_run_and_keeps_the_best() {
    // with a rate of next to nothing, no evaluation beats the first by 1
    let sets = ["train.early_stopping={ patience = 1, min_delta = 1.0 }", "train.epochs=9", "optim.lr=1e-9"];
    let run = train(&sets, None);
    let end = run.end.as_ref().unwrap();
    assert_eq!((end.outcome, end.at.epoch), (Outcome::Stopped, 3));
    let folders = luthier_train::checkpoint::list(&run.checkpoints());
    let best = luthier_train::checkpoint::folder_name(end.best_update.unwrap());
    assert!(folders.iter().any(|path| path.ends_with(&best)), "{folders:?} without {best}");
}

#[test]
fn old_checkpoints_go_and_the_best_and_the_newest_stay() {
    let run = train(&["train.epochs=5", "train.checkpoint={ every = { epochs = 1 }, keep = 2 }"], None);
    let folders = luthier_train::checkpoint::list(&run.checkpoints());
    assert!(folders.len() == 2 || folders.len() == 3, "{folders:?}");
    assert!(folders[0].ends_with("step-00000025") && folders[1].ends_with("step-00000020"), "{folders:?}");
}

#[test]
fn a_torn_checkpoint_is_passed_over() {
    let run = train(&[], None);
    let newest = luthier_train::checkpoint::list(&run.checkpoints())[0].join("model.safetensors");
    let bytes = std::fs::read(&newest).unwrap();
    for (damage, torn) in [
        ("cut short", bytes[..bytes.len() / 2].to_vec()),
        ("one bit", {
            let mut flipped = bytes.clone();
            let middle = flipped.len() / 2;
            flipped[middle] ^= 1;
            flipped
        }),
    ] {
        std::fs::write(&newest, torn).unwrap();
        let (checkpoint, passed) = luthier_train::checkpoint::newest(&run.checkpoints()).unwrap();
        assert_eq!(checkpoint.state.update, 5, "{damage}");
        assert_eq!(passed.len(), 1, "{damage}");
    }
}

#[test]
fn a_small_network_of_the_recipes_own_layers_sees_pictures() {
    let layers = "model.layers=[{ conv = 4, stride = 2 }, { batch_norm = true }, { act = \"relu\" }, { max_pool = 4 }, \
                  { flatten = true }, { linear = \"classes\" }]";
    let sets = ["model.arch=sequential", layers, "train.epochs=1", "optim.momentum=0.5"];
    let run = train(&sets, None);
    assert!(steps(&run).iter().all(|step| step.loss.is_finite()));
    let end = run.heard.iter().rev().find_map(|event| match event {
        Event::EvalEnd(eval) => Some(eval.clone()),
        _ => None,
    });
    let end = end.unwrap();
    assert!(end.accuracy.is_some() && end.confusion.len() == 8, "{end:?}");
}

fn looks(run: &Run) -> Vec<luthier_plan::MonitorPoint> {
    let look = |event: &Event| match event {
        Event::Monitor(look) => Some(look.clone()),
        _ => None,
    };
    run.heard.iter().filter_map(look).collect()
}

#[test]
fn looks_measure_what_an_update_did_and_change_nothing() {
    let plain = ["optim.momentum=0.0", "train.clip_grad_norm=0.5"];
    let run = train(&plain, None);
    let blind = train(&[&plain[..], &["train.monitor={ enabled = false }"]].concat(), None);
    assert!(
        looks(&blind).is_empty() && everything_but_the_average(&run) == everything_but_the_average(&blind)
    );
    let looks = looks(&run);
    assert_eq!(looks.iter().map(|look| look.update).collect::<Vec<_>>(), [1, 2, 5, 10]);
    let trained: Vec<String> = {
        let _alone = alone();
        runner(&plain).model.trainable().map(|entry| entry.name.clone()).collect()
    };
    for look in looks {
        assert_eq!(
            look.tensors.iter().map(|tensor| &tensor.name).collect::<Vec<_>>(),
            trained.iter().collect::<Vec<_>>()
        );
        let step = steps(&run)[look.update as usize - 1].clone();
        let square: f64 = look.tensors.iter().map(|tensor| tensor.grad.powi(2)).sum();
        // a norm over eleven million numbers at once is summed in fp32
        assert!(
            (square.sqrt() - step.grad_norm).abs() < 1e-2 * step.grad_norm,
            "before clipping: {} {}",
            square.sqrt(),
            step.grad_norm
        );
        // plain SGD: Δw is the rate times the clipped gradient, up to the last digit of the weights
        let factor = 0.01 * (0.5 / step.grad_norm).min(1.0);
        let moved: f64 = look.tensors.iter().map(|tensor| tensor.update.powi(2)).sum::<f64>().sqrt();
        assert!((moved - factor * step.grad_norm).abs() < 1e-2 * moved, "{moved}");
        let head = look.tensors.iter().find(|tensor| tensor.name == "fc.weight").unwrap();
        assert!((head.update - factor * head.grad).abs() < 1e-2 * head.update && head.norm > 0.0);
    }
}

fn everything_but_the_average(run: &Run) -> Vec<Vec<u8>> {
    let files = ["model.safetensors", "optimizer.safetensors"];
    files.iter().filter_map(|file| std::fs::read(run.last().path.join(file)).ok()).collect()
}

#[test]
fn a_run_that_goes_off_is_stopped_and_keeps_the_checkpoint_from_before() {
    // a million times the rate from the third epoch on, for the head alone: losses in the thousands, all finite
    let sets = [
        "model.train=[\"fc.*\"]",
        "optim.lr=1e-3",
        "optim.momentum=0.0",
        "schedule={ type = \"MultiStepLR\", milestones = [2], gamma = 1e6, unit = \"epoch\" }",
        "train.epochs=12",
        "train.checkpoint={ every = { epochs = 1 }, keep = 1 }",
    ];
    let run = train(&sets, None);
    let Err(TrainError::Diverged { rule, what, help, update }) = &run.end else {
        panic!("{:?}", run.end.as_ref().map(|end| end.outcome))
    };
    assert!(*rule == luthier_plan::watch::GONE_OFF && (26..60).contains(update), "{rule} {update}");
    assert!(help.contains("gradient norm of the last") && help.contains(rule), "{help}");
    // the second epoch's, although only the newest is to be kept
    assert!(help.contains("`checkpoints/step-00000010` is from before"), "{help}");
    assert!(run.checkpoints().join("step-00000010").is_dir());
    let Some(Event::RunEnd(end)) = run.heard.last() else { panic!("a run ends with its end") };
    assert_eq!((end.rule.as_deref(), end.why.as_ref()), (Some(*rule), Some(what)));
    let on = train(&[&sets[..], &["train.on_divergence=go-on"]].concat(), None);
    assert_eq!(on.end.unwrap().outcome, Outcome::Finished);
}

#[test]
fn a_weight_that_overflows_is_named_with_its_part() {
    let run = train(&["optim.lr=1e30", "train.epochs=1"], None);
    let Err(TrainError::Diverged { rule, what, help, .. }) = &run.end else { panic!("it diverges") };
    assert_eq!(*rule, luthier_plan::watch::NOT_FINITE);
    assert!(what.contains('`') && help.contains("no checkpoint was written before"), "{what}; {help}");
}

#[test]
fn every_checkpoint_is_told_of_once_and_in_order() {
    let run = train(&["train.checkpoint.every={ steps = 3 }", "train.checkpoint.keep=99"], None);
    let told: Vec<String> = run
        .heard
        .iter()
        .filter_map(|event| match event {
            Event::CheckpointSaved { at, path, .. } => {
                assert_eq!(
                    *path,
                    format!("checkpoints/{}", luthier_train::checkpoint::folder_name(at.update))
                );
                Some(path.clone())
            }
            _ => None,
        })
        .collect();
    let mut there: Vec<String> = std::fs::read_dir(run.checkpoints())
        .unwrap()
        .map(|entry| format!("checkpoints/{}", entry.unwrap().file_name().to_string_lossy()))
        .collect();
    there.sort();
    assert_eq!(told, there);
    assert!(matches!(run.heard.last(), Some(Event::RunEnd(_))));
}
