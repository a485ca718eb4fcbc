//! Low-rank adaptation (Hu et al. 2021, "LoRA: Low-rank adaptation of large language models", arXiv 2106.09685), with
//! PEFT's names: beside a frozen linear layer W stand trained A `[r, inputs]` and B `[outputs, r]`, as `lora_A.weight` and
//! `lora_B.weight` below the layer's name, and the layer gives W x + s B A x.

mod adapter;
mod peft;
mod site;
mod targets;

use luthier_plan::{LORA_TENSORS as TENSORS, LoraPlan, Role};
use luthier_recipe::LoraBias;
use luthier_torch::manual_seed;
use tch::Tensor;

pub(crate) use adapter::Adapter;
pub use peft::{AdapterFile, read_adapter};
pub(crate) use site::{Site, Sites, Slot};

use crate::{Builder, Init, Model, ModelError, ParamStore};

/// Its draws are others than those of the model, which the same seed decides.
const STREAM: u64 = 0x4C6F_5241;

impl Model {
    /// Puts an A and a B beside each layer of the plan and freezes all that the plan does not train. A starts uniform in
    /// ±1/√inputs and B at 0, as in PEFT, so the model gives what it gave. Weights have to be loaded before: DoRA starts
    /// from their lengths.
    ///
    /// # Errors
    /// A layer of the plan is none of this model's, or memory runs out.
    pub fn add_lora(&mut self, plan: &LoraPlan, seed: u64) -> Result<(), ModelError> {
        let sites = self.sites.all();
        let _draws = manual_seed(seed ^ STREAM);
        for name in &plan.modules {
            let site = sites
                .iter()
                .find(|site| site.name == *name)
                .ok_or_else(|| ModelError::NoLinear(name.clone()))?;
            let adapter = self.adapter(site, plan)?;
            site.slot.put(adapter);
        }
        for entry in self.parameters() {
            let trained = trains(plan, &entry.name);
            let _ = entry.tensor.shallow_clone().f_requires_grad_(trained)?;
        }
        if plan.dropout > 0.0 {
            self.switches.set_lora_drops(true);
            for part in &mut self.parts {
                part.noisy |= plan.modules.iter().any(|module| part.owns(module));
            }
        }
        Ok(())
    }

    /// The tensors of one layer, in the store behind the layer's own.
    fn adapter(&mut self, site: &Site, plan: &LoraPlan) -> Result<Adapter, ModelError> {
        let rank = i64::try_from(plan.r).unwrap_or(i64::MAX);
        let [outputs, inputs] = site.size();
        let mut fresh = ParamStore::default();
        let mut place = Builder::new(&mut fresh, self.device);
        let mut place = place.at(&site.name);
        // kaiming_uniform with a = √5: √(6 / ((1 + 5) · inputs))
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
        let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
        let a = place.at("lora_A").parameter("weight", &[rank, inputs], Role::Weight, init)?;
        let b =
            place.at("lora_B").parameter("weight", &[outputs, rank], Role::Weight, Init::Constant(0.0))?;
        let magnitude = if plan.use_dora {
            let length =
                place.parameter("lora_magnitude_vector", &[outputs], Role::Norm, Init::Constant(1.0))?;
            let lengths = tch::no_grad(|| site.lengths())?;
            tch::no_grad(|| length.shallow_clone().f_copy_(&lengths))?;
            Some(length)
        } else {
            None
        };
        self.store.put_below(&site.name, fresh);
        Ok(Adapter { a, b, magnitude, scale: plan.scale(), dropout: plan.dropout })
    }

    /// Every tensor by name, what LoRA has learned added to the weights of its layers, and without tensors of LoRA. The
    /// same as [`Model::state`] without LoRA.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn merged_state(&self) -> Result<Vec<(String, Tensor)>, ModelError> {
        let sites = self.sites.all();
        let mut state = Vec::new();
        for (name, tensor) in self.state() {
            if TENSORS.iter().any(|ending| name.ends_with(ending)) {
                continue;
            }
            let site = sites.iter().find(|site| name.strip_suffix(".weight") == Some(&site.name));
            let merged = site.map(Site::merged).transpose()?.flatten();
            state.push((name, merged.unwrap_or(tensor)));
        }
        Ok(state)
    }

    /// What LoRA comes to, as a sentence.
    pub fn lora_note(&self, plan: &LoraPlan) -> String {
        let count = |trained: bool| -> usize {
            let entries = self.parameters().filter(|entry| !trained || entry.tensor.requires_grad());
            entries.map(|entry| entry.tensor.numel()).sum()
        };
        let (trained, all) = (count(true), count(false));
        #[expect(clippy::cast_precision_loss, reason = "counts of parameters")]
        let share = 100.0 * trained as f64 / all.max(1) as f64;
        let whole = match plan.modules_to_save.as_slice() {
            [] => String::new(),
            names => format!(", `{}` whole", names.join("`, `")),
        };
        format!(
            "LoRA of rank {} and scale {} on {} of {} linear layers{whole}: {trained} of {all} numbers are trained \
             ({share:.2} %), all else rests",
            plan.r,
            round(plan.scale()),
            plan.modules.len(),
            self.sites.all().len(),
        )
    }
}

/// Whether the plan trains a parameter.
fn trains(plan: &LoraPlan, name: &str) -> bool {
    let lora = TENSORS.iter().any(|ending| name.ends_with(ending));
    let bias = match plan.bias {
        LoraBias::None => false,
        LoraBias::All => name.contains("bias"),
        LoraBias::LoraOnly => {
            name.strip_suffix(".bias").is_some_and(|layer| plan.modules.iter().any(|module| module == layer))
        }
    };
    lora || bias || plan.modules_to_save.iter().any(|layer| targets::is_at(name, layer))
}

/// Four digits are enough for a reader.
fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
