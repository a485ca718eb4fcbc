//! PEFT's files: `adapter_config.json` and `adapter_model.safetensors`.

use std::path::{Path, PathBuf};

use luthier_plan::{LORA_TENSORS as TENSORS, LoraPlan, PlanError, of_lora};
use luthier_recipe::{Arch, Lora, LoraBias};
use luthier_weights::Weights;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use super::targets;
use crate::{Model, ModelError, read_config, tensor_of};

/// What stands before every name of a layer.
const ROOT: &str = "base_model.model.";

/// An adapter as PEFT writes it.
#[derive(Debug)]
pub struct AdapterFile {
    folder: PathBuf,
    config: Config,
    /// Under the names that the wrapped model gives its tensors, PEFT's own words left out
    weights: Weights,
}

/// What of `adapter_config.json` decides the computation.
#[derive(Debug, Deserialize)]
struct Config {
    peft_type: String,
    r: u64,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    bias: LoraBias,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    /// A list of names, or one regular expression
    #[serde(default)]
    target_modules: Value,
    /// What is not supported, unless it is empty
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// Reads an adapter's folder.
///
/// # Errors
/// A file is missing or broken, or the adapter is of a kind that is not supported.
pub fn read_adapter(folder: &Path) -> Result<AdapterFile, ModelError> {
    let failed = |why: String| ModelError::Adapter { folder: folder.to_owned(), why };
    let config = read_config(&folder.join("adapter_config.json"))
        .map_err(|error| failed(error.to_string()))
        .and_then(|json| serde_json::from_value::<Config>(json).map_err(|error| failed(error.to_string())))?;
    if config.peft_type != "LORA" {
        return Err(failed(format!("it is of the type `{}`, and only `LORA` is read", config.peft_type)));
    }
    if config.r < 1 || !(config.lora_alpha.is_finite() && config.lora_alpha > 0.0) {
        return Err(failed("`r` is at least 1 and `lora_alpha` above 0".to_owned()));
    }
    for key in [
        "rank_pattern",
        "alpha_pattern",
        "layer_replication",
        "lora_bias",
        "trainable_token_indices",
        "target_parameters",
        "alora_invocation_tokens",
        "use_qalora",
    ] {
        let set = config.rest.get(key).is_some_and(|value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        });
        if set {
            return Err(failed(format!("its `{key}` is not supported")));
        }
    }
    let mut weights = luthier_weights::read(&folder.join("adapter_model.safetensors"))
        .map_err(|error| failed(error.to_string()))?;
    weights.tensors = std::mem::take(&mut weights.tensors)
        .into_iter()
        .map(|(name, tensor)| {
            (
                name.strip_prefix(ROOT)
                    .unwrap_or(&name)
                    .replace(".base_layer.", ".")
                    .replace(".modules_to_save.", "."),
                tensor,
            )
        })
        .collect();
    Ok(AdapterFile { folder: folder.to_owned(), config, weights })
}

impl AdapterFile {
    /// The layers that the file has tensors for.
    pub(super) fn plan(&self, model: &Model, asked: &Lora) -> Result<LoraPlan, PlanError> {
        let key = "model.lora.adapter";
        let modules: Vec<String> = model
            .sites
            .all()
            .iter()
            .filter(|site| self.find(model, &site.name, TENSORS[0]).is_some())
            .map(|site| site.name.clone())
            .collect();
        let known = |name: &String| {
            TENSORS.iter().any(|ending| {
                let layer = name.trim_end_matches(".weight").strip_suffix(ending.trim_end_matches(".weight"));
                layer
                    .is_some_and(|layer| modules.iter().any(|m| model.names_of(m).iter().any(|n| n == layer)))
            })
        };
        let lost = self.weights.tensors.keys().find(|name| of_lora(name) && !known(name));
        if let Some(name) = lost {
            let what = format!("the adapter has `{name}`, and the model no linear layer for it");
            return Err(PlanError::at(key, what).help("the adapter is another model's"));
        }
        let saved = |entry: &&crate::Entry| {
            entry.name.rsplit_once('.').is_some_and(|(layer, kind)| {
                (kind == "weight" || !modules.iter().any(|m| m == layer))
                    && self.find(model, layer, &format!(".{kind}")).is_some()
                    && self.find(model, layer, ".weight").is_some()
            })
        };
        let mut layers: Vec<String> = match &asked.modules_to_save {
            Some(names) => model.saved(names)?,
            None => Vec::new(),
        };
        for entry in model.parameters().filter(saved) {
            let layer = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(layer, _)| layer);
            if !layers.iter().any(|known| targets::is_below(layer, known)) {
                layers.push(layer.to_owned());
            }
        }
        if asked.modules_to_save.is_none() {
            let heads = model.head_layers().into_iter();
            let more: Vec<String> =
                heads.filter(|head| !modules.contains(head) && !layers.contains(head)).collect();
            layers.extend(more);
        }
        let words = match &self.config.target_modules {
            Value::Array(names) => names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect(),
            Value::String(pattern) => vec![pattern.clone()],
            _ => Vec::new(),
        };
        if modules.is_empty() {
            return Err(PlanError::at(key, "the adapter has no tensors of LoRA"));
        }
        Ok(LoraPlan {
            r: self.config.r,
            alpha: self.config.lora_alpha,
            dropout: if asked.dropout > 0.0 { asked.dropout } else { self.config.lora_dropout },
            bias: if asked.bias == LoraBias::None { self.config.bias } else { asked.bias },
            use_rslora: self.config.use_rslora,
            use_dora: self.config.use_dora,
            asked: words,
            modules,
            modules_to_save: layers,
            adapter: Some(self.folder.display().to_string()),
        })
    }

    /// Names of tensors that this file replaces in a model.
    pub fn replaces<'a>(&self, model: &'a Model) -> Vec<&'a str> {
        let fits = |entry: &&crate::Entry| {
            self.tensor(model, &entry.name).is_some_and(|raw| same(&raw.shape, entry))
        };
        model.parameters().filter(fits).map(|entry| entry.name.as_str()).collect()
    }

    fn find(&self, model: &Model, layer: &str, ending: &str) -> Option<&luthier_weights::RawTensor> {
        model.names_of(layer).iter().find_map(|name| self.weights.tensors.get(&format!("{name}{ending}")))
    }

    /// The file's tensor for one of ours.
    fn tensor(&self, model: &Model, name: &str) -> Option<&luthier_weights::RawTensor> {
        for ending in TENSORS {
            if let Some(layer) = name.strip_suffix(ending) {
                return self.find(model, layer, ending).or_else(|| {
                    self.find(model, layer, &format!("{}.weight", ending.trim_end_matches(".weight")))
                });
            }
        }
        let (layer, kind) = name.rsplit_once('.')?;
        self.find(model, layer, &format!(".{kind}"))
    }

    /// Copies the file's tensors into a model that has the file's plan. Notes say what was left out.
    ///
    /// # Errors
    /// A tensor of LoRA is missing, or of another shape; nothing was copied then.
    pub fn copy_into(&self, model: &Model) -> Result<Vec<String>, ModelError> {
        let failed = |why: String| ModelError::Adapter { folder: self.folder.clone(), why };
        let (mut pairs, mut notes) = (Vec::new(), Vec::new());
        for entry in model.parameters() {
            let lora = TENSORS.iter().any(|ending| entry.name.ends_with(ending));
            match self.tensor(model, &entry.name) {
                Some(raw) if same(&raw.shape, entry) => pairs.push((entry, tensor_of(&entry.name, raw)?)),
                Some(raw) if lora => {
                    let (name, ours) = (&entry.name, entry.tensor.size());
                    return Err(failed(format!(
                        "`{name}` is {:?} in the file, {ours:?} in the model",
                        raw.shape
                    )));
                }
                Some(_) => notes.push(format!(
                    "`{}` of the adapter is of another shape and was left out: it starts from random weights",
                    entry.name
                )),
                None if lora => return Err(failed(format!("`{}` is missing", entry.name))),
                None => {}
            }
        }
        let count = pairs.len();
        tch::no_grad(|| -> Result<(), ModelError> {
            for (entry, value) in pairs {
                entry.tensor.shallow_clone().f_copy_(&value)?;
            }
            Ok(())
        })?;
        notes.insert(0, format!("{count} tensors of the adapter `{}` were read", self.folder.display()));
        Ok(notes)
    }
}

impl Model {
    /// What of a model with LoRA PEFT keeps, under its names.
    pub fn adapter_tensors(&self, plan: &LoraPlan) -> Vec<(String, Tensor)> {
        let theirs = |layer: &str| self.exported(layer);
        let mut out = Vec::new();
        for entry in self.parameters().filter(|entry| super::trains(plan, &entry.name)) {
            let tensor = entry.tensor.detach();
            let ending = TENSORS.iter().find(|ending| entry.name.ends_with(**ending));
            let name = match ending.and_then(|ending| Some((entry.name.strip_suffix(ending)?, ending))) {
                Some((layer, ending)) => format!("{}{ending}", theirs(layer)),
                None => match entry.name.rsplit_once('.') {
                    Some((layer, kind)) if plan.modules.iter().any(|module| module == layer) => {
                        format!("{}.base_layer.{kind}", theirs(layer))
                    }
                    Some((layer, kind)) => format!("{}.{kind}", theirs(layer)),
                    None => entry.name.clone(),
                },
            };
            out.push((format!("{ROOT}{name}"), tensor));
        }
        out
    }

    /// `adapter_config.json`; `base` is where the weights below came from.
    pub fn adapter_config(&self, plan: &LoraPlan, base: Option<&str>) -> Value {
        let head = self.head_layers().iter().all(|head| plan.modules_to_save.contains(head));
        let saved: Vec<String> = plan.modules_to_save.iter().map(|layer| self.exported(layer)).collect();
        json!({
            "peft_type": "LORA",
            // it makes PEFT train `classifier` and `score`, too
            "task_type": if self.arch.reads_text() && head { json!("SEQ_CLS") } else { Value::Null },
            "base_model_name_or_path": base,
            "inference_mode": true,
            "r": plan.r,
            "lora_alpha": plan.alpha,
            "lora_dropout": plan.dropout,
            "target_modules": self.target_modules(plan),
            "modules_to_save": saved,
            "bias": plan.bias,
            "use_rslora": plan.use_rslora,
            "use_dora": plan.use_dora,
            "fan_in_fan_out": self.arch == Arch::Gpt2,
            "init_lora_weights": true,
        })
    }

    /// The last words of the layers' names where those mean the same layers and no others, else the whole names.
    fn target_modules(&self, plan: &LoraPlan) -> Vec<String> {
        let whole: Vec<String> = plan.modules.iter().map(|module| self.exported(module)).collect();
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let mut words: Vec<String> = whole.iter().map(|name| last(name)).collect();
        words.sort();
        words.dedup();
        let layers =
            self.parameters().filter_map(|entry| entry.name.rsplit_once('.').map(|(layer, _)| layer));
        let mut others = layers.filter(|layer| {
            !of_lora(layer) && !plan.modules.iter().chain(&plan.modules_to_save).any(|m| m == layer)
        });
        let clash = others.any(|layer| words.contains(&last(&self.exported(layer))));
        let numbers = words.iter().any(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        if clash || numbers { whole } else { words }
    }

    /// A layer's name in the model of `transformers`, where it has one.
    fn exported(&self, layer: &str) -> String {
        self.names_of(layer).pop().unwrap_or_else(|| layer.to_owned())
    }
}

fn same(shape: &[usize], entry: &crate::Entry) -> bool {
    entry.tensor.size().iter().map(|&extent| usize::try_from(extent).ok()).eq(shape.iter().map(|&e| Some(e)))
}
