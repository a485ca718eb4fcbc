//! The events of a run that never was.

use luthier_plan::{EvalEnd, Event, Outcome, Plan, Position, RunEnd, StepEnd};

/// What a session that runs `plan` could say: the loss falls, epoch 4 is worse than epoch 3, one picture is broken.
pub fn events(plan: &Plan) -> Vec<Event> {
    let length = plan.length;
    let mut events = vec![Event::RunBegin { at: at(plan, 0) }];
    let mut best = 0.0;
    let mut best_update = 0;
    for epoch in 0..length.epochs {
        let begin = epoch * length.updates_per_epoch;
        events.push(Event::EpochBegin {
            at: Position { epoch, ..at(plan, begin) },
            updates: length.updates_per_epoch,
        });
        for update in begin + 1..=begin + length.updates_per_epoch {
            let here = Position { epoch, ..at(plan, update) };
            let factor = plan.lr_factors.get(update as usize - 1).copied().unwrap_or(1.0);
            if update == 4 {
                let path = "hotdog/late.jpg".to_owned();
                let why = "it ends in the middle of a row".to_owned();
                events.push(Event::SampleSkipped { at: here, path, why });
            }
            events.push(Event::StepEnd(StepEnd {
                at: here,
                loss: 0.7 * (-(update as f64) / 20.0).exp() + 0.03 * (update as f64 * 1.7).sin(),
                correct: 16 + update.min(14),
                count: length.effective_batch,
                lr: plan.groups.iter().map(|group| group.lr * factor).collect(),
                grad_norm: 1.3,
                clipped: true,
                loss_scale: None,
                skipped: false,
                seconds: 2.4,
                data_seconds: 0.1,
                stream: String::new(),
                tasks: Vec::new(),
                gradient_cosine: Vec::new(),
            }));
        }
        let here = Position { epoch, ..at(plan, begin + length.updates_per_epoch) };
        let quality = epoch as f64 - if epoch == 3 { 2.0 } else { 0.0 };
        let accuracy = 0.78 + 0.04 * quality;
        events.push(Event::EpochEnd {
            at: here,
            loss: 0.6 - 0.1 * epoch as f64,
            accuracy: Some(0.7 + 0.05 * epoch as f64),
            seconds: 16.8,
            stream: String::new(),
            tasks: Vec::new(),
        });
        events.push(Event::EvalBegin { at: here, split: "valid".to_owned(), batches: 4 });
        events.push(Event::EvalEnd(EvalEnd {
            estimate: false,
            at: here,
            split: "valid".to_owned(),
            loss: 0.5 - 0.05 * quality,
            accuracy: Some(accuracy),
            r2: None,
            mae: None,
            count: 50,
            confusion: vec![vec![15, 5], vec![5, 25]],
            seconds: 4.0,
            stream: String::new(),
            tasks: Vec::new(),
        }));
        events.push(Event::CheckpointSaved {
            at: here,
            path: format!("checkpoints/{:06}", here.update),
            best: accuracy > best,
            seconds: 0.2,
        });
        if accuracy > best {
            best = accuracy;
            best_update = here.update;
        }
    }
    events.push(Event::RunEnd(RunEnd {
        at: Position { epoch: length.epochs, ..at(plan, length.updates) },
        outcome: Outcome::Finished,
        best_update: Some(best_update),
        best_metric: Some(best),
        rule: None,
        why: None,
        seconds: 105.0,
    }));
    events
}

fn at(plan: &Plan, update: u64) -> Position {
    Position {
        update,
        epoch: update / plan.length.updates_per_epoch,
        samples: update * plan.length.effective_batch,
        epochs: update as f64 / plan.length.updates_per_epoch as f64,
    }
}
