//! Contrastive recipes: what is read, and what is said about one that does not fit together.

use luthier_recipe::{
    ContrastiveLoss, EmbeddingDistance, Mining, ProjectionHead, TripletMargin, parse, render,
};

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
    // what is not given is written out
    let given = (asked.dim, asked.queue, asked.momentum, asked.temperature);
    assert_eq!(given, (128, Some(1024), Some(0.999), Some(0.2)));
    assert!(asked.triplet.is_none() && asked.loss.is_empty());
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

/// A recipe that contrasts by class.
const BY_CLASS: &str = r#"
name = "by-class"
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
loss = ["triplet"]
m_per_class = 4
[optim]
type = "SGD"
lr = 0.03
[train]
epochs = 5
batch_size = 64
"#;

#[test]
fn contrasts_by_class_are_read_and_written_out() {
    let read =
        |text: &str| parse("recipe.toml", text, &[]).unwrap_or_else(|error| panic!("{error:?}")).recipe;
    let recipe = read(BY_CLASS);
    let asked = recipe.contrastive.clone().expect("it is there");
    assert_eq!((asked.queue, asked.momentum, asked.temperature), (None, None, None));
    let triplet = asked.triplet.expect("its defaults");
    assert_eq!(triplet.margin, TripletMargin::Hinge(0.2));
    assert_eq!((triplet.mining, triplet.distance), (Mining::BatchHard, EmbeddingDistance::Euclidean));
    // batches of so many of each class are whole ones
    assert!(recipe.train.drop_last && recipe.contrasts_in_batch());
    let sup_con = read(&BY_CLASS.replace("[\"triplet\"]\nm_per_class = 4", "[\"sup_con\"]"));
    let asked = sup_con.contrastive.clone().expect("it is there");
    assert_eq!((asked.temperature, asked.queue, asked.triplet), (Some(0.1), None, None));
    assert!(!sup_con.train.drop_last);
    let soft = read(&BY_CLASS.replace(
        "m_per_class = 4",
        "triplet = { margin = \"soft\", mining = \"semi-hard\", distance = \"cosine\" }",
    ));
    for recipe in [recipe, sup_con, soft] {
        assert_eq!(read(&render(&recipe)), recipe, "what is rendered is read as the same");
    }
}

#[test]
fn what_does_not_go_with_a_contrast_by_class_is_said_with_what_to_do() {
    let rows = [
        // (what is replaced, by what, words of the message, words of the help)
        (
            "m_per_class = 4",
            "queue = 1024",
            "`contrastive.queue` does nothing here",
            "no queue: the samples of a batch",
        ),
        ("m_per_class = 4", "momentum = 0.9", "`contrastive.momentum` does nothing here", "no key encoder"),
        ("m_per_class = 4", "temperature = 0.1", "`contrastive.temperature` does nothing", "it has a margin"),
        (
            "m_per_class = 4",
            "prototypes = { clusters = [5] }",
            "`contrastive.prototypes` does nothing here",
            "the classes are known",
        ),
        ("m_per_class = 4", "triplet = { margin = 0.0 }", "margin", "0"),
        ("m_per_class = 4", "triplet = { margin = -0.5 }", "margin", "0"),
        ("m_per_class = 4", "triplet = { margin = 2.5 }", "a margin of 2.5 is never reached", "0.1 to 0.5"),
        ("m_per_class = 4", "triplet = { margin = \"hard\" }", "margin", "soft"),
        ("m_per_class = 4", "triplet = { mining = \"hard\" }", "mining", "batch-hard"),
        ("m_per_class = 4", "margin = 0.2", "unknown key", "triplet"),
        ("m_per_class = 4", "samples_per_class = 4", "unknown key", "m_per_class"),
        ("m_per_class = 4", "m_per_class = 1", "at least 2", ""),
        ("m_per_class = 4", "m_per_class = 5", "a batch of 64 is no multiple of 5 samples", "60 would do"),
        ("m_per_class = 4", "m_per_class = 64", "has one class, and no other", "batches of 128"),
        ("m_per_class = 4", "heads = [\"b\"]", "head `b` is for prototypes", ""),
        (
            "epochs = 5",
            "epochs = 5\nshuffle = false",
            "`m_per_class` does not go with samples in file order",
            "is drawn",
        ),
        ("batch_size = 64", "batch_size = 1", "a batch of 1 has no other sample", "2 or more"),
        (
            "[\"triplet\"]",
            "[\"triplet\", \"info_nce\"]",
            "`triplet` and `info_nce` do not go together",
            "weights = \\\"run:",
        ),
        ("[\"triplet\"]", "[\"triplet\", \"triplet\"]", "`contrastive.loss` names one twice", "each once"),
        ("[\"triplet\"]", "[\"info_nce\"]", "`m_per_class` is for contrasts by class", "[\\\"triplet\\\"]"),
        ("[\"triplet\"]", "[\"sup_con\"]\ntemperature = 0.0", "temperature", "0"),
        (
            "[\"triplet\"]",
            "[\"sup_con\"]\ntriplet = { margin = 0.1 }",
            "`contrastive.triplet` does nothing here",
            "name `triplet`",
        ),
        ("[\"triplet\"]", "[\"proto_nce\"]", "contrasts with prototypes, and there are none", "clusters"),
        ("[\"triplet\"]", "[\"supcon\"]", "sup_con", ""),
    ];
    for (old, new, message, help) in rows {
        assert_eq!(BY_CLASS.matches(old).count(), 1, "{old}");
        let said: String = match parse("recipe.toml", &BY_CLASS.replace(old, new), &[]) {
            Ok(_) => panic!("accepted: {new}"),
            Err(error) => error.problems().iter().map(|one| format!("{one} | {one:?}\n")).collect(),
        };
        assert!(said.contains(message), "{new}: {said}");
        assert!(said.contains(help), "{new}: {said}");
    }
}

#[test]
fn stages_of_one_run_are_of_one_kind() {
    let stages = "[[stages]]\nname = \"a\"\nepochs = 2\nloss = [\"sup_con\"]\n[[stages]]\nname = \"b\"\nepochs = 3\n\
                  loss = [\"info_nce\"]\n[optim]";
    let error = parse("recipe.toml", &BY_CLASS.replace("[optim]", stages), &[]).expect_err("two kinds");
    assert!(format!("{error:?}").contains("`sup_con` and `info_nce` do not go together"), "{error:?}");
    let stages = stages.replace("info_nce", "triplet");
    assert!(parse("recipe.toml", &BY_CLASS.replace("[optim]", &stages), &[]).is_ok());
}
