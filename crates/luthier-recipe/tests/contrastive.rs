//! Contrastive recipes: what is read, and what is said about one that does not fit together.

use luthier_recipe::{ContrastiveLoss, ProjectionHead, parse};

const SOUND: &str = r#"
name = "pcl"
task = "contrastive"
[data]
train = "pictures"
[data.transform]
train = [{ op = "RandomResizedCrop", size = 64 }]
eval = [{ op = "Resize", size = [64, 64] }]
[model]
arch = "resnet18"
weights = "none"
[contrastive]
queue = 1024
heads = ["a", "b"]
[contrastive.prototypes]
clusters = [50, 100]
[[stages]]
name = "instance"
epochs = 2
loss = ["info_nce"]
heads = []
[[stages]]
name = "prototypes"
epochs = 3
loss = ["info_nce", "proto_nce"]
freeze = ["fc.a.*"]
[optim]
type = "SGD"
lr = 0.03
[train]
epochs = 5
batch_size = 64
"#;

/// Messages and helps of a recipe with one piece replaced.
fn said(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "`{old}` is not there exactly once");
    match parse("recipe.toml", &SOUND.replace(old, new), &[]) {
        Ok(_) => panic!("accepted: {new}"),
        Err(error) => error.problems().iter().map(|one| format!("{one} | {one:?}\n")).collect(),
    }
}

#[test]
fn a_sound_one_is_read() {
    let recipe = parse("recipe.toml", SOUND, &[]).unwrap_or_else(|error| panic!("{error:?}")).recipe;
    let asked = recipe.contrastive.expect("it is there");
    assert_eq!((asked.dim, asked.queue, asked.momentum, asked.temperature), (128, 1024, 0.999, 0.2));
    assert!(asked.mlp && asked.heads == [ProjectionHead::A, ProjectionHead::B]);
    let prototypes = asked.prototypes.expect("they are there");
    assert_eq!((prototypes.negatives, prototypes.iterations, prototypes.warmup_epochs), (16384, 20, 0));
    assert_eq!(recipe.stages[0].loss, [ContrastiveLoss::InfoNce]);
    assert_eq!(recipe.stages[0].heads, Some(Vec::new()));
    assert_eq!(recipe.stages[1].heads, None);
}

#[test]
fn what_does_not_fit_together_is_said_with_what_to_do() {
    let rows = [
        // (why it is wrong, what is replaced, by what, words of the message, words of the help)
        (
            "no table",
            "[contrastive]\nqueue = 1024\nheads = [\"a\", \"b\"]\n[contrastive.prototypes]\nclusters = [50, 100]\n",
            "",
            "`contrastive` is missing",
            "queue = 4096",
        ),
        (
            "another task",
            "task = \"contrastive\"",
            "task = \"image-classification\"",
            "this task contrasts nothing",
            "task = \\\"contrastive\\\"",
        ),
        (
            "queue and batch",
            "queue = 1024",
            "queue = 1000",
            "a queue of 1000 keys is no multiple of the batch of 64",
            "960 would do",
        ),
        (
            "queue below a batch",
            "queue = 1024",
            "queue = 32",
            "no multiple of the batch of 64",
            "64 would do",
        ),
        (
            "batch of one",
            "batch_size = 64",
            "batch_size = 1",
            "a batch of 1 has no other sample",
            "256 is usual",
        ),
        (
            "stages that do not add up",
            "epochs = 3",
            "epochs = 4",
            "the stages take 6 epochs together",
            "epochs = 6",
        ),
        ("head of a stage", "heads = []", "heads = [\"c\"]", "heads", "a"),
        (
            "prototypes that no stage uses",
            "loss = [\"info_nce\", \"proto_nce\"]",
            "loss = [\"info_nce\"]",
            "no stage's `loss` names `proto_nce`",
            "never be contrasted with",
        ),
        (
            "prototypes that are not there",
            "[contrastive.prototypes]\nclusters = [50, 100]\n",
            "",
            "stage `prototypes` contrasts with prototypes, and there are none",
            "add `[contrastive.prototypes]`",
        ),
        (
            "a loss twice",
            "loss = [\"info_nce\", \"proto_nce\"]",
            "loss = [\"info_nce\", \"proto_nce\", \"info_nce\"]",
            "names one twice",
            "each once",
        ),
        ("clusters twice", "clusters = [50, 100]", "clusters = [50, 50]", "has 50 twice", "granularity"),
        ("one cluster", "clusters = [50, 100]", "clusters = [1]", "at least 2", ""),
        ("no clusters", "clusters = [50, 100]", "clusters = []", "clusters", ""),
        ("temperature", "queue = 1024", "queue = 1024\ntemperature = 0.0", "temperature", "0"),
        ("momentum", "queue = 1024", "queue = 1024\nmomentum = 1.0", "momentum", "1"),
        (
            "a loss for classes",
            "[optim]",
            "[loss]\ntype = \"mse\"\n[optim]",
            "`loss` does not go with a contrastive run",
            "[contrastive]",
        ),
        (
            "an average",
            "batch_size = 64",
            "batch_size = 64\nema = { decay = 0.99 }",
            "does not go with",
            "leave `train.ema` out",
        ),
        (
            "a plateau",
            "[train]",
            "[schedule]\ntype = \"ReduceLROnPlateau\"\nunit = \"epoch\"\n[train]",
            "does not go with a contrastive run",
            "CosineAnnealingLR",
        ),
        (
            "balance",
            "train = \"pictures\"",
            "train = \"pictures\"\nbalance = \"oversample\"",
            "`data.balance` does not go with",
            "no label",
        ),
    ];
    for (why, old, new, message, help) in rows {
        let said = said(old, new);
        assert!(said.contains(message), "{why}: {said}");
        assert!(said.contains(help), "{why}: {said}");
    }
}

#[test]
fn heads_are_there_before_a_stage_goes_through_them() {
    // all heads that there are, are none
    let text = SOUND.replace("heads = [\"a\", \"b\"]\n", "").replace("heads = []", "");
    assert!(parse("recipe.toml", &text, &[]).is_ok());
    let text = SOUND.replace("queue = 1024\nheads = [\"a\", \"b\"]", "queue = 1024\nheads = [\"a\"]");
    let text = text.replace("heads = []", "heads = [\"b\"]");
    let error = parse("recipe.toml", &text, &[]).expect_err("there is no `b`");
    assert!(format!("{error:?}").contains("goes through head `b`, which is not there"), "{error:?}");
    let text = SOUND.replace("[contrastive.prototypes]\nclusters = [50, 100]\n", "");
    let error = parse("recipe.toml", &text, &[]).expect_err("there are no prototypes");
    assert!(format!("{error:?}").contains("head `b` is for prototypes"), "{error:?}");
}

#[test]
fn what_is_for_contrastive_stages_is_refused_elsewhere() {
    let text = "name = \"x\"\ntask = \"image-classification\"\n[data]\ntrain = \"x\"\n[data.transform]\ntrain = []\neval = []\n\
                [model]\narch = \"resnet18\"\nweights = \"none\"\n[[stages]]\nname = \"s\"\nepochs = 1\nloss = [\"info_nce\"]\n\
                heads = [\"a\"]\n[optim]\ntype = \"SGD\"\nlr = 0.1\n[train]\nepochs = 1\nbatch_size = 4\n";
    let error = parse("recipe.toml", text, &[]).expect_err("stages of other tasks have neither");
    let told = format!("{error:?}");
    assert!(told.contains("`loss` of a stage is for contrastive runs"), "{told}");
    assert!(told.contains("`heads` of a stage is for contrastive runs"), "{told}");
}

#[test]
fn prototypes_whose_warm_up_outlasts_the_run_are_told() {
    let plain = SOUND.split("[[stages]]").next().unwrap_or_default().to_owned();
    let rest = &SOUND[SOUND.find("[optim]").unwrap_or(0)..];
    let text =
        format!("{plain}{rest}").replace("clusters = [50, 100]", "clusters = [50, 100]\nwarmup_epochs = 5");
    let error = parse("recipe.toml", &text, &[]).expect_err("the run is over by then");
    assert!(format!("{error:?}").contains("warm-up takes 5 epochs, and the run has 5"), "{error:?}");
}
