//! Streams and heads on several processes compute what they do on one.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::path::Path;

use common::rows::{close, numbers, records, weights};
use common::{fine, run, stderr};
use serde_json::Value;

/// Two streams over one small ViT with three heads. The first has 19 samples and the second 8.
const STREAMS: &str = r#"
name = "streams"
task = "multi-task"

[model]
arch = "vit"
weights = "none"
config = "config.json"

[model.heads]
classifier = { hidden = ["dense"] }
yaw = { weight = 0.5 }
hue = { weight = 0.5 }

[train]
epochs = 4
batch_size = 3
precision = "fp32"
epoch_ends = "longest"

[[streams]]
name = "new"
optim = { type = "SGD", lr = 0.05, weight_decay = 0.01 }
[streams.data]
train = "scenes"
attributes = "scenes/attributes.csv"
split = { valid = 0.25 }
[streams.data.transform]
train = [{ op = "Resize", size = [32, 32] }]
eval = [{ op = "Resize", size = [32, 32] }]

[[streams]]
name = "replay"
loss_weights = { classifier = 2.0 }
train = ["classifier.*", "dense.*", "*encoder.layer.1.*", "yaw.*"]
batch_size = 2
clip_grad_norm = 1.0
optim = { type = "SGD", lr = 1e-2, momentum = 0.9 }
[streams.data]
train = "few"
[streams.data.transform]
train = [{ op = "Resize", size = [32, 32] }]
eval = [{ op = "Resize", size = [32, 32] }]
"#;

const VIT: &str = r#"{ "model_type": "vit", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "image_size": 32, "patch_size": 16, "hidden_act": "gelu", "qkv_bias": true,
    "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0 }"#;

#[test]
fn streams_and_heads_on_two_ranks_are_those_of_one_process() {
    let folder = common::workspace();
    let at = folder.path();
    let few = luthier_data::scenes::SceneOptions {
        count: 16,
        seed: 9,
        size: 40,
        ..luthier_data::scenes::SceneOptions::default()
    };
    luthier_data::scenes::render(&at.join("few"), &few, &|_, _| {}).unwrap();
    fs::write(at.join("config.json"), VIT).unwrap();
    let gradnorm = "task_weighting = { type = \"gradnorm\" }\nmonitor = { gradient_cosine = true }\n";
    let uncertainty = "task_weighting = { type = \"uncertainty\", lr = 0.1 }\n";
    let averaged = "ema = { decay = 0.8 }\n";
    let ways = [("alternate", averaged), ("sum", ""), ("alternate", gradnorm), ("sum", uncertainty)];
    for (number, (interleave, more)) in ways.into_iter().enumerate() {
        let mut recipe =
            STREAMS.replace("epoch_ends", &format!("{more}interleave = \"{interleave}\"\nepoch_ends"));
        if interleave == "sum" {
            // the first stream's optimizer steps for both, and for all parameters
            let own = ["optim = { type = \"SGD\", lr = 1e-2", "clip_grad_norm", "train = [\"classifier"];
            recipe = recipe.lines().filter(|line| !own.iter().any(|key| line.starts_with(key))).fold(
                String::new(),
                |mut text, line| {
                    text.push_str(line);
                    text.push('\n');
                    text
                },
            );
        }
        fs::write(at.join("two.toml"), &recipe).unwrap();
        let wide =
            recipe.replace("batch_size = 3", "batch_size = 6").replace("batch_size = 2", "batch_size = 4");
        fs::write(at.join("one.toml"), wide).unwrap();
        let (one, two) = (at.join(format!("{number}-1")), at.join(format!("{number}-2")));
        let out = |run: &Path| run.file_name().unwrap().to_string_lossy().into_owned();
        fine(at, &["train", "one.toml", "--out", &out(&one), "--threads", "1", "-q"]);
        let words = ["train", "two.toml", "--nproc-per-node", "2", "--out", &out(&two), "--threads", "1"];
        let said = run(at, &words);
        assert!(said.status.success(), "{}", stderr(&said));
        // a head that the second stream's optimizer has and its loss does not
        let named = stderr(&said).contains("no gradient reached `yaw.weight`, `yaw.bias`");
        assert_eq!(named, interleave == "alternate", "{}", stderr(&said));
        let (steps, other) = (records(&one, "step"), records(&two, "step"));
        assert!(steps.len() >= 20 && steps.len() == other.len(), "{} and {}", steps.len(), other.len());
        for (a, b) in steps.iter().zip(&other) {
            close(a, b, "loss");
            assert_eq!((&a["count"], &a["stream"]), (&b["count"], &b["stream"]));
            // learned weights, and angles between gradients, are those of all ranks' samples
            for (a, b) in a["tasks"].as_array().unwrap().iter().zip(b["tasks"].as_array().unwrap()) {
                assert_eq!(a["weight"].is_number(), b["weight"].is_number());
                if a["weight"].is_number() {
                    close(a, b, "weight");
                }
            }
        }
        let learned = steps.iter().filter(|step| step["tasks"][1]["weight"].is_number()).count();
        assert_eq!(learned > 0, more.contains("task_weighting"));
        let angles = |steps: &[Value]| -> Vec<f64> {
            let all = steps.iter().filter_map(|step| step["gradient_cosine"].as_array()).flatten();
            all.filter_map(|pair| pair[2].as_f64()).collect()
        };
        let (a, b) = (angles(&steps), angles(&other));
        assert_eq!((a.len() >= 9, a.len()), (more == gradnorm, b.len()));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3), "{a:?} {b:?}");
        let off = weights(&one).iter().zip(&weights(&two)).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(off <= 1e-5, "{interleave}: {off}");
        if more == averaged {
            let [a, b] = [&one, &two].map(|run| numbers(run, "ema.safetensors"));
            let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(a.len() == b.len() && off <= 1e-5, "the average: {off}");
        }
    }
}
