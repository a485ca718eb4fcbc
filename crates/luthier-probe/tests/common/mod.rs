//! A small table of texts and a small folder of pictures, and recipes over them.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use luthier_data::scenes::{SceneOptions, render};
use luthier_doctor::ProbeFacts;
use luthier_recipe::Loaded;
use luthier_train::{Prepared, prepare};
use tempfile::TempDir;

/// Held while a model is measured: libtorch's generator is the process's.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    luthier_torch::set_threads(1).unwrap();
    guard
}

/// Words of two kinds; a text is of the class whose words it is made of.
fn table() -> String {
    let words = ["free", "prize", "win", "call", "home", "lunch", "later", "love"];
    let text = |row: usize| {
        let class = row % 2;
        let picks = (0..2 + (row * 7) % 9).map(|at| words[4 * class + (row * 5 + at * 3) % 4]);
        let class = if class == 0 { "spam" } else { "ham" };
        format!("{class}\t{}\n", picks.collect::<Vec<_>>().join(" "))
    };
    (0..80).map(text).collect()
}

/// A folder with a table, a tokenizer of whole words, configs of small models, and `scenes/`.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("texts.tsv", &table());
        let words = ["[PAD]", "[UNK]", "free", "prize", "win", "call", "home", "lunch", "later", "love"];
        let vocabulary: serde_json::Map<String, serde_json::Value> =
            words.iter().enumerate().map(|(id, word)| (word.to_string(), id.into())).collect();
        let tokenizer = serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
            "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]" },
        });
        write("tokenizer.json", &tokenizer.to_string());
        let gpt2 = |dropout: f64| {
            serde_json::json!({
                "model_type": "gpt2", "vocab_size": 12, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2,
                "embd_pdrop": dropout, "attn_pdrop": dropout, "resid_pdrop": dropout,
                "activation_function": "relu",
            })
            .to_string()
        };
        write("gpt2.json", &gpt2(0.0));
        write("noisy.json", &gpt2(0.3));
        let bert = serde_json::json!({
            "model_type": "bert", "vocab_size": 12, "max_position_embeddings": 16, "hidden_size": 16,
            "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
            "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "type_vocab_size": 2,
        });
        write("bert.json", &bert.to_string());
        let options = SceneOptions { count: 24, seed: 3, size: 32, ..SceneOptions::default() };
        render(&folder.path().join("scenes"), &options, &|_, _| {}).unwrap();
        folder
    });
    folder.path()
}

pub const TEXTS: &str = r#"
name = "texts"
task = "text-classification"
[data]
format = "tsv"
path = "texts.tsv"
columns = { label = 0, text = 1 }
tokenizer = "tokenizer.json"
split = { valid = 0.25 }
[model]
arch = "gpt2"
config = "gpt2.json"
weights = "none"
[optim]
type = "AdamW"
lr = 0.003
[train]
epochs = 2
batch_size = 8
precision = "fp32"
"#;

pub const PICTURES: &str = r#"
name = "pictures"
task = "image-classification"
[data]
train = "scenes"
split = { valid = 0.25 }
workers = 1
[data.transform]
train = [{ op = "Resize", size = [32, 32] }, { op = "RandomHorizontalFlip" }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]
eval = [{ op = "Resize", size = [32, 32] }, { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] }]
[model]
arch = "resnet18"
weights = "none"
[optim]
type = "SGD"
lr = 0.01
momentum = 0.9
[train]
epochs = 1
batch_size = 6
precision = "fp32"
"#;

/// Contrastive pretraining of a ViT that takes milliseconds.
pub const CONTRAST: &str = r#"
name = "contrast"
task = "contrastive"
[data]
train = "scenes"
split = { valid = 0.25 }
workers = 1
[data.transform]
train = [{ op = "RandomResizedCrop", size = 32, scale = [0.4, 1.0] }, { op = "RandomHorizontalFlip" }]
eval = [{ op = "Resize", size = [32, 32] }]
[model]
arch = "vit"
weights = "none"
vit = { size = "tiny", patch_size = 8, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2 }
[contrastive]
dim = 16
queue = 16
momentum = 0.9
[optim]
type = "SGD"
lr = 0.01
[train]
epochs = 2
batch_size = 8
drop_last = true
precision = "fp32"
"#;

/// A recipe over [`folder`].
pub fn loaded(text: &str, sets: &[&str]) -> Loaded {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    let mut loaded = luthier_recipe::parse("test.toml", text, &sets).unwrap();
    loaded.base = folder().to_path_buf();
    loaded
}

pub fn prepared(text: &str, sets: &[&str]) -> Prepared {
    let loaded = loaded(text, sets);
    prepare(&loaded.recipe, &loaded.base, "cpu").unwrap()
}

/// Probes a recipe with time enough.
pub fn probed(text: &str, sets: &[&str]) -> ProbeFacts {
    let _alone = alone();
    luthier_probe::probe(prepared(text, sets), Duration::from_secs(60)).unwrap().0
}
