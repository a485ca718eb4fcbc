//! A small table, and what a run over it wrote down.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::newest;

pub const RECIPE: &str = r#"
name = "rows"
task = "classification"
seed = 3

[data]
format = "csv"
train = "train.csv"
valid = "valid.csv"
target = "kind"
scale = "standardize"

[model]
arch = "sequential"
layers = [{ linear = 16 }, { act = "relu" }, { linear = 16 }, { act = "tanh" }, { linear = "classes" }]

[loss]
type = "cross_entropy"
class_weights = "balanced"

[optim]
type = "SGD"
lr = 0.1
momentum = 0.9

[train]
epochs = 5
batch_size = 4
grad_accum = 2
clip_grad_norm = 0.5
"#;

/// Rows of three numbers and a class that depends on them.
pub fn table(rows: u64, seed: u64) -> String {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
    };
    let mut text = String::from("a,b,c,kind\n");
    for _ in 0..rows {
        let (a, b, c) = (draw(), draw(), draw());
        let kind = if a + b > 0.3 {
            "high"
        } else if b * c > 0.02 {
            "odd"
        } else {
            "low"
        };
        text.push_str(&format!("{a},{b},{c},{kind}\n"));
    }
    text
}

/// 97 rows to train on and 31 to validate: no batch size of these tests divides either.
pub fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("train.csv"), table(97, 1)).unwrap();
    fs::write(folder.path().join("valid.csv"), table(31, 2)).unwrap();
    fs::write(folder.path().join("recipe.toml"), RECIPE).unwrap();
    folder
}

/// Numbers of the newest checkpoint of a run: all tensors of its model, in the file's order.
pub fn weights(run: &Path) -> Vec<f32> {
    numbers(run, "model.safetensors")
}

/// The same of another file of the checkpoint.
pub fn numbers(run: &Path, file: &str) -> Vec<f32> {
    let bytes = fs::read(newest(run).join(file)).unwrap();
    let (length, rest) = bytes.split_at(8);
    let header = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    rest[header..].chunks_exact(4).map(|float| f32::from_le_bytes(float.try_into().unwrap())).collect()
}

/// Records of one kind in a run's metrics.
pub fn records(run: &Path, kind: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|record| record["event"] == kind).collect()
}

pub fn close(one: &Value, other: &Value, key: &str) {
    let (a, b) = (one[key].as_f64().unwrap(), other[key].as_f64().unwrap());
    assert!((a - b).abs() <= 1e-5 * a.abs().max(1.0), "{key}: {a} and {b}");
}
