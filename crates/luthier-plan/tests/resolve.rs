//! Plans from recipes: groups, lengths, weights and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_plan::groups::has_trust_ratio;
use luthier_plan::{
    DataPlan, Machine, ModelPlan, Plan, PlanError, ResolvedPrecision, Role, SplitPlan, TensorPlan, resolve,
};
use luthier_recipe::Recipe;
use proptest::prelude::*;

const BASE: &str = r#"
name = "t"
task = "image-classification"
[data]
train = "x"
[data.transform]
train = []
eval = []
[model]
arch = "resnet18"
weights = "none"
"#;

const PARTS: [&str; 4] = ["conv1", "bn1", "frozen", "fc"];

fn recipe(optim: &str, train: &str, rest: &str) -> Recipe {
    toml::from_str(&format!("{BASE}\n[optim]\n{optim}\n[train]\n{train}\n{rest}")).unwrap()
}

fn split(name: &str, labels: &[u32]) -> SplitPlan {
    let samples = labels.iter().enumerate().map(|(i, label)| (format!("{i}.png"), *label)).collect();
    SplitPlan { name: name.into(), root: "x".into(), hash: None, samples, skipped: vec![] }
}

fn tensor(name: &str, shape: &[i64], role: Role, trainable: bool) -> TensorPlan {
    TensorPlan {
        name: name.into(),
        shape: shape.to_vec(),
        dtype: "float32".into(),
        role,
        part: PARTS.iter().position(|part| name.starts_with(part)).unwrap(),
        trainable,
        group: None,
    }
}

fn model() -> ModelPlan {
    ModelPlan {
        arch: "resnet18".into(),
        weights: "none".into(),
        load: None,
        config: None,
        heads: Vec::new(),
        lora: None,
        parts: PARTS.map(Into::into).to_vec(),
        tensors: vec![
            tensor("conv1.weight", &[8, 3, 3, 3], Role::Weight, true),
            tensor("bn1.weight", &[8], Role::Norm, true),
            tensor("bn1.bias", &[8], Role::Norm, true),
            tensor("bn1.running_mean", &[8], Role::Buffer, false),
            tensor("frozen.weight", &[8, 8], Role::Weight, false),
            tensor("fc.weight", &[2, 8], Role::Weight, true),
            tensor("fc.bias", &[2], Role::Bias, true),
        ],
    }
}

fn plan(recipe: &Recipe, labels: &[u32]) -> Result<Plan, PlanError> {
    let splits = vec![split("train", labels), split("valid", &[0, 1])];
    let data = DataPlan::new(vec!["a".into(), "b".into()], splits);
    let machine = Machine {
        device: "cpu".into(),
        precision: ResolvedPrecision::Fp32,
        memory_format: "contiguous".into(),
        ranks: 1,
    };
    resolve(recipe, ".", data, None, model(), machine)
}

#[test]
fn the_head_gets_ten_times_the_rate_and_norms_and_biases_are_not_decayed() {
    let optim = "type = \"SGD\"\nlr = 0.01\nweight_decay = 0.001\nno_decay = [\"bias\", \"norm\"]\ngroups = [{ match = \"fc.*\", lr_scale = 10 }]";
    let plan = plan(&recipe(optim, "epochs = 1\nbatch_size = 2", ""), &[0, 1, 0, 1]).unwrap();
    let rows: Vec<_> =
        plan.groups.iter().map(|g| (g.name.as_str(), g.lr, g.weight_decay, g.tensors, g.scalars)).collect();
    assert_eq!(
        rows,
        [
            ("(all others)", 0.01, 0.001, 1, 216),
            ("(all others) · no decay", 0.01, 0.0, 2, 16),
            ("fc.*", 0.1, 0.001, 1, 16),
            ("fc.* · no decay", 0.1, 0.0, 1, 2),
        ]
    );
    let group_of: Vec<_> = plan.model.tensors.iter().map(|t| t.group).collect();
    assert_eq!(group_of, [Some(0), Some(1), Some(1), None, None, Some(2), Some(3)]);
}

#[test]
fn what_a_trust_ratio_spares_is_not_decayed_either_unless_nothing_is_spared() {
    let optim = "type = \"LAMB\"\nlr = 0.01\nweight_decay = 0.1";
    for (more, decays) in
        [("", vec![0.1, 0.0]), ("exclude = []", vec![0.1]), ("exclude = [\"norm\"]", vec![0.1, 0.0])]
    {
        let plan =
            plan(&recipe(&format!("{optim}\n{more}"), "epochs = 1\nbatch_size = 2", ""), &[0, 1, 0, 1]);
        let found: Vec<f64> = plan.unwrap().groups.iter().map(|group| group.weight_decay).collect();
        assert_eq!(found, decays, "{more}");
    }
    let lamb: luthier_recipe::Optim = toml::from_str(optim).unwrap();
    let adam: luthier_recipe::Optim = toml::from_str("type = \"Adam\"\nlr = 0.01").unwrap();
    assert!(has_trust_ratio(&lamb.rule, Role::Weight) && !has_trust_ratio(&lamb.rule, Role::Bias));
    assert!(!has_trust_ratio(&adam.rule, Role::Weight));
}

#[test]
fn what_cannot_be_planned_is_refused_at_its_key() {
    let sgd = "type = \"SGD\"\nlr = 0.01";
    let rows = [
        // (why, optim, train, rest, key, part of the message)
        (
            "a pattern that moves nothing",
            "type = \"SGD\"\nlr = 0.01\ngroups = [{ match = \"head.*\", lr_scale = 10 }]",
            "epochs = 1\nbatch_size = 2",
            "",
            "optim.groups[0].match",
            "matches no parameter",
        ),
        (
            "a pattern that matches frozen weights only",
            "type = \"SGD\"\nlr = 0.01\ngroups = [{ match = \"frozen.*\", lr = 1.0 }]",
            "epochs = 1\nbatch_size = 2",
            "",
            "optim.groups[0].match",
            "frozen",
        ),
        (
            "a pattern that is none",
            "type = \"SGD\"\nlr = 0.01\ngroups = [{ match = \"fc.[\", lr = 1.0 }]",
            "epochs = 1\nbatch_size = 2",
            "",
            "optim.groups[0]",
            "not a pattern",
        ),
        (
            "no full batch",
            sgd,
            "epochs = 1\nbatch_size = 8\ndrop_last = true",
            "",
            "train.batch_size",
            "no batch",
        ),
        (
            "weights for another number of classes",
            sgd,
            "epochs = 1\nbatch_size = 2",
            "[loss]\ntype = \"cross_entropy\"\nclass_weights = [1.0]",
            "loss.class_weights",
            "1 class weights for 2 classes",
        ),
        (
            "a warm-up longer than the run",
            sgd,
            "epochs = 1\nbatch_size = 2",
            "[schedule]\ntype = \"constant\"\nunit = \"step\"\nwarmup = { steps = 2 }",
            "schedule.warmup.steps",
            "the run has 2",
        ),
    ];
    for (why, optim, train, rest, key, message) in rows {
        let error = plan(&recipe(optim, train, rest), &[0, 1, 0, 1]).expect_err(why);
        assert_eq!(error.key, key, "{why}");
        assert!(error.what.contains(message), "{why}: {}", error.what);
    }
}

#[test]
fn nothing_left_to_train_is_refused() {
    let recipe = recipe("type = \"SGD\"\nlr = 0.01", "epochs = 1\nbatch_size = 2", "");
    let mut model = model();
    model.tensors.iter_mut().for_each(|t| t.trainable = false);
    let data = DataPlan::new(vec!["a".into(), "b".into()], vec![split("train", &[0, 1])]);
    let machine = Machine {
        device: "cpu".into(),
        precision: ResolvedPrecision::Fp32,
        memory_format: "contiguous".into(),
        ranks: 1,
    };
    let error = resolve(&recipe, ".", data, None, model, machine).unwrap_err();
    assert_eq!(error.key, "model.freeze");
}

#[test]
fn balanced_weights_are_inverse_to_counts() {
    let rest = "[loss]\ntype = \"cross_entropy\"\nclass_weights = \"balanced\"";
    let plan = plan(&recipe("type = \"SGD\"\nlr = 0.01", "epochs = 1\nbatch_size = 2", rest), &[0, 0, 0, 1])
        .unwrap();
    assert_eq!(plan.class_weights, [4.0 / 6.0, 2.0]);
}

proptest! {
    #[test]
    fn every_sample_is_in_one_batch_and_every_batch_in_one_update(
        samples in 1u64..500, batch in 1u64..40, accum in 1u64..6, epochs in 1u64..5, ranks in 1u64..5, drop_last: bool,
    ) {
        let train = format!("epochs = {epochs}\nbatch_size = {batch}\ngrad_accum = {accum}\ndrop_last = {drop_last}");
        let recipe = recipe("type = \"SGD\"\nlr = 0.01", &train, "");
        // ranks are as a batch that many times as large
        let (one, length) = (batch, luthier_plan::length(&recipe.train, samples, ranks));
        let batch = one * ranks;
        match length {
            Err(_) => prop_assert!(drop_last && samples < batch),
            Ok(length) => {
                prop_assert!(length.samples <= samples && samples - length.samples < batch);
                prop_assert!(drop_last || length.samples == samples);
                prop_assert!(length.batches_per_epoch * batch >= length.samples);
                prop_assert!((length.batches_per_epoch - 1) * batch < length.samples);
                prop_assert!(length.updates_per_epoch * accum >= length.batches_per_epoch);
                prop_assert!((length.updates_per_epoch - 1) * accum < length.batches_per_epoch);
                prop_assert_eq!(length.updates, length.updates_per_epoch * epochs);
                prop_assert_eq!(length.effective_batch, one * accum * ranks);
            }
        }
    }
}

#[test]
fn rates_decay_from_the_head_down_and_groups_win() {
    let optim = "type = \"SGD\"\nlr = 1.0\nlayer_decay = 0.5\ngroups = [{ match = \"bn1.*\", lr = 7.0 }]";
    let plan = plan(&recipe(optim, "epochs = 1\nbatch_size = 1", ""), &[0, 1]).unwrap();
    let groups: Vec<(&str, f64)> = plan.groups.iter().map(|group| (group.name.as_str(), group.lr)).collect();
    // three parts lie above `conv1`, none above the head
    assert_eq!(groups, [("conv1", 0.125), ("fc", 1.0), ("bn1.*", 7.0)]);
    let group = |name: &str| plan.model.tensors.iter().find(|t| t.name == name).unwrap().group;
    assert_eq!([group("conv1.weight"), group("fc.bias"), group("bn1.bias")], [Some(0), Some(1), Some(2)]);
    assert_eq!(group("frozen.weight"), None);
}

const SGD: &str = "type = \"SGD\"\nlr = 1.0";

#[test]
fn stages_train_in_turn_and_scale_the_rates() {
    let stages = r#"
[[stages]]
name = "head"
epochs = 1
train = ["fc.*"]
[[stages]]
name = "all but the first layer"
epochs = 2
freeze = ["conv1.*"]
lr_scale = 0.1
"#;
    let plan = plan(&recipe(SGD, "epochs = 3\nbatch_size = 1", stages), &[0, 1]).unwrap();
    let resting = |stage: usize| -> Vec<&str> {
        plan.stages[stage].resting.iter().map(|index| plan.model.tensors[*index].name.as_str()).collect()
    };
    assert_eq!(resting(0), ["conv1.weight", "bn1.weight", "bn1.bias"]);
    assert_eq!(resting(1), ["conv1.weight"]);
    assert_eq!((plan.stages[1].first_epoch, plan.stages[1].epochs), (1, 2));
    assert_eq!(plan.lr_factors, [1.0, 1.0, 0.1, 0.1, 0.1, 0.1]);
    assert_eq!([0, 1, 2, 9].map(|epoch| plan.stage_of(epoch)), [0, 1, 1, 1]);
}

#[test]
fn a_stage_that_trains_nothing_is_refused_by_key() {
    let rows = [
        (
            "train = [\"layer9.*\"]",
            "stages[0].train[0]",
            "`layer9.*` matches no parameter that the model trains",
        ),
        // frozen for good
        (
            "train = [\"frozen.*\"]",
            "stages[0].train[0]",
            "`frozen.*` matches no parameter that the model trains",
        ),
        ("freeze = [\"*\"]", "stages[0].freeze", "stage `one` trains nothing"),
    ];
    for (patterns, key, what) in rows {
        let stages = format!("[[stages]]\nname = \"one\"\nepochs = 1\n{patterns}");
        let error = plan(&recipe(SGD, "epochs = 1\nbatch_size = 1", &stages), &[0, 1]).unwrap_err();
        assert_eq!((error.key.as_str(), error.what.as_str()), (key, what));
        assert!(error.help.is_some());
    }
}
