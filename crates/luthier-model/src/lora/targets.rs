//! Which layers a recipe means.

use luthier_plan::{LoraPlan, Patterns, PlanError};
use luthier_recipe::{Arch, Lora, LoraTargets, did_you_mean};

use super::{AdapterFile, Site};
use crate::huggingface::vit;
use crate::{Model, huggingface_name};

const TARGETS: &str = "model.lora.target_modules";
const SAVED: &str = "model.lora.modules_to_save";

impl Model {
    /// What a recipe's `model.lora` comes to. `fresh` are the names of tensors that start from random weights, the head's
    /// among them where it does; `adapter` is the file that `asked.adapter` names.
    ///
    /// # Errors
    /// A name matches no linear layer, or a layer that starts from random weights would stay as it is.
    pub fn plan_lora(
        &self,
        asked: &Lora,
        adapter: Option<&AdapterFile>,
        fresh: &[String],
    ) -> Result<LoraPlan, PlanError> {
        if let Some(file) = adapter {
            let plan = file.plan(self, asked)?;
            self.refuse_frozen(&plan, fresh)?;
            return Ok(plan);
        }
        let (sites, heads) = (self.sites.all(), self.head_layers());
        let (words, all) = match &asked.target_modules {
            Some(LoraTargets::All(_)) => (vec!["all-linear".to_owned()], true),
            Some(LoraTargets::Named(names)) => (names.clone(), false),
            None => (usual(self.arch), false),
        };
        let chosen: Vec<&Site> = if all {
            sites.iter().filter(|site| !heads.contains(&site.name)).collect()
        } else {
            self.named(&sites, &words)?
        };
        let targeted = |layer: &str| chosen.iter().any(|site| is_at(&site.name, layer));
        let saved = match &asked.modules_to_save {
            Some(names) => self.saved(names)?,
            // what starts from random weights has to be trained
            None => {
                let mut layers: Vec<String> = heads.iter().filter(|head| !targeted(head)).cloned().collect();
                for name in fresh {
                    let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer);
                    if !targeted(layer) && !layers.iter().any(|known| is_at(name, known)) {
                        layers.push(layer.to_owned());
                    }
                }
                layers
            }
        };
        // PEFT trains a layer whole that is in both lists
        let modules: Vec<String> = chosen
            .iter()
            .filter(|site| !saved.iter().any(|layer| is_at(&site.name, layer)))
            .map(|site| site.name.clone())
            .collect();
        if modules.is_empty() {
            let what = if chosen.is_empty() {
                "there is no linear layer but the head"
            } else {
                "all of them are in `modules_to_save`"
            };
            return Err(PlanError::at(TARGETS, format!("LoRA has no layer to stand at: {what}"))
                .help(self.listing(&sites)));
        }
        let plan = LoraPlan {
            r: asked.r.unwrap_or(8),
            alpha: asked.alpha.unwrap_or(0.0),
            dropout: asked.dropout,
            bias: asked.bias,
            use_rslora: asked.use_rslora,
            use_dora: asked.use_dora,
            asked: words,
            modules,
            modules_to_save: saved,
            adapter: None,
        };
        self.refuse_frozen(&plan, fresh)?;
        Ok(plan)
    }

    /// The linear layers with these names.
    fn named<'a>(&self, sites: &'a [Site], words: &[String]) -> Result<Vec<&'a Site>, PlanError> {
        let mut chosen = vec![false; sites.len()];
        for (index, word) in words.iter().enumerate() {
            let patterns = if is_pattern(word) {
                Some(Patterns::new(std::slice::from_ref(word), TARGETS)?)
            } else {
                None
            };
            let fits = |name: &String| match &patterns {
                Some(patterns) => patterns.first(name).is_some(),
                None => ends_in(name, word),
            };
            let mut found = false;
            for (site, chosen) in sites.iter().zip(&mut chosen) {
                let fits = self.names_of(&site.name).iter().any(fits);
                *chosen |= fits;
                found |= fits;
            }
            if !found {
                return Err(self.no_such_layer(sites, index, word));
            }
        }
        Ok(sites.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(site, _)| site).collect())
    }

    fn no_such_layer(&self, sites: &[Site], index: usize, word: &str) -> PlanError {
        let other = self.parameters().any(|entry| {
            let layer = entry.name.rsplit_once('.').map_or("", |(layer, _)| layer);
            ends_in(layer, word)
        });
        let what = if other {
            format!("`{word}` is no linear layer, and LoRA stands at those alone")
        } else {
            format!("`{word}` matches no linear layer")
        };
        let names: Vec<String> = sites.iter().flat_map(|site| self.names_of(&site.name)).collect();
        let lasts = names.iter().map(|name| name.rsplit('.').next().unwrap_or(name));
        let meant = did_you_mean(word, names.iter().map(String::as_str).chain(lasts));
        let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        PlanError::at(format!("{TARGETS}[{index}]"), what).help(format!("{meant}{}", self.listing(sites)))
    }

    /// The linear layers, numbers of blocks left out.
    fn listing(&self, sites: &[Site]) -> String {
        let mut names: Vec<String> = Vec::new();
        let heads = self.head_layers();
        for site in sites.iter().filter(|site| !heads.contains(&site.name)) {
            let several = sites.len() > 8;
            let number = |word: &str| word.parse::<usize>().is_ok();
            let star = |word| if several && number(word) { "*" } else { word };
            let name = site.name.split('.').map(star).collect::<Vec<_>>().join(".");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        match names.as_slice() {
            [] => format!("`{}`, the head, is the only linear layer", self.head),
            names => format!("linear layers are `{}`, and the head `{}`", names.join("`, `"), self.head),
        }
    }

    /// Layers that are trained whole, by our names.
    pub(super) fn saved(&self, words: &[String]) -> Result<Vec<String>, PlanError> {
        let mut layers: Vec<String> = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let mut found = false;
            for entry in self.parameters() {
                let layer = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(layer, _)| layer);
                if self.names_of(layer).iter().any(|name| is_below(name, word)) {
                    found = true;
                    if !layers.iter().any(|known| known == layer) {
                        layers.push(layer.to_owned());
                    }
                }
            }
            if !found {
                let names: Vec<String> = self.parameters().map(|entry| entry.name.clone()).collect();
                let words = names.iter().flat_map(|name| name.split('.'));
                let meant = did_you_mean(word, words);
                let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
                return Err(PlanError::at(
                    format!("{SAVED}[{index}]"),
                    format!("`{word}` matches no layer of the model"),
                )
                .help(format!("{meant}the head is `{}`", self.head)));
            }
        }
        Ok(layers)
    }

    /// A layer that starts from random weights and is not trained makes the run worthless.
    fn refuse_frozen(&self, plan: &LoraPlan, fresh: &[String]) -> Result<(), PlanError> {
        let covered = |name: &String| {
            let layers = plan.modules_to_save.iter().chain(&plan.modules);
            layers.into_iter().any(|layer| is_at(name, layer))
        };
        let Some(name) = fresh.iter().find(|name| !covered(name)) else { return Ok(()) };
        let layer = name.rsplit_once('.').map_or(name.as_str(), |(layer, _)| layer);
        let what = format!("`{layer}` starts from random weights and would stay as it is");
        Err(PlanError::at(SAVED, what).help(format!(
            "add `{layer}` to `modules_to_save`, or leave `modules_to_save` out: what starts random is trained then"
        )))
    }

    /// The names that a layer goes by: ours, and those of `transformers`' files and models.
    pub(super) fn names_of(&self, layer: &str) -> Vec<String> {
        let mut names = vec![layer.to_owned()];
        let theirs = huggingface_name(self.arch, &format!("{layer}.weight"));
        names.extend(theirs.and_then(|name| Some(name.strip_suffix(".weight")?.to_owned())));
        if self.arch == Arch::Vit {
            names.push(vit::newer(layer));
        }
        names.dedup();
        names
    }
}

/// Layers that LoRA usually stands at, by Hu et al. 2021 queries and values.
fn usual(arch: Arch) -> Vec<String> {
    let names: &[&str] = match arch {
        Arch::Gpt2 => &["c_attn"],
        _ => &["query", "value"],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// PEFT's match of a name in a list: the whole, or the last words.
fn ends_in(name: &str, word: &str) -> bool {
    name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether a name is the layer's, or one below it.
pub(super) fn is_at(name: &str, layer: &str) -> bool {
    name.strip_prefix(layer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// As [`is_at`], where a person may have given the layer by its last words: `classifier.dense` by `dense`.
pub(super) fn is_below(name: &str, layer: &str) -> bool {
    let beginnings = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1));
    beginnings.filter_map(|start| name.get(start..)).any(|rest| is_at(rest, layer))
}
