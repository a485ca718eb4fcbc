//! Runs that learn well, and none of which may be told that something is wrong with it.

use crate::testing::*;

fn normal(mean: f64, std: f64) -> luthier_plan::ColumnStats {
    column(mean, std, mean - 3.0 * std, mean + 3.0 * std)
}

/// Name, text, changes, data.
type Row = (&'static str, &'static str, Vec<String>, World);

fn rows(counts: &[u64], features: usize) -> World {
    World { counts: counts.to_vec(), features: vec![normal(0.3, 0.25); features], ..World::default() }
}

fn sets(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Bases of which several runs each were measured to reach their targets, as far as a recipe can say them.
fn bases() -> Vec<Row> {
    let numbers = |n: u64| World { counts: vec![n], valid: n / 5, ..World::default() };
    let one = |world: World, targets: usize| World {
        features: vec![normal(0.0, 1.0)],
        targets: vec![normal(0.0, 1.0); targets],
        ..world
    };
    let mnist = sets(&[
        "data.scale=none",
        "model.layers=[{linear=64},{act=\"relu\"},{linear=\"classes\"}]",
        "train.epochs=4",
    ]);
    let with = |more: &[&str]| [mnist.clone(), sets(more)].concat();
    vec![
        (
            "xor",
            TABLE,
            sets(&[
                "data.scale=none",
                "model.layers=[{linear=4},{act=\"tanh\"},{linear=1}]",
                "model.output=sigmoid",
                "loss.type=bce",
                "loss.input=probabilities",
                "model.init={weights=\"xavier_normal\",bias=0.0}",
                "optim.type=Adam",
                "optim.lr=0.05",
                "train.batch_size=4",
                "train.epochs=2000",
            ]),
            World { valid: 0, ..rows(&[2, 2], 2) },
        ),
        (
            "quadratic",
            NUMBERS,
            sets(&[
                "model.layers=[{linear=50},{act=\"relu\"},{linear=30},{act=\"relu\"},{linear=\"targets\"}]",
                "optim.type=SGD",
                "optim.lr=0.1",
                "train.epochs=300",
            ]),
            one(numbers(50), 1),
        ),
        (
            "quartic",
            NUMBERS,
            sets(&[
                "model.layers=[{linear=50},{act=\"sigmoid\"},{linear=50},{act=\"elu\"},{linear=\"targets\"}]",
                "train.batch_size=400",
                "train.epochs=1000",
            ]),
            one(numbers(400), 1),
        ),
        (
            "iris",
            TABLE,
            sets(&[
                "model.layers=[{linear=4},{act=\"relu\"},{linear=\"classes\"}]",
                "optim.type=Adam",
                "optim.lr=0.001",
                "train.batch_size=5",
                "train.epochs=200",
            ]),
            rows(&[40, 40, 40], 4),
        ),
        ("digits", TABLE, mnist.clone(), rows(&[150; 10], 784)),
        (
            "digits by convolutions",
            TABLE,
            sets(&[
                "data.scale=none",
                "model.layers=[{unflatten=[1,28,28]},{conv=32,kernel=5,padding=2},{act=\"relu\"},{max_pool=2},{conv=64,padding=1},{act=\"relu\"},{max_pool=2},{flatten=true},{linear=512},{act=\"relu\"},{linear=\"classes\"}]",
                "optim.weight_decay=1e-5",
            ]),
            rows(&[150; 10], 784),
        ),
        (
            "a small VGG",
            PICTURES,
            sets(&[
                "model.arch=sequential",
                "model.weights=none",
                "model.layers=[{conv=32,padding=1,bias=false},{batch_norm=true},{act=\"relu\"},{conv=64,padding=1,bias=false},{batch_norm=true},{act=\"relu\"},{dropout=0.4},{flatten=true},{linear=128},{act=\"relu\"},{dropout=0.5},{linear=\"classes\"}]",
                "optim.lr=0.001",
                "train.epochs=40",
            ]),
            World { counts: vec![500; 10], ..World::default() },
        ),
        (
            "miles per gallon",
            NUMBERS,
            sets(&[
                "data.scale_target=minmax",
                "model.layers=[{linear=64},{act=\"relu\"},{linear=64},{act=\"relu\"},{linear=\"targets\"}]",
                "optim.weight_decay=1e-5",
            ]),
            World {
                targets: vec![column(23.0, 8.0, 9.0, 47.0)],
                features: vec![normal(100.0, 50.0); 9],
                ..numbers(314)
            },
        ),
        (
            "spam",
            TEXTS,
            sets(&["model.train=[\"h.0*\",\"ln_f*\",\"score*\"]"]),
            World { counts: vec![520, 520], valid: 150, ..World::default() },
        ),
        (
            "autoencoder",
            NUMBERS,
            sets(&[
                "data.scale=none",
                "data.scale_target=none",
                "model.layers=[{linear=64},{act=\"relu\"},{linear=\"targets\"}]",
                "model.output=sigmoid",
                "loss={type=\"bce\",input=\"probabilities\"}",
            ]),
            World {
                features: vec![column(0.13, 0.3, 0.0, 1.0); 64],
                targets: vec![column(0.13, 0.3, 0.0, 1.0); 64],
                ..numbers(1500)
            },
        ),
        (
            "the one right program of a collection of faults",
            TABLE,
            sets(&[
                "model.layers=[{linear=2},{act=\"relu\"},{linear=2},{act=\"relu\"},{linear=1}]",
                "model.output=sigmoid",
                "loss.type=bce",
                "loss.input=probabilities",
                "model.init={weights=\"default\"}",
                "optim.type=Adam",
                "optim.lr=0.001",
                "train.batch_size=2",
            ]),
            rows(&[150, 149], 2),
        ),
        (
            "no activation on data that a line divides",
            TABLE,
            with(&["model.layers[1].act=identity"]),
            rows(&[150; 10], 784),
        ),
        ("contrastive pretraining", CONTRAST, Vec::new(), World::default()),
        ("triplets", TRIPLETS, sets(&["contrastive.m_per_class=32"]), World::default()),
        (
            "triplets of batches as they come, of pictures that do not vary",
            TRIPLETS,
            sets(&["data.transform.train=[{op=\"Resize\",size=[64,64]}]"]),
            World::default(),
        ),
        ("supervised contrasts", SUP_CON, Vec::new(), World::default()),
        ("batches of one", TABLE, with(&["train.batch_size=1"]), rows(&[150; 10], 784)),
        (
            "a frozen backbone",
            PICTURES,
            sets(&["model.train=[\"fc*\"]", "optim.type=Adam", "optim.lr=0.001"]),
            World { counts: vec![120, 120], valid: 40, ..World::default() },
        ),
        (
            "a warm-up from zero",
            TABLE,
            with(&["schedule={type=\"CosineAnnealingLR\",unit=\"step\",warmup={steps=10,start=0.0}}"]),
            rows(&[150; 10], 784),
        ),
        (
            "one epoch",
            TEXTS,
            sets(&["train.epochs=1", "optim.lr=2e-4"]),
            World { counts: vec![5000; 4], ..World::default() },
        ),
        (
            "raw pixels with Adam",
            TABLE,
            with(&["optim.type=Adam", "optim.lr=0.001"]),
            World { features: vec![column(33.0, 70.0, 0.0, 255.0); 784], ..rows(&[150; 10], 784) },
        ),
        (
            "a sum with Adam",
            TABLE,
            with(&["optim.type=Adam", "optim.lr=0.001", "loss.reduction=sum"]),
            rows(&[150; 10], 784),
        ),
        (
            "a tiny eps",
            TABLE,
            with(&["optim.type=Adam", "optim.lr=0.001", "optim.eps=1e-16"]),
            rows(&[150; 10], 784),
        ),
        ("squares on bare outputs", TABLE, with(&["loss.type=mse"]), rows(&[150; 10], 784)),
        (
            "frozen norms and small batches",
            PICTURES,
            sets(&[
                "model.arch=efficientnet-lite0",
                "model.freeze=[\"*bn*\"]",
                "train.batch_size=16",
                "optim.groups=[{match=\"_fc*\",lr_scale=10}]",
                "data.transform.train=[{op=\"RandomResizedCrop\",size=224},{op=\"Normalize\",mean=[0.498,0.498,0.498],std=[0.502,0.502,0.502]}]",
                "data.transform.eval=[{op=\"Resize\",size=224},{op=\"Normalize\",mean=[0.498,0.498,0.498],std=[0.502,0.502,0.502]}]",
                "train.clip_grad_norm=1.0",
            ]),
            World { counts: vec![98, 97], valid: 49, ..World::default() },
        ),
    ]
}

#[test]
fn healthy_runs_hear_nothing_worse_than_info() {
    let mut told = Vec::new();
    for (name, text, changes, world) in bases() {
        // a base without validation has no such file in its recipe
        let text = if world.valid == 0 { text.replace("valid = \"v.csv\"\n", "") } else { text.to_owned() };
        for seed in 0..3 {
            let mut changes: Vec<&str> = changes.iter().map(String::as_str).collect();
            let seed = format!("seed={seed}");
            changes.push(&seed);
            let wrong = wrong(&Subject::new(&text, &changes, &world));
            if !wrong.is_empty() {
                told.push(format!("{name}: {wrong:?}"));
            }
        }
    }
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn the_recipes_that_come_with_the_program_hear_nothing_worse_than_info() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let world = World { counts: vec![300, 300], ..World::default() };
    let mut seen = 0;
    for part in [".", "spam", "table"] {
        for entry in std::fs::read_dir(folder.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // patterns of these recipes name parts that the nets of these tests have not
            let subject = Subject::try_new(&text, &[], &world);
            let Some(subject) = subject else { continue };
            seen += 1;
            let wrong = wrong(&subject);
            if path.ends_with("broken.toml") {
                assert!(
                    ["OPT001", "SCH001"].iter().all(|code| wrong.iter().any(|told| told.starts_with(code)))
                );
                continue;
            }
            if path.ends_with("ants-bees-falls.toml") {
                // shipped to show the cause of its fall, and only that
                assert!(wrong.len() == 1 && wrong[0].starts_with("NRM002"), "{wrong:?}");
                continue;
            }
            assert_eq!(wrong, Vec::<String>::new(), "{}", path.display());
        }
    }
    assert!(seen >= 5, "only {seen} recipes could be planned");
}
