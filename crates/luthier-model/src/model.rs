//! An architecture with its parameters.

use std::ops::Range;

use luthier_plan::{Patterns, Role, TensorPlan};
use luthier_recipe::Arch;
use luthier_torch::{channels_last, manual_seed, set_data};
use tch::{Device, Kind, Tensor};

use crate::arch::{self, Noise};
use crate::{Builder, Entry, Flow, Input, ModelError, Network, ParamStore, Part, arch_name};

/// An architecture with its parameters.
pub struct Model {
    /// Architecture
    pub arch: Arch,
    /// What it computes
    pub net: Box<dyn Network>,
    /// Its parameters and buffers
    pub store: ParamStore,
    /// Name of the layer that makes logits: its tensors are `{head}.weight` and `{head}.bias`
    pub head: &'static str,
    /// Where its tensors are
    pub device: Device,
    classes: i64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("arch", &self.arch)
            .field("classes", &self.classes)
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// A model with random weights, decided by `seed` alone. `dropout` is the architecture's own if `None`.
    ///
    /// Seeds libtorch's generator, which is the process's.
    ///
    /// # Errors
    /// There are no classes, the dropout is no probability or the architecture has none, or memory runs out.
    pub fn new(
        arch: Arch,
        classes: u64,
        dropout: Option<f64>,
        seed: u64,
        device: Device,
    ) -> Result<Self, ModelError> {
        if let Some(rate) = dropout {
            if !(0.0..1.0).contains(&rate) {
                return Err(ModelError::Dropout(rate));
            }
            if !arch::has_dropout(arch) {
                return Err(ModelError::NoDropout { arch: arch_name(arch) });
            }
        }
        Self::build(arch, classes, Noise { dropout, drop_connect: true }, seed, device)
    }

    /// As [`Model::new`], without dropout and stochastic depth: training is then a function of the weights and the
    /// pictures.
    ///
    /// # Errors
    /// There are no classes, or memory runs out.
    pub fn without_noise(arch: Arch, classes: u64, seed: u64, device: Device) -> Result<Self, ModelError> {
        Self::build(arch, classes, Noise { dropout: Some(0.0), drop_connect: false }, seed, device)
    }

    fn build(arch: Arch, classes: u64, noise: Noise, seed: u64, device: Device) -> Result<Self, ModelError> {
        let outputs =
            i64::try_from(classes).ok().filter(|&count| count > 0).ok_or(ModelError::Classes(classes))?;
        manual_seed(seed);
        let mut store = ParamStore::default();
        let net = arch::build(arch, Builder::new(&mut store, device), outputs, noise)?;
        Ok(Self { arch, net, store, head: arch::head(arch), device, classes: outputs })
    }

    /// A batch of inputs to fp32 logits `[N, classes]`: every part, one after the other.
    ///
    /// # Errors
    /// The input is none of this architecture, or a BatchNorm has one value per channel to take statistics of.
    pub fn forward(&self, input: &Input, train: bool) -> Result<Tensor, ModelError> {
        let flow = self.begin(input)?;
        Ok(self.run(0..self.parts().len(), flow, train)?.hidden)
    }

    /// The parts of the network, in the order they run; the last one makes logits.
    pub fn parts(&self) -> &[Part] {
        self.net.parts()
    }

    /// The part that a parameter or buffer belongs to, as an index into [`Model::parts`].
    pub fn part_of(&self, name: &str) -> Option<usize> {
        self.parts().iter().position(|part| part.owns(name))
    }

    /// Checks an input and makes it what the first part takes.
    ///
    /// # Errors
    /// The input is none of this architecture.
    pub fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        self.net.begin(input)
    }

    /// Runs some parts on what the parts before them gave; the last part gives fp32 logits `[N, classes]`. In training,
    /// normalisation layers that are trained use the batch's statistics and move the running ones, and dropout drops.
    /// What `flow` holds is not changed.
    ///
    /// # Errors
    /// There are no such parts, `flow` is not what the first of them takes, or a BatchNorm has one value per channel to
    /// take statistics of.
    pub fn run(&self, parts: Range<usize>, flow: Flow, train: bool) -> Result<Flow, ModelError> {
        let count = self.parts().len();
        if parts.start > parts.end || parts.end > count {
            let (start, end) = (parts.start, parts.end);
            return Err(ModelError::Parts { arch: arch_name(self.arch), count, start, end });
        }
        let logits = parts.contains(&(count - 1));
        let mut flow = flow;
        for part in parts {
            flow = self.net.run(part, &flow, train)?;
        }
        if logits {
            // bf16 logits would cost the loss its digits
            flow.hidden = flow.hidden.f_to_kind(Kind::Float)?;
        }
        Ok(flow)
    }

    /// Number of classes.
    pub fn classes(&self) -> i64 {
        self.classes
    }

    /// What a gradient could move, in order, frozen or not.
    pub fn parameters(&self) -> impl Iterator<Item = &Entry> {
        self.store.entries().iter().filter(|entry| entry.role != Role::Buffer)
    }

    /// What is not frozen, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Entry> {
        self.parameters().filter(|entry| entry.tensor.requires_grad())
    }

    /// Every tensor as the plan tells it, without its optimizer group.
    pub fn tensor_plans(&self) -> Vec<TensorPlan> {
        let plan = |entry: &Entry| TensorPlan {
            name: entry.name.clone(),
            shape: entry.tensor.size(),
            dtype: if entry.tensor.kind() == Kind::Int64 { "int64" } else { "float32" }.to_owned(),
            role: entry.role,
            trainable: entry.tensor.requires_grad(),
            group: None,
        };
        self.store.entries().iter().map(plan).collect()
    }

    /// Takes the parameters that match a pattern out of training, for good, and returns their names. A BatchNorm whose
    /// scale is frozen keeps its statistics.
    ///
    /// # Errors
    /// A pattern is none, or matches no parameter; nothing is frozen then.
    pub fn freeze(&self, patterns: &[String]) -> Result<Vec<String>, ModelError> {
        let compiled = Patterns::new(patterns, "model.freeze")?;
        if let Some((_, pattern)) = compiled.unused(self.names()).first() {
            return Err(ModelError::FreezesNothing {
                pattern: (*pattern).to_owned(),
                arch: arch_name(self.arch),
                help: near(pattern, self.names()),
            });
        }
        let mut frozen = Vec::new();
        for entry in self.parameters().filter(|entry| compiled.first(&entry.name).is_some()) {
            let _ = entry.tensor.shallow_clone().f_requires_grad_(false)?;
            frozen.push(entry.name.clone());
        }
        Ok(frozen)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters().map(|entry| entry.name.as_str())
    }

    /// Lays the convolutions' kernels out with the channels side by side, which is fastest for pictures that lie so.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn to_channels_last(&self) -> Result<(), ModelError> {
        for entry in self.parameters().filter(|entry| entry.tensor.dim() == 4) {
            set_data(&entry.tensor, &channels_last(&entry.tensor.f_detach()?)?)?;
        }
        Ok(())
    }

    /// Every tensor by name, in the order of PyTorch's `state_dict`. They share the model's memory, and may lie there
    /// in another order than row by row.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.store.entries().iter().map(|entry| (entry.name.clone(), entry.tensor.detach())).collect()
    }
}

/// Says which names are nearest to a pattern.
fn near<'a>(pattern: &str, names: impl Iterator<Item = &'a str>) -> String {
    const FEW: usize = 3;
    // A pattern stands for a layer more often than for a tensor: compare with the names' beginnings, too.
    let word = pattern.trim_end_matches('*').trim_end_matches('.');
    let mut candidates: Vec<(usize, &str)> = Vec::new();
    for name in names {
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        for prefix in ends.filter_map(|end| name.get(..end)) {
            if !candidates.iter().any(|(_, seen)| *seen == prefix) {
                candidates.push((strsim::damerau_levenshtein(word, prefix), prefix));
            }
        }
    }
    candidates.sort_by_key(|(distance, _)| *distance);
    let names: Vec<_> = candidates.iter().take(FEW).map(|(_, name)| format!("`{name}`")).collect();
    format!(
        "near are {}; `*` matches anything, dots included, so `layer1.*` is a whole layer",
        names.join(", ")
    )
}
