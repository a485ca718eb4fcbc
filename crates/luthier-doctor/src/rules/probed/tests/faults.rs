//! Faults beyond the table, one change each from a healthy run.

use super::subject::{DIGITS, Subject, classes, tensor};
use crate::*;

/// The change makes this the first finding; without it nothing is said.
fn seen(code: &str, change: impl FnOnce(&mut Subject)) -> Finding {
    let mut subject = Subject::digits(&[]);
    assert_eq!(subject.codes(), [""; 0]);
    change(&mut subject);
    first(code, &subject)
}

fn first(code: &str, subject: &Subject) -> Finding {
    let findings = subject.judge().findings;
    let said: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(said.first(), Some(&code), "{said:?}");
    findings[0].clone()
}

fn regression(sets: &[&str]) -> Subject {
    let text = DIGITS.replace("\"classification\"", "\"regression\"").replace("\"classes\"", "\"targets\"");
    let text = text.replace("[optim]", "[loss]\ntype = \"mse\"\n[optim]");
    let mut subject = Subject::new(&text, sets, &[("0.weight", &[64, 784]), ("2.weight", &[1, 64])]);
    subject.probes = ProbeFacts { permuted: None, ..classes(2) };
    subject.probes.targets = Some(TargetFacts { counts: Vec::new(), ranges: vec![[-2.0, 2.0, 0.0, 1.0]] });
    let start = subject.start();
    (start.expected, start.loss, start.eval_loss, start.output_std) = (Some(1.0), 1.2, 1.2, 0.4);
    start.gradients = vec![tensor("0.weight", 4.6, 1.0), tensor("2.weight", 0.6, 2.0)];
    subject.steps([1.2, 1.0, 0.9, 0.8, 0.7], 0.1, 2.2, 0.02);
    // before an output is chosen that targets do not suit
    let output = std::mem::take(&mut subject.plan.recipe.model.output);
    assert_eq!(subject.codes(), [""; 0]);
    subject.plan.recipe.model.output = output;
    subject
}

#[test]
fn data() {
    let bad = seen("DAT203", |s| s.inputs().bad = vec!["digits.csv:31".into(), "digits.csv:40".into()]);
    assert_eq!(bad.place, "digits.csv:31");
    assert!(bad.evidence[0].contains("digits.csv:40"));
    seen("DAT204", |s| s.inputs().std[3] = 1e-4);
    seen("DAT205", |s| {
        let inputs = s.inputs();
        (inputs.min, inputs.mean, inputs.std) = (1.0, vec![1.0; 784], vec![0.0; 784]);
        s.probes.eval_inputs = None;
    });
    seen("DAT206", |s| s.probes.rows = Some(0.2));
    seen("DAT208", |s| {
        let eval = s.probes.eval_inputs.as_mut().unwrap();
        (eval.mean, eval.std) = (vec![33.0; 784], vec![79.0; 784]);
    });
    seen("DAT209", |s| {
        s.probes.overfit = Some(super::subject::fit(100, 0.45, true));
        s.probes.zeroed = Some(ZeroedFacts { real: 1.03, zeroed: 1.03 });
    });
}

#[test]
fn a_constant_column_or_a_rounded_row_is_no_fault() {
    let mut subject = Subject::digits(&[]);
    // border pixels that are black in every picture, sums in another order, and a small validation split
    subject.inputs().std[..100].fill(0.0);
    subject.inputs().mean[..100].fill(0.0);
    subject.probes.rows = Some(2e-6);
    subject.probes.repeat.as_mut().unwrap().losses = [2.31, 2.310_001];
    let eval = subject.probes.eval_inputs.as_mut().unwrap();
    (eval.mean[5], eval.std[9], eval.std[7]) = (0.6, 0.01, 1.2);
    assert_eq!(subject.codes(), [""; 0]);
}

#[test]
fn labels_of_one_class() {
    seen("LAB202", |s| {
        s.probes.targets.as_mut().unwrap().counts = vec![1500, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        s.probes.permuted = None;
    });
}

#[test]
fn targets_that_the_output_cannot_reach() {
    let mut subject = regression(&["model.output=relu"]);
    // a negative half that a ReLU can't give
    assert_eq!(first("OUT201", &subject).fix.unwrap().patch["model.output"], "none");
    subject.probes.targets.as_mut().unwrap().ranges = vec![[0.0, 4.0, 1.0, 1.0]];
    assert_eq!(subject.codes(), [""; 0]);
    subject = regression(&["model.output=sigmoid"]);
    subject.probes.targets.as_mut().unwrap().ranges = vec![[0.0, 100.0, 36.0, 32.0]];
    first("OUT201", &subject);
}

#[test]
fn softmax_over_one_output_and_inputs_unscaled_are_both_named() {
    let mut subject = regression(&["model.output=softmax"]);
    subject.probes.targets.as_mut().unwrap().ranges = vec![[0.0, 1.0, 0.4, 0.3]];
    let start = subject.start();
    (start.output_range, start.row_sum_error, start.output_std) = ([1.0, 1.0], 0.0, 0.0);
    start.gradients.iter_mut().for_each(|point| point.grad = 0.0);
    subject.steps([0.5; 5], 0.1, 0.0, 0.0);
    assert_eq!(subject.codes(), ["OUT203"]);
    let inputs = subject.inputs();
    (inputs.max, inputs.mean, inputs.std) = (9000.0, vec![2000.0; 784], vec![1500.0; 784]);
    subject.probes.eval_inputs = None;
    subject.probes.curvature = Some(1e5);
    assert_eq!(subject.codes(), ["OUT203", "DAT201"]);
}

#[test]
fn a_target_of_millions() {
    let mut subject = regression(&[]);
    subject.probes.targets.as_mut().unwrap().ranges = vec![[1e7, 9e8, 2e8, 1e8]];
    let start = subject.start();
    (start.expected, start.loss, start.eval_loss) = (Some(1e16), 5e16, 5e16);
    subject.steps([5e16, f64::MAX, f64::MAX, f64::MAX, f64::MAX], 0.1, 1e9, 1e6);
    assert_eq!(subject.codes(), ["DAT210"]);
}

#[test]
fn losses() {
    let twice = |s: &mut Subject| {
        let start = s.start();
        (start.output_range, start.row_sum_error, start.output_std) = ([0.05, 0.2], 1e-7, 0.02);
    };
    seen("LOS201", twice);
    // probabilities are what this loss asks for
    let mut subject =
        Subject::digits(&["loss.type=cross_entropy", "loss.input=probabilities", "model.output=softmax"]);
    twice(&mut subject);
    assert_eq!(subject.codes(), [""; 0]);
    seen("LOS203", |s| s.probes.sign = Some(SignFacts { before: 2.3, after: 2.3023, expected: -0.0023 }));
    // curvature or noise may lift the loss as well, but not by what theory has
    let mut subject = Subject::digits(&[]);
    subject.probes.sign = Some(SignFacts { before: 2.3, after: 2.3002, expected: -0.0023 });
    assert_eq!(subject.codes(), [""; 0]);
    seen("LOS204", |s| {
        s.start().gradients.iter_mut().for_each(|point| point.grad = 0.0);
        s.steps([2.33; 5], 0.1, 0.0, 0.0);
    });
    seen("LOS205", |s| {
        let start = s.start();
        (start.loss, start.eval_loss) = (0.02, 0.02);
    });
}

#[test]
fn optimizers() {
    let mut subject = Subject::digits(&["train.clip_grad_norm=0.01"]);
    subject.steps([2.33, 2.33, 2.32, 2.33, 2.32], 0.1, 2.11, 8e-5);
    subject.probes.steps.iter_mut().for_each(|step| step.clipped = true);
    subject.own_leaves(0.97, 0.05);
    first("OPT203", &subject);
    // Adam divides by what clipping took away
    subject.plan.recipe.optim = Subject::digits(&["optim.type=Adam", "optim.lr=1e-3"]).plan.recipe.optim;
    subject.steps([2.33, 2.2, 2.1, 2.0, 1.9], 1e-3, 2.11, 0.05);
    subject.probes.steps.iter_mut().for_each(|step| {
        step.clipped = true;
        step.tensors.clear();
    });
    subject.probes.overfit_own = None;
    assert_eq!(subject.codes(), [""; 0]);

    let mut subject = Subject::digits(&["optim.type=Adam", "optim.lr=1e-3", "optim.eps=1.0"]);
    subject.steps([2.33, 2.33, 2.32, 2.33, 2.32], 1e-3, 2.11, 1.7e-4);
    // ‖Δw‖ is lr · ‖g‖: a hundredth of lr · √n
    subject.own_leaves(0.98, 0.05);
    assert_eq!(first("OPT204", &subject).fix.unwrap().patch["optim.eps"], 1e-8);

    let stuck = seen("OPT205", |s| s.probes.stuck = vec!["2.weight".into(), "never.used".into()]);
    assert_eq!(stuck.place, "2.weight");
    let other = seen("OPT206", |s| {
        s.plan.recipe.optim = Subject::digits(&["optim.momentum=0.9"]).plan.recipe.optim;
        s.probes.curvature = None;
        s.own_leaves(1.2, 0.05);
        s.steps([2.33, 2.4, 2.3, 2.4, 2.4], 0.1, 2.0, 0.02);
    });
    // Adam has no momentum to be given
    let patch = other.fix.unwrap().patch;
    assert_eq!(
        (&patch["optim.type"], patch.get("optim.momentum")),
        (&"Adam".into(), Some(&serde_json::Value::Null))
    );
}

#[test]
fn a_linear_model_beyond_its_curvature() {
    // x uniform in ±8: the curvature is 2 · mean(x²) = 43, and 0.1 is twice what it bears
    let mut subject = regression(&["model.layers=[{ linear = \"targets\" }]"]);
    let inputs =
        InputFacts { count: 8, min: -7.6, max: 7.7, mean: vec![0.2], std: vec![4.6], bad: Vec::new() };
    (subject.probes.inputs, subject.probes.eval_inputs) = (Some(inputs), None);
    subject.probes.curvature = Some(43.0);
    subject.start().gradients = vec![tensor("0.weight", 0.5, 60.0)];
    subject.steps([11.0, 40.0, 150.0, 600.0, 2000.0], 0.1, 60.0, 12.0);
    let finding = first("OPT201", &subject);
    let lr = finding.fix.unwrap().patch["optim.lr"].as_f64().unwrap();
    assert!(lr < 2.0 / 43.0 && lr > 0.005, "{lr}");
    // at a rate that it bears nothing is said
    subject.plan.recipe.optim.lr = 0.01;
    subject.steps([11.0, 7.0, 4.0, 3.0, 2.0], 0.01, 60.0, 1.2);
    subject.probes.overfit = Some(super::subject::fit(30, 0.01, true));
    assert_eq!(subject.codes(), [""; 0]);
}

#[test]
fn a_network_that_learns_at_a_large_rate_is_not_sick() {
    // Adam 0.1 on easy data: most units die, and it reaches 100 %
    let mut subject = Subject::digits(&["optim.type=Adam", "optim.lr=0.1"]);
    subject.steps([2.33, 2.5, 2.0, 1.6, 1.2], 0.1, 2.0, 0.45);
    subject.probes.steps.iter_mut().for_each(|step| step.tensors.clear());
    assert_eq!(subject.codes(), [""; 0]);
    // it is worth a note
    assert_eq!(subject.judge().findings[0].code, "OPT201");
}

#[test]
fn frozen_parts_and_evaluation() {
    seen("FIN201", |s| s.probes.drifted = vec!["layer1.conv.weight".into()]);
    seen("NRM201", |s| s.probes.drifted_buffers = vec!["layer1.bn.running_mean".into()]);
    seen("EVA201", |s| s.probes.repeat.as_mut().unwrap().losses = [2.30, 2.41]);
    let heavy = seen("REG201", |s| s.probes.repeat.as_mut().unwrap().training = [2.30, 4.1]);
    assert_eq!(heavy.severity, Severity::Info);
    seen("ATT202", |s| s.probes.padding = Some(0.4));
    seen("ATT203", |s| s.probes.positions = Some(0.0));
    // an encoder sees both ways
    let mut subject = Subject::digits(&[]);
    subject.probes.future = Some(0.7);
    assert_eq!(subject.codes(), [""; 0]);
    subject.plan.recipe.model.arch = luthier_recipe::Arch::Gpt2;
    first("ATT201", &subject);
}

#[test]
fn a_fix_is_only_offered_where_the_recipe_has_the_key() {
    let mut subject = Subject::digits(&[]);
    subject.start().twins[0].1 = 1.0;
    assert!(first("INI202", &subject).fix.is_some());
    subject.plan.recipe.model.arch = luthier_recipe::Arch::Resnet18;
    assert!(first("INI202", &subject).fix.is_none(), "only a stack of layers is told how to start");
}

#[test]
fn augmentation_that_changes_nothing() {
    use luthier_recipe::{Transform, Transforms};
    let mut subject = Subject::digits(&[]);
    subject.probes.views = Some(0.0);
    assert_eq!(subject.codes(), [""; 0], "there is none in the recipe");
    let chain = |transform| Some(Transforms { train: vec![transform], eval: Vec::new() });
    // eight samples may flip alike twice
    subject.plan.recipe.data.transform = chain(Transform::RandomHorizontalFlip { p: 0.5 });
    assert_eq!(subject.codes(), [""; 0]);
    let jitter = Transform::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.0, hue: 0.0, p: 1.0 };
    subject.plan.recipe.data.transform = chain(jitter);
    first("DAT207", &subject);
}

#[test]
fn activations_at_the_start() {
    let mut subject = Subject::deep("tanh", [0.9; 6]);
    assert_eq!(subject.codes(), [""; 0]);
    subject.start().outputs[2].saturated = 0.8;
    first("ACT202", &subject);
    let mut subject = Subject::digits(&["model.output=relu"]);
    assert_eq!(subject.codes(), [""; 0]);
    let start = subject.start();
    (start.output_range, start.output_std) = ([0.0, 0.0], 0.0);
    first("OUT202", &subject);
}

#[test]
fn all_of_them_look_at_probes() {
    for rule in super::super::PROBED {
        assert_eq!(rule.phase, Phase::Probe, "{}", rule.code);
    }
}
