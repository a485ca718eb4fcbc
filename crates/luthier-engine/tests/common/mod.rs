//! The built engine, and a small data set to call it on.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]
#![allow(dead_code, reason = "each test file uses its part")]

pub mod rows;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use luthier_data::scenes::{SceneOptions, render};
use tempfile::TempDir;

pub const RECIPE: &str = r#"
name = "test"
task = "image-classification"

[data]
train = "scenes"
split = { valid = 0.25 }

[data.transform]
train = [
  { op = "RandomResizedCrop", size = 64, scale = [0.5, 1.0] },
  { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] },
]
eval = [
  { op = "Resize", size = 72 },
  { op = "CenterCrop", size = 64 },
  { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] },
]

[model]
arch = "resnet18"
weights = "none"

[optim]
type = "SGD"
lr = 0.01
momentum = 0.9

[train]
epochs = 2
batch_size = 6
precision = "fp32"
"#;

/// A folder with `scenes/` (25 pictures of 80 pixels, eight classes) and `recipe.toml`.
pub fn workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let options = SceneOptions { count: 25, seed: 3, size: 80, ..SceneOptions::default() };
    render(&folder.path().join("scenes"), &options, &|_, _| {}).unwrap();
    std::fs::write(folder.path().join("recipe.toml"), RECIPE).unwrap();
    folder
}

/// Copies `scenes` to a folder of that name, so that it can be spoilt.
pub fn copy(folder: &Path, name: &str) -> PathBuf {
    let target = folder.join(name);
    for class in std::fs::read_dir(folder.join("scenes")).unwrap().map(|entry| entry.unwrap()) {
        if class.path().is_dir() {
            std::fs::create_dir_all(target.join(class.file_name())).unwrap();
            for file in std::fs::read_dir(class.path()).unwrap().map(|entry| entry.unwrap()) {
                std::fs::copy(file.path(), target.join(class.file_name()).join(file.file_name())).unwrap();
            }
        }
    }
    target
}

/// The engine with these words, started in `folder`.
pub fn engine(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luthier-engine"));
    command.args(words).current_dir(folder).env("NO_COLOR", "1").env("OMP_NUM_THREADS", "1");
    command
}

/// Runs the engine to its end.
pub fn run(folder: &Path, words: &[&str]) -> Output {
    engine(folder, words).output().unwrap()
}

/// Runs the engine, which must succeed, and returns what it wrote to stdout.
pub fn fine(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, words);
    assert!(output.status.success(), "{words:?}: {}\n{}", output.status, stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Newest checkpoint of a run.
pub fn newest(run: &Path) -> PathBuf {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("step-"));
    all.sort();
    all.pop().unwrap()
}
