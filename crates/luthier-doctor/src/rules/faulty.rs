//! Published faults as recipes, judged whole: the cause must be among the first two findings, and the verdict not
//! healthy.

use crate::testing::*;
use crate::{Status, judge};

/// Name, codes of the causes that must all be named, text, changes, data.
type Row = (&'static str, &'static [&'static str], &'static str, &'static [&'static str], World);

fn digits() -> World {
    World { counts: vec![150; 10], features: vec![column(0.13, 0.3, 0.0, 1.0); 784], ..World::default() }
}

fn one(x: luthier_plan::ColumnStats, y: luthier_plan::ColumnStats, rows: u64) -> World {
    World { counts: vec![rows], features: vec![x], targets: vec![y], valid: 0, ..World::default() }
}

const RAW: &str = "data.scale=none";
const RAW_TARGET: &str = "data.scale_target=none";
const DEEP_RELU: &str = "model.layers=[{linear=32},{act=\"relu\"},{linear=32},{act=\"relu\"},{linear=32},{act=\"relu\"},{linear=32},{act=\"relu\"},{linear=32},{act=\"relu\"},{linear=32},{act=\"relu\"},{linear=\"classes\"}]";
const DEEP_SIGMOID: &str = "model.layers=[{linear=32},{act=\"sigmoid\"},{linear=32},{act=\"sigmoid\"},{linear=32},{act=\"sigmoid\"},{linear=32},{act=\"sigmoid\"},{linear=32},{act=\"sigmoid\"},{linear=32},{act=\"sigmoid\"},{linear=\"classes\"}]";
const SMALL: &str = "model.layers=[{linear=4},{act=\"relu\"},{linear=\"targets\"}]";
const PLAIN: &str = "model.init={weights=\"default\"}";
const LINEAR: &str = "model.layers=[{linear=\"targets\"}]";

fn outputs() -> Vec<Row> {
    vec![
        (
            "softmax over one output, and both sides raw",
            &["OUT001", "DAT001", "DAT002"],
            NUMBERS,
            &["model.output=softmax", RAW, RAW_TARGET, "optim.type=SGD"],
            one(column(500.0, 300.0, 0.0, 1000.0), column(2e4, 1e4, 0.0, 4e4), 200),
        ),
        (
            "ReLU and negative targets",
            &["OUT002"],
            NUMBERS,
            &[
                SMALL,
                "model.output=relu",
                RAW_TARGET,
                "optim.type=SGD",
                "optim.lr=0.01",
                "train.batch_size=10",
            ],
            one(column(0.0, 1.0, -2.0, 2.0), column(-1.8, 0.6, -3.0, -0.5), 17),
        ),
        (
            "sigmoid and targets up to 100",
            &["OUT002"],
            NUMBERS,
            &[SMALL, "model.output=sigmoid", RAW, RAW_TARGET, "optim.type=SGD", "optim.lr=0.01"],
            one(column(0.0, 6.0, -10.0, 10.0), column(36.7, 33.0, 0.0, 100.0), 21),
        ),
        ("softmax twice", &["OUT003"], TABLE, &[RAW, "model.output=softmax", "train.epochs=10"], digits()),
        ("ReLU on logits", &["OUT003"], TABLE, &[RAW, "model.output=relu", "train.epochs=10"], digits()),
        (
            "squares of a softmax",
            &["LOS002"],
            TABLE,
            &[RAW, "model.output=softmax", "loss.type=mse", "train.epochs=10"],
            digits(),
        ),
        (
            "logarithm of logits",
            &["OUT004"],
            TABLE,
            &[RAW, "loss.input=probabilities", "train.epochs=10"],
            digits(),
        ),
        (
            "an autoencoder on standardised pictures",
            &["LOS004"],
            NUMBERS,
            &["model.output=sigmoid", "loss={type=\"bce\",input=\"probabilities\"}"],
            World { targets: vec![column(0.13, 0.3, 0.0, 1.0); 16], ..World::default() },
        ),
    ]
}

fn optimizers() -> Vec<Row> {
    let few: &[&str] =
        &["optim.lr=0.01", "optim.momentum=0.9", "train.batch_size=500", "train.epochs=5", RAW];
    vec![
        ("a sum", &["LOS001"], TABLE, &[RAW, "loss.reduction=sum", "train.epochs=10"], digits()),
        (
            "a linear fit beyond its curvature",
            &["OPT007"],
            NUMBERS,
            &[LINEAR, RAW, RAW_TARGET, "optim.type=SGD", "optim.lr=0.1"],
            one(column(0.0, 4.6, -8.0, 8.0), column(1.0, 5.0, -9.0, 9.0), 8),
        ),
        (
            "a linear fit of 0 to 99",
            &["DAT001"],
            NUMBERS,
            &[LINEAR, RAW, RAW_TARGET, "optim.type=SGD", "optim.lr=0.5"],
            one(column(49.5, 28.9, 0.0, 99.0), column(5.0, 5.0, -5.0, 9.0), 100),
        ),
        ("few updates", &["OPT006"], TABLE, few, World { counts: vec![1500; 10], ..digits() }),
        (
            "eps of one",
            &["OPT003"],
            TABLE,
            &[RAW, "optim.type=Adam", "optim.lr=0.001", "optim.eps=1.0"],
            digits(),
        ),
        ("a tiny clip", &["LOO001"], TABLE, &[RAW, "train.clip_grad_norm=0.01", "train.epochs=10"], digits()),
        (
            "L2 in Adam",
            &["OPT004"],
            TABLE,
            &[RAW, "optim.type=Adam", "optim.lr=0.001", "optim.weight_decay=0.1"],
            digits(),
        ),
        (
            "a schedule of epochs that counts updates",
            &["SCH001"],
            TABLE,
            &[RAW, "schedule={type=\"StepLR\",unit=\"step\",step_size=3,gamma=0.5}"],
            digits(),
        ),
        (
            "the same on pretrained weights, at a rate for random ones",
            &["SCH001", "OPT001"],
            PICTURES,
            &[
                "optim.type=Adam",
                "optim.lr=0.01",
                "schedule={type=\"StepLR\",unit=\"step\",step_size=3,gamma=0.5}",
            ],
            World::default(),
        ),
        (
            "norms that are trained with small batches",
            &["NRM002"],
            PICTURES,
            &[
                "model.arch=efficientnet-lite0",
                "optim.lr=0.005",
                "train.batch_size=16",
                "optim.groups=[{match=\"_fc*\",lr=0.05}]",
                "data.transform.train=[{op=\"RandomResizedCrop\",size=224},{op=\"Normalize\",mean=[0.498,0.498,0.498],std=[0.502,0.502,0.502]}]",
                "data.transform.eval=[{op=\"Resize\",size=224},{op=\"Normalize\",mean=[0.498,0.498,0.498],std=[0.502,0.502,0.502]}]",
            ],
            World { counts: vec![98, 97], valid: 49, ..World::default() },
        ),
    ]
}

fn starts() -> Vec<Row> {
    vec![
        (
            "all weights alike",
            &["INI001"],
            TABLE,
            &[RAW, "model.init={weights=\"constant\",value=0.01}", "train.epochs=10"],
            digits(),
        ),
        (
            "deep and small",
            &["INI002"],
            TABLE,
            &[RAW, DEEP_RELU, "model.init={weights=\"normal\",std=0.01,bias=0.0}", "train.epochs=10"],
            digits(),
        ),
        (
            "wide and large",
            &["INI002"],
            TABLE,
            &[RAW, DEEP_RELU, "model.init={weights=\"normal\",std=1.0}", "train.epochs=10"],
            digits(),
        ),
        (
            "a bias that kills",
            &["INI003"],
            TABLE,
            &[RAW, "model.init.bias=-20.0", "train.epochs=10"],
            digits(),
        ),
        ("deep sigmoids", &["ACT001"], TABLE, &[RAW, DEEP_SIGMOID, PLAIN, "train.epochs=10"], digits()),
        (
            "raw pixels",
            &["DAT001"],
            TABLE,
            &[RAW, "train.epochs=10"],
            World { features: vec![column(33.0, 78.0, 0.0, 255.0); 784], ..digits() },
        ),
        (
            "targets of a hundred million",
            &["DAT002"],
            NUMBERS,
            &[RAW_TARGET],
            one(column(0.0, 1.0, -3.0, 3.0), column(1e8, 5e7, 0.0, 3e8), 500),
        ),
        (
            "weights that follow the counts",
            &["LOS003"],
            TABLE,
            &["loss.class_weights=[0.9, 0.1]"],
            World { counts: vec![900, 100], ..World::default() },
        ),
    ]
}

#[test]
fn causes_are_named_first() {
    let mut missed = Vec::new();
    for (name, causes, text, changes, world) in [outputs(), optimizers(), starts()].concat() {
        let text = if world.valid == 0 { text.replace("valid = \"v.csv\"\n", "") } else { text.to_owned() };
        let subject = Subject::new(&text, changes, &world);
        let verdict = judge("recipe", &subject.facts());
        let codes: Vec<&str> = verdict.findings.iter().map(|finding| finding.code.as_str()).collect();
        let top = &codes[..codes.len().min(causes.len().max(2))];
        if verdict.status == Status::Healthy || !causes.iter().all(|cause| top.contains(cause)) {
            missed.push(format!("{name}: {codes:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_cause_takes_its_consequence_with_it() {
    let schedule = "schedule={type=\"StepLR\",unit=\"step\",step_size=3,gamma=0.5}";
    let subject = Subject::new(TABLE, &[schedule], &World::default());
    let verdict = judge("recipe", &subject.facts());
    let gone = verdict.findings.iter().find(|finding| finding.code == "SCH004").unwrap();
    assert_eq!((gone.severity, gone.symptom), (crate::Severity::Info, true));
    assert_eq!(verdict.findings[0].code, "SCH001");
}

#[test]
fn a_rule_says_where_in_the_file_its_cause_stands() {
    let text = TABLE.replace("lr = 0.1", "lr = 50.0");
    let subject = Subject::new(&text, &[], &World::default());
    let verdict = judge("recipe", &subject.facts());
    let line = 1 + text.lines().position(|line| line == "lr = 50.0").unwrap();
    assert_eq!(verdict.findings[0].line, Some(line), "{:?}", verdict.findings[0]);
}
