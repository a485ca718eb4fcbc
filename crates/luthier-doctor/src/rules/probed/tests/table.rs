//! The same symptom from eleven causes: every faulty row ends near guessing, and the numbers of the first update tell
//! which it is. Losses, norms, ratios and dead shares are measured (three seeds each); the rest is written down to go
//! with them.

use luthier_plan::GroupPlan;

use super::subject::{Subject, tensor};
use crate::{Category, RelationFacts, Severity, TargetFacts};

/// The first finding that is a cause, and that nothing else is called an error.
fn named(subject: &Subject, code: &str, category: Category) {
    let verdict = subject.judge();
    let said: Vec<_> = verdict.findings.iter().map(|f| (f.code.as_str(), f.severity, f.symptom)).collect();
    let first = verdict.findings.first().unwrap_or_else(|| panic!("{code} is not seen"));
    assert_eq!((first.code.as_str(), first.category), (code, category), "{said:?}");
    assert!(first.severity > Severity::Info && !first.symptom, "{said:?}");
    let others = verdict.findings.iter().skip(1).filter(|f| f.severity > Severity::Info && !f.symptom);
    assert_eq!(others.count(), 0, "one cause: {said:?}");
    assert!(!first.evidence.is_empty() && !first.explanation.is_empty() && !first.refute.is_empty());
}

#[test]
fn healthy() {
    assert_eq!(Subject::digits(&[]).judge().findings, []);
}

#[test]
fn rate_too_high() {
    let mut subject = Subject::digits(&["optim.lr=2.0"]);
    subject.steps([2.33, 7.0, 9.0, 5.0, 4.0], 2.0, 2.11, 0.35);
    subject.probes.steps[4].dead = 0.99;
    subject.own_leaves(1.0, 0.05);
    named(&subject, "OPT201", Category::Optimizer);
    let verdict = subject.judge();
    assert!(verdict.findings.iter().any(|finding| finding.code == "ACT203" && finding.symptom));
    let lr = verdict.findings[0].fix.as_ref().unwrap().patch["optim.lr"].as_f64().unwrap();
    assert!((0.01..0.3).contains(&lr), "0.1 is right: {lr}");
}

#[test]
fn loss_summed() {
    let mut subject = Subject::digits(&[]);
    subject.probes.reduction.as_mut().unwrap().grads = [17.0, 67.7];
    subject.probes.curvature = Some(256.0);
    subject.steps([2.33, 60.0, 30.0, 8.0, 4.0], 0.1, 67.7, 0.56);
    subject.probes.steps[4].dead = 0.9;
    subject.own_leaves(1.0, 0.05);
    named(&subject, "LOS202", Category::Loss);
}

#[test]
fn inputs_raw() {
    let mut subject = Subject::digits(&[]);
    let inputs = subject.inputs();
    (inputs.max, inputs.mean, inputs.std) = (255.0, vec![33.0; 784], vec![79.0; 784]);
    subject.probes.eval_inputs = subject.probes.inputs.clone();
    let start = subject.start();
    (start.loss, start.eval_loss, start.output_std) = (151.0, 151.0, 77.0);
    subject.probes.curvature = Some(5e5);
    subject.steps([151.0, 9000.0, 300.0, 2.5, 2.4], 0.1, 904.0, 7.5);
    subject.probes.steps[4].dead = 0.95;
    subject.own_leaves(1.0, 0.05);
    named(&subject, "DAT201", Category::Data);
}

#[test]
fn bias_far_below_zero() {
    let mut subject = Subject::digits(&[]);
    let start = subject.start();
    (start.loss, start.output_std) = (2.303, 0.0);
    start.outputs[1].dead = 1.0;
    start.outputs[1].std = 0.0;
    start.gradients = vec![
        tensor("0.weight", 11.3, 0.0),
        tensor("0.bias", 160.0, 0.0),
        tensor("2.weight", 4.5, 0.0),
        tensor("2.bias", 63.0, 0.235),
    ];
    subject.steps([2.303, 2.30, 2.30, 2.29, 2.30], 0.1, 0.235, 1e-4);
    subject.own_leaves(0.8, 0.85);
    named(&subject, "INI201", Category::Init);
    let evidence = subject.judge().findings[0].evidence.join(" ");
    assert!(evidence.contains("0.bias starts with numbers of size 20.0"), "{evidence}");
}

#[test]
fn weights_zero() {
    let mut subject = Subject::digits(&[]);
    let start = subject.start();
    (start.loss, start.output_std) = (2.303, 0.0);
    start.outputs[1].dead = 1.0;
    start.gradients =
        vec![tensor("0.weight", 0.0, 0.0), tensor("2.weight", 0.0, 0.0), tensor("2.bias", 0.0, 0.149)];
    start.twins = vec![("0".into(), 1.0), ("2".into(), 1.0)];
    subject.steps([2.303, 2.30, 2.30, 2.29, 2.30], 0.1, 0.149, 0.0);
    subject.own_leaves(0.8, 0.85);
    named(&subject, "INI202", Category::Init);
}

#[test]
fn weights_small_in_a_deep_network() {
    let mut subject = Subject::deep("relu", [0.05, 2e-3, 8e-5, 3e-6, 1e-7, 5e-9]);
    subject.start().output_std = 2e-10;
    subject.start().loss = 2.303;
    subject.steps([2.303, 2.303, 2.303, 2.303, 2.303], 0.1, 0.178, 0.010);
    subject.own_leaves(0.95, 0.95);
    named(&subject, "INI203", Category::Init);
}

#[test]
fn weights_large_in_a_deep_network() {
    let mut subject = Subject::deep("relu", [3.2, 6.0, 13.0, 27.0, 50.0, 110.0]);
    let start = subject.start();
    (start.loss, start.eval_loss, start.output_std) = (286.0, 286.0, 310.0);
    subject.probes.curvature = Some(1e6);
    subject.steps([286.0, f64::MAX, f64::MAX, f64::MAX, f64::MAX], 0.1, 735.0, 0.84);
    subject.own_leaves(2.0, 0.05);
    named(&subject, "INI204", Category::Init);
}

#[test]
fn sigmoids_in_a_deep_network() {
    let mut subject = Subject::deep("sigmoid", [0.12, 0.08, 0.08, 0.08, 0.08, 0.08]);
    let start = subject.start();
    (start.loss, start.output_std) = (2.46, 1e-5);
    start.gradients[0].grad = 5e-4;
    start.gradients[6] = tensor("12.weight", 1.8, 0.7);
    subject.steps([2.46, 2.35, 2.31, 2.30, 2.31], 0.1, 0.76, 0.005);
    subject.own_leaves(0.8, 0.85);
    named(&subject, "ACT201", Category::Activation);
}

#[test]
fn inputs_divided_twice() {
    let mut subject = Subject::digits(&[]);
    let inputs = subject.inputs();
    (inputs.max, inputs.mean, inputs.std) = (0.0039, vec![5e-4; 784], vec![1.2e-3; 784]);
    subject.probes.eval_inputs = subject.probes.inputs.clone();
    let start = subject.start();
    (start.loss, start.output_std) = (2.302, 8e-4);
    subject.steps([2.302, 2.301, 2.303, 2.30, 2.30], 0.1, 0.33, 0.003);
    subject.own_leaves(0.92, 0.3);
    named(&subject, "DAT202", Category::Data);
}

#[test]
fn rate_too_low() {
    let mut subject = Subject::digits(&["optim.lr=1e-4"]);
    subject.steps([2.33, 2.33, 2.34, 2.33, 2.33], 1e-4, 2.11, 1.7e-5);
    subject.own_leaves(0.99, 0.05);
    named(&subject, "OPT202", Category::Optimizer);
    let fix = subject.judge().findings[0].fix.clone().unwrap();
    assert!(fix.patch["optim.lr"].as_f64().unwrap() >= 0.01, "{fix:?}");
}

#[test]
fn labels_shuffled() {
    let mut subject = Subject::digits(&[]);
    let permuted = subject.probes.permuted.as_mut().unwrap();
    (permuted.truth, permuted.permuted) = (0.115, 0.10);
    subject.steps([2.38, 2.37, 2.36, 2.36, 2.35], 0.1, 1.39, 0.012);
    named(&subject, "LAB201", Category::Labels);
}

#[test]
fn rows_without_a_relation_to_their_labels() {
    let with = |chance: f64, samples: u64| {
        let mut subject = Subject::digits(&[]);
        subject.probes.relation = Some(RelationFacts { samples, correlation: 0.1, chance });
        subject
    };
    named(&with(0.4, 300), "LAB201", Category::Labels);
    for subject in [with(0.01, 300), with(0.03, 300), with(0.4, 60)] {
        assert_eq!(subject.codes(), [""; 0]);
    }
    // there is a relation, though a short fit does not find it
    let mut subject = with(0.01, 300);
    let permuted = subject.probes.permuted.as_mut().unwrap();
    (permuted.truth, permuted.permuted) = (0.115, 0.10);
    assert_eq!(subject.codes(), [""; 0]);
    // hardly a sample of the second class
    let mut subject = with(0.4, 300);
    subject.probes.targets = Some(TargetFacts { counts: vec![1480, 20], ranges: Vec::new() });
    assert_eq!(subject.codes(), [""; 0]);
}

#[test]
fn a_group_at_next_to_no_rate_is_cured_by_taking_it_out() {
    let stuck = |groups: &str, lr: f64| {
        let mut subject = Subject::digits(&[&format!("optim.groups=[{groups}]")]);
        subject.plan.groups =
            vec![GroupPlan { name: "2.*".into(), lr, weight_decay: 0.0, tensors: 4, scalars: 50890 }];
        subject.steps([2.33, 2.32, 2.31, 2.31, 2.3], 0.1, 2.11, 0.01);
        subject.probes.stuck = vec!["2.weight".into()];
        subject.judge().findings.into_iter().find(|finding| finding.code == "OPT205").unwrap().fix
    };
    let fix = stuck("{match=\"2.*\",lr=1e-9},{match=\"0.*\",lr_scale=0.5}", 1e-9).unwrap();
    assert_eq!(fix.patch["optim.groups"], serde_json::json!([{ "match": "0.*", "lr_scale": 0.5 }]));
    // a rate that is low and no more is not why it is stuck
    assert!(stuck("{match=\"2.*\",lr_scale=0.01}", 1e-3).is_none());
}

#[test]
fn activations_of_a_stack_are_known_by_the_recipe() {
    // points of plain layers carry no kind: what they are stands in the recipe
    let mut subject = Subject::digits(&["model.init={ bias = -20.0 }"]);
    subject.start().outputs[1].kind = "block".into();
    let start = subject.start();
    start.outputs[1].dead = 1.0;
    start.gradients = vec![tensor("0.weight", 4.6, 0.0), tensor("2.weight", 1.8, 0.0)];
    subject.steps([2.303; 5], 0.1, 0.235, 1e-4);
    named(&subject, "INI201", Category::Init);
    // and a layer that is no ReLU may well be below zero for all samples
    subject.start().outputs[1].dead = 0.0;
    subject.start().outputs[0].dead = 1.0;
    assert!(!subject.codes().contains(&"INI201".to_owned()));
}

#[test]
fn a_second_fault_behind_a_harmless_one_is_named() {
    // raw inputs behind a normalisation, and a sum under Adam, do nothing: the rate is what is wrong
    let mut subject = Subject::digits(&["optim.lr=2.0"]);
    let inputs = subject.inputs();
    (inputs.max, inputs.mean, inputs.std) = (255.0, vec![33.0; 784], vec![79.0; 784]);
    subject.probes.eval_inputs = subject.probes.inputs.clone();
    subject.steps([2.33, 7.0, 9.0, 5.0, 4.0], 2.0, 2.11, 0.35);
    assert!(subject.codes().contains(&"OPT201".to_owned()));
    let mut subject = Subject::digits(&["optim.type=Adam", "optim.lr=0.5"]);
    subject.probes.reduction.as_mut().unwrap().grads = [17.0, 68.0];
    subject.steps([2.33, 70.0, 90.0, 50.0, 40.0], 0.5, 67.7, 9.0);
    named(&subject, "OPT201", Category::Optimizer);
}
