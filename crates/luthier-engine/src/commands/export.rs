//! `luthier export`: a run's weights as other tools read them.

use std::path::Path;

use luthier::args::{ExportArgs, ExportFormat};
use luthier::voice::{Blame, Failure, Sentence, Voice};
use luthier_model::{ModelError, huggingface_config, huggingface_name, huggingface_preprocessor};
use luthier_plan::LoraPlan;
use luthier_recipe::{Size, Transform};
use luthier_train::{Runner, tokenizer_files};

use crate::opened;

pub fn run(args: &ExportArgs, device: Option<&str>, voice: &Voice) -> Result<(), Failure> {
    let opened = opened::open(&args.run, &args.checkpoint, device, voice)?;
    let lora = opened.runner.plan.model.lora.clone();
    check(args, lora.is_some())?;
    let peft = args.to == ExportFormat::Peft;
    let weights = args.dir.join(if peft { "adapter_model.safetensors" } else { "model.safetensors" });
    if weights.exists() && !args.force {
        return Err(Failure::misuse(
            format!("`{}` is there already", weights.display()),
            "name another folder, or replace it with `--force`",
        ));
    }
    std::fs::create_dir_all(&args.dir).map_err(|error| {
        Failure::call(Sentence {
            message: format!("cannot make `{}`: {error}", args.dir.display()),
            hint: None,
        })
    })?;
    match args.to {
        ExportFormat::Safetensors => safetensors(&opened.runner, &args.dir, &weights)?,
        ExportFormat::Hf => hf(&opened.runner, &args.dir, &weights)?,
        ExportFormat::Peft => peft_folder(&opened.runner, lora.as_ref(), &args.dir, &weights)?,
    }
    voice.status(
        "exported",
        &format!("{} of {} to {}", opened.checkpoint, args.run.display(), args.dir.display()),
    );
    Ok(())
}

/// Whether what was asked for goes with what the run trained.
fn check(args: &ExportArgs, lora: bool) -> Result<(), Failure> {
    let run = args.run.display();
    let refusal = match (args.to, lora, args.merge) {
        (ExportFormat::Peft, false, _) | (_, false, true) => Some((
            format!("`{run}` was trained without LoRA"),
            "export it with `--to hf` or `--to safetensors`, without `--merge`",
        )),
        (ExportFormat::Peft, true, true) => Some((
            "an adapter is what is not merged".to_owned(),
            "leave `--merge` out, or write `--to hf --merge`",
        )),
        (ExportFormat::Hf | ExportFormat::Safetensors, true, false) => Some((
            format!("`{run}` was trained with LoRA, and this format has no place for it"),
            "add `--merge`, which adds it to the weights, or write `--to peft`",
        )),
        _ => None,
    };
    match refusal {
        Some((what, hint)) => Err(Failure::misuse(what, hint)),
        None => Ok(()),
    }
}

/// What was learned beside the base, as `peft` reads it.
fn peft_folder(runner: &Runner, lora: Option<&LoraPlan>, dir: &Path, weights: &Path) -> Result<(), Failure> {
    let Some(lora) = lora else { return Ok(()) };
    let base = runner.plan.model.weights.as_str();
    let base = base.strip_prefix("hf:").unwrap_or(base);
    runner.write_tensors(weights, &runner.model.adapter_tensors(lora)).or_subject()?;
    json(
        &dir.join("adapter_config.json"),
        &runner.model.adapter_config(lora, (base != "none").then_some(base)),
    )?;
    if runner.plan.text.is_some() { tokenizer(runner, dir) } else { Ok(()) }
}

/// The architecture's own names, and the classes in label order beside it.
fn safetensors(runner: &Runner, dir: &Path, weights: &Path) -> Result<(), Failure> {
    // what made embeddings is of no use to whom the encoder is for
    let pretrained = runner.plan.recipe.contrastive.is_some();
    let kept = |name: &str| (!pretrained || !runner.model.is_head(name)).then(|| name.to_owned());
    runner.write_weights(weights, kept).or_subject()?;
    if let Some(table) = &runner.plan.table {
        // what a row has to go through before the network, and a regression's outputs behind it
        json(&dir.join("table.json"), &serde_json::json!(table))?;
    }
    if runner.plan.data.classes.is_empty() || pretrained {
        return Ok(());
    }
    json(&dir.join("classes.json"), &serde_json::json!(runner.plan.data.classes))
}

fn hf(runner: &Runner, dir: &Path, weights: &Path) -> Result<(), Failure> {
    if runner.plan.recipe.contrastive.is_some() {
        return Err(Failure::misuse(
            "the run has an encoder and no classes, and this format wants a classifier",
            "export it with `--to safetensors`, and fine-tune from that",
        ));
    }
    let arch = runner.plan.recipe.model.arch;
    let pad_token =
        runner.plan.text.as_ref().and_then(|text| text.pad_token.as_ref()).map(|(_, id)| i64::from(*id));
    let config = match huggingface_config(&runner.model, &runner.plan.data.classes, pad_token) {
        Ok(config) => config,
        Err(error @ ModelError::NotInTransformers { .. }) => {
            return Err(Failure::misuse(
                error.to_string(),
                "export with `--to safetensors`: the tensors keep the names of the architecture's own package",
            ));
        }
        Err(error) => return Err(error).or_subject(),
    };
    runner.write_weights(weights, |name| huggingface_name(arch, name)).or_subject()?;
    json(&dir.join("config.json"), &config)?;
    if runner.plan.text.is_some() {
        return tokenizer(runner, dir);
    }
    let chain = runner.plan.recipe.data.eval_transform();
    let (size, mean, std) = (crop(chain), normalize(chain).0, normalize(chain).1);
    json(&dir.join("preprocessor_config.json"), &huggingface_preprocessor(arch, size, mean, std))
}

/// The tokenizer's own files, so that the folder is all that `transformers` needs.
fn tokenizer(runner: &Runner, dir: &Path) -> Result<(), Failure> {
    for (file, name) in tokenizer_files(&runner.plan).or_subject()? {
        let text = std::fs::read(&file).map_err(|error| {
            Failure::subject(Sentence {
                message: format!("cannot read `{}`: {error}", file.display()),
                hint: None,
            })
        })?;
        luthier_track::write_atomic(&dir.join(name), &text).or_subject()?;
    }
    Ok(())
}

/// Edge of the pictures that the model is evaluated on.
fn crop(chain: &[Transform]) -> u32 {
    let edge = |size: &Size| match size {
        Size::One(edge) => *edge,
        Size::Pair([height, _]) => *height,
    };
    let last = chain.iter().rev().find_map(|transform| match transform {
        Transform::CenterCrop { size }
        | Transform::Resize { size }
        | Transform::RandomResizedCrop { size, .. } => Some(edge(size)),
        _ => None,
    });
    last.unwrap_or(224)
}

fn normalize(chain: &[Transform]) -> ([f32; 3], [f32; 3]) {
    let found = chain.iter().find_map(|transform| match transform {
        Transform::Normalize { mean, std } => Some((*mean, *std)),
        _ => None,
    });
    found.unwrap_or(([0.0; 3], [1.0; 3]))
}

fn json(path: &Path, value: &serde_json::Value) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Failure::subject(Sentence { message: error.to_string(), hint: None }))?;
    luthier_track::write_atomic(path, &text).or_subject()
}
