//! Healthy runs that look sick: nothing is a warning or an error.

use super::subject::{DIGITS, Subject, classes, fit, points, tensor};
use crate::*;

fn silent(subject: &Subject) {
    let codes = subject.codes();
    assert!(
        codes.is_empty(),
        "{codes:?}: {:#?}",
        subject.judge().findings.iter().map(|f| &f.evidence).collect::<Vec<_>>()
    );
}

#[test]
fn nothing_known_nothing_said() {
    let probes = ProbeFacts::default();
    assert_eq!(judge("recipe", &Facts { probes: Some(&probes), ..Default::default() }).findings, []);
    assert_eq!(judge("recipe", &Facts::default()).findings, []);
}

#[test]
fn adam() {
    let mut subject = Subject::digits(&["optim.type=Adam", "optim.lr=1e-3"]);
    subject.steps([2.33, 2.2, 2.1, 2.0, 1.9], 1e-3, 2.11, 0.049);
    for (step, share) in subject.probes.steps.iter_mut().zip([1.0, 0.8, 0.7, 0.7, 0.6]) {
        for (point, scalars) in step.tensors.iter_mut().zip([50176.0_f64, 64.0, 640.0, 10.0]) {
            point.update = share * 1e-3 * scalars.sqrt();
        }
    }
    subject.probes.curvature = Some(4000.0);
    silent(&subject);
}

#[test]
fn batches_of_one() {
    let mut subject = Subject::digits(&["train.batch_size=1"]);
    // losses of single samples lie far apart, and a single one moves the weights further than a mean
    subject.steps([1.1, 5.2, 0.4, 4.4, 3.0], 0.1, 6.0, 0.15);
    // of one sample, half of the units give 0
    subject.start().outputs[1].dead = 0.5;
    subject.probes.steps[4].dead = 0.65;
    subject.start().loss = 1.1;
    silent(&subject);
}

#[test]
fn warm_up_from_zero() {
    let mut subject = Subject::digits(&["optim.type=AdamW", "optim.lr=1e-3"]);
    subject.steps([2.33, 2.33, 2.32, 2.32, 2.31], 0.0, 2.11, 0.0);
    for (at, step) in subject.probes.steps.iter_mut().enumerate() {
        step.lr = vec![1e-6 * at as f64];
        step.ratio = 5e-5 * at as f64;
        step.tensors.iter_mut().for_each(|point| point.update = 1e-6 * at as f64);
    }
    silent(&subject);
    // and where all the rates that were seen are zero, nothing moved and nothing is stuck
    subject.probes.steps.truncate(1);
    silent(&subject);
}

#[test]
fn pretrained_with_a_loss_well_below_theory() {
    let mut subject = Subject::digits(&["optim.lr=1e-3", "train.batch_size=16"]);
    subject.pretrained();
    let start = subject.start();
    (start.loss, start.eval_loss, start.output_std) = (0.5, 0.4, 6.0);
    // embeddings and first layers of large norms and small gradients
    start.gradients = vec![
        tensor("wte.weight", 870.0, 0.9),
        tensor("h.0.attn.weight", 90.0, 0.4),
        tensor("h.1.attn.weight", 110.0, 0.4),
        tensor("score.weight", 0.8, 21.0),
    ];
    subject.steps([0.5, 0.9, 0.4, 0.6, 0.5], 1e-3, 5.0, 3e-5);
    silent(&subject);
}

#[test]
fn regression_of_a_standardised_target() {
    let text = DIGITS.replace("\"classification\"", "\"regression\"").replace("\"classes\"", "\"targets\"");
    let text = text.replace("[optim]", "[loss]\ntype = \"mse\"\n[optim]");
    // one feature: all its units lie on a line, and as directions many are the same
    let mut subject =
        Subject::new(&text, &[], &[("0.weight", &[50, 1]), ("2.weight", &[30, 50]), ("4.weight", &[1, 30])]);
    subject.probes = classes(2);
    subject.probes.targets = Some(TargetFacts { counts: Vec::new(), ranges: vec![[-1.1, 2.7, 0.0, 1.0]] });
    let inputs =
        InputFacts { count: 50, min: -1.7, max: 1.7, mean: vec![0.0], std: vec![1.0], bad: Vec::new() };
    subject.probes.inputs = Some(inputs.clone());
    subject.probes.eval_inputs = Some(InputFacts { count: 12, mean: vec![0.9], ..inputs });
    let start = subject.start();
    (start.expected, start.loss, start.eval_loss, start.output_std) = (Some(1.0), 1.6, 1.6, 0.8);
    start.gradients =
        vec![tensor("0.weight", 10.0, 1.0), tensor("2.weight", 7.7, 2.0), tensor("4.weight", 1.4, 3.0)];
    start.twins = vec![("0".into(), 1.0), ("2".into(), 0.8)];
    start.row_sum_error = 2.0;
    subject.steps([1.6, 1.3, 0.9, 0.8, 0.7], 0.1, 3.8, 0.03);
    silent(&subject);
}

#[test]
fn batch_normalised() {
    let mut subject = Subject::digits(&[]);
    let start = subject.start();
    // evaluation uses the statistics of the beginning
    (start.loss, start.eval_loss, start.output_std) = (2.5, 2.31, 0.7);
    start.gradients.insert(1, tensor("1.weight", 8.0, 0.1));
    subject.steps([2.5, 2.2, 1.9, 1.6, 1.4], 0.1, 2.4, 0.04);
    subject.probes.curvature = Some(35.0);
    silent(&subject);
    // large raw inputs behind a normalisation: nothing shows
    let inputs = subject.inputs();
    (inputs.max, inputs.mean, inputs.std) = (255.0, vec![33.0; 784], vec![79.0; 784]);
    subject.probes.eval_inputs = subject.probes.inputs.clone();
    subject.probes.curvature = Some(8.0);
    silent(&subject);
    assert_eq!(subject.judge().findings[0].severity, Severity::Info, "it is noted");
}

#[test]
fn low_rank_on_a_frozen_network() {
    let mut subject = Subject::digits(&["optim.type=AdamW", "optim.lr=1e-3"]);
    subject.pretrained();
    let start = subject.start();
    start.gradients = vec![
        tensor("h.0.q.lora_A", 4.0, 0.0),
        tensor("h.0.q.lora_B", 0.0, 0.3),
        tensor("h.1.q.lora_A", 4.0, 0.0),
        tensor("h.1.q.lora_B", 0.0, 0.4),
        tensor("head.weight", 0.5, 3.0),
    ];
    start.twins = vec![("h.0.q.lora_B".into(), 1.0), ("h.1.q.lora_B".into(), 1.0), ("head".into(), 0.3)];
    subject.steps([2.33, 2.3, 2.2, 2.2, 2.1], 1e-3, 3.0, 0.02);
    // one update: A has not moved, for B was zero
    subject.probes.steps.truncate(1);
    subject.probes.stuck = vec!["h.0.q.lora_A".into(), "h.1.q.lora_A".into()];
    silent(&subject);
}

#[test]
fn a_deep_residual_network() {
    let mut subject = Subject::deep("relu", [0.6, 0.9, 1.4, 2.0, 2.7, 3.5]);
    // the last convolution of each block may start at zero: blocks go round it
    let start = subject.start();
    (start.loss, start.output_std) = (3.4, 1.5);
    start.gradients[1] = tensor("2.weight", 0.0, 0.4);
    start.twins[1].1 = 1.0;
    start.outputs[1].dead = 1.0;
    silent(&subject);
}

#[test]
fn six_layers_as_pytorch_starts_them() {
    let mut subject = Subject::deep("relu", [0.2, 0.09, 0.06, 0.05, 0.05, 0.05]);
    subject.start().output_std = 2e-3;
    subject.start().gradients[0].grad = 0.02;
    subject.own_leaves(0.85, 0.3);
    silent(&subject);
}

#[test]
fn a_tiny_table() {
    // 2-4-1 on four rows, Adam 0.05: a large first update, and a hundred updates that are too few for Adam at 1e-3
    let mut subject = Subject::digits(&["optim.type=Adam", "optim.lr=0.05", "train.batch_size=4"]);
    subject.probes = ProbeFacts { permuted: None, ..classes(2) };
    subject.probes.targets = Some(TargetFacts { counts: vec![2, 2], ranges: Vec::new() });
    let inputs =
        InputFacts { count: 8, min: 0.0, max: 1.0, mean: vec![0.5; 2], std: vec![0.5; 2], bad: Vec::new() };
    subject.probes.inputs = Some(inputs);
    subject.probes.eval_inputs = None;
    let start = subject.start();
    start.outputs = points(&[("1", "tanh", 0.4, 0.0), ("2", "output", 0.3, 0.0)]);
    start.gradients = vec![tensor("0.weight", 1.2, 0.1), tensor("2.weight", 0.9, 0.3)];
    start.twins = vec![("0".into(), 0.93), ("2".into(), -1.0)];
    subject.steps([0.72, 0.70, 0.70, 0.69, 0.69], 0.05, 0.3, 0.12);
    subject.own_leaves(0.6, 0.97);
    silent(&subject);
}

#[test]
fn sgd_that_is_slow_and_steady() {
    // iris: a hundred updates leave half of one batch's loss, Adam at 1e-3 does better
    let mut subject = Subject::digits(&["optim.lr=0.01"]);
    subject.steps([1.2, 1.19, 1.2, 1.18, 1.17], 0.01, 1.0, 2e-3);
    subject.own_leaves(0.5, 0.05);
    silent(&subject);
}

#[test]
fn masked_by_an_optimizer_or_by_easy_data() {
    // a sum under Adam, and under SGD at a rate that was chosen for it
    let mut subject = Subject::digits(&["optim.type=Adam", "optim.lr=1e-3"]);
    subject.probes.reduction.as_mut().unwrap().grads = [17.0, 68.0];
    subject.steps([2.33, 2.2, 2.1, 2.0, 1.9], 1e-3, 67.7, 0.05);
    subject.probes.steps.iter_mut().for_each(|step| step.tensors.clear());
    silent(&subject);
    let mut subject = Subject::digits(&["optim.lr=0.003"]);
    subject.probes.reduction.as_mut().unwrap().grads = [17.0, 68.0];
    subject.probes.curvature = Some(256.0);
    subject.steps([2.33, 2.2, 2.1, 2.0, 1.9], 0.003, 67.7, 0.017);
    silent(&subject);
    // sigmoids under Adam; dropout of 0.9
    let mut subject = Subject::deep("sigmoid", [0.1; 6]);
    let adam = Subject::digits(&["optim.type=Adam", "optim.lr=1e-3"]).plan.recipe.optim;
    subject.plan.recipe.optim = adam;
    subject.start().gradients[0].grad = 1e-4;
    subject.probes.repeat = Some(RepeatFacts { losses: [2.3; 2], training: [2.3, 4.0] });
    silent(&subject);
}

#[test]
fn hard_tasks_are_not_called_wrong_labels() {
    let unrelated = |subject: &mut Subject| {
        let permuted = subject.probes.permuted.as_mut().unwrap();
        (permuted.truth, permuted.permuted) = (permuted.chance, permuted.chance);
    };
    // one batch takes longer than the short fit had
    let mut subject = Subject::digits(&[]);
    unrelated(&mut subject);
    subject.probes.overfit = Some(fit(90, 0.05, true));
    silent(&subject);
    // or is not learned at all
    subject.own_leaves(0.6, 0.6);
    silent(&subject);
    // nine of ten samples are of one class
    let mut subject = Subject::digits(&[]);
    unrelated(&mut subject);
    subject.probes.targets = Some(TargetFacts { counts: vec![1350, 150], ranges: Vec::new() });
    subject.probes.permuted = Some(PermutedFacts { truth: 0.9, permuted: 0.9, noise: 0.02, chance: 0.9 });
    silent(&subject);
    // a hundred classes, five samples each
    let mut subject = Subject::digits(&[]);
    unrelated(&mut subject);
    subject.probes.targets = Some(TargetFacts { counts: vec![5; 100], ranges: Vec::new() });
    silent(&subject);
}
