//! An architecture with its parameters.

use std::ops::Range;
use std::sync::Arc;

use luthier_plan::{Role, TensorPlan};
use luthier_recipe::{Arch, Pool};
use luthier_torch::{channels_last, manual_seed, set_data};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::arch::{self, Options};
use crate::config::NetConfig;
use crate::heads::HeadSpec;
use crate::lora::Sites;
use crate::switches::Switches;
use crate::{
    Builder, Entry, Flow, Input, ModelError, Network, ParamStore, Part, Spec, Tokens, arch_name, heads, pool,
    watch,
};

/// An architecture with its parameters.
pub struct Model {
    /// Architecture
    pub arch: Arch,
    /// What it computes
    pub net: Box<dyn Network>,
    /// Its parameters and buffers
    pub store: ParamStore,
    /// Name of the layer that makes logits: its tensors are `{head}.weight` and, where it has one, `{head}.bias`. Of
    /// several heads the architecture's own, which they stand for
    pub head: String,
    /// Several heads instead of that one, in order
    pub heads: Vec<HeadSpec>,
    /// Where its tensors are
    pub device: Device,
    classes: i64,
    outputs: i64,
    pool: Option<Pool>,
    pub(crate) config: Option<NetConfig>,
    pub(crate) parts: Vec<Part>,
    pub(crate) switches: Arc<Switches>,
    pub(crate) sites: Arc<Sites>,
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
    /// A model with random weights, decided by `seed` alone.
    ///
    /// Seeds libtorch's generator, which is the process's.
    ///
    /// # Errors
    /// There are no classes, the dropout is no probability or the architecture has none, the config asks for what is
    /// not there, something is given that is not for this architecture, or memory runs out.
    pub fn build(spec: &Spec, seed: u64, device: Device) -> Result<Self, ModelError> {
        Self::with_options(spec.arch, spec.classes, &spec.options()?, seed, device)
    }

    /// As [`Model::build`], with the architecture's own config and pooling. `dropout` is its own if `None`.
    ///
    /// # Errors
    /// As [`Model::build`].
    pub fn new(
        arch: Arch,
        classes: u64,
        dropout: Option<f64>,
        seed: u64,
        device: Device,
    ) -> Result<Self, ModelError> {
        Self::build(&Spec { dropout, ..Spec::new(arch, classes) }, seed, device)
    }

    /// As [`Model::new`], without dropout and stochastic depth: training is then a function of the weights and the
    /// inputs.
    ///
    /// # Errors
    /// There are no classes, or memory runs out.
    pub fn without_noise(arch: Arch, classes: u64, seed: u64, device: Device) -> Result<Self, ModelError> {
        let options = Spec::new(arch, classes).options()?;
        let config = options.config.map(|config| config.with_dropout(0.0));
        let options = Options { dropout: Some(0.0), whole_depth: true, config, ..options };
        Self::with_options(arch, classes, &options, seed, device)
    }

    fn with_options(
        arch: Arch,
        classes: u64,
        options: &Options,
        seed: u64,
        device: Device,
    ) -> Result<Self, ModelError> {
        let outputs =
            i64::try_from(classes).ok().filter(|&count| count > 0).ok_or(ModelError::Classes(classes))?;
        let _draws = manual_seed(seed);
        let mut store = ParamStore::default();
        let place = Builder::new(&mut store, device);
        let (switches, sites) = (place.switches(), place.sites());
        let net = arch::build(arch, place, outputs, options)?;
        let pool = arch.reads_text().then(|| options.pool.unwrap_or(pool::own(arch)));
        let config = options.config.clone();
        let parts = net.parts().to_vec();
        let (classes, heads) = (outputs, options.heads.clone());
        let (outputs, head) = net.outputs().unwrap_or_else(|| (classes, arch::head(arch).to_owned()));
        Ok(Self {
            arch,
            net,
            store,
            head,
            heads,
            device,
            classes,
            outputs,
            pool,
            config,
            parts,
            switches,
            sites,
        })
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
        &self.parts
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
        self.switches.set_trains(train);
        let logits = parts.contains(&(count - 1));
        let mut flow = flow;
        for part in parts {
            watch::enter(&self.parts()[part].name);
            let heads = flow.heads.clone();
            flow = Flow { heads, ..self.net.run(part, &flow, train)? };
            watch::leave(part + 1 == count, &flow.hidden);
        }
        // beginnings that texts have in common are computed once; what comes out is every text's own
        flow = flow.apart()?;
        if logits && flow.hidden.kind() != Kind::Float {
            // bf16 logits would cost the loss its digits
            flow.hidden = flow.hidden.f_to_kind(Kind::Float)?;
        }
        Ok(flow)
    }

    /// Packed texts to scores of each token's successor, fp32 `[total, vocabulary]`: the language-model head, which is
    /// tied to the table of embeddings, instead of the classifier.
    ///
    /// # Errors
    /// The architecture has no such head, or the tokens are none of it.
    pub fn next_tokens(&self, tokens: Tokens, train: bool) -> Result<Tensor, ModelError> {
        let flow = self.begin(&Input::Tokens(tokens))?;
        self.switches.set_trains(train);
        Ok(self.net.next_tokens(&flow, train)?.f_to_kind(Kind::Float)?)
    }

    /// The layers that come after the features: the head, or several heads and their hidden layers.
    pub fn head_layers(&self) -> Vec<String> {
        if self.heads.is_empty() { vec![self.head.clone()] } else { heads::prefixes(&self.heads) }
    }

    /// Whether a tensor of that name is one of what comes after the features.
    pub fn is_head(&self, name: &str) -> bool {
        let below = |layer: &str| name.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
        below(&self.head) || heads::prefixes(&self.heads).iter().any(|layer| below(layer))
    }

    /// Numbers that it gives of each sample: one for each class, unless the layers of a recipe say otherwise.
    pub fn outputs(&self) -> i64 {
        self.outputs
    }

    /// Number of classes, or of target columns.
    pub fn classes(&self) -> i64 {
        self.classes
    }

    /// What of a text the head reads; `None` for pictures.
    pub fn pool(&self) -> Option<Pool> {
        self.pool
    }

    /// Number of token ids; `None` for pictures. A tokenizer may have fewer, not more.
    pub fn vocab_size(&self) -> Option<i64> {
        self.config.as_ref().and_then(NetConfig::vocabulary)
    }

    /// Tokens of the longest text; `None` for pictures.
    pub fn positions(&self) -> Option<i64> {
        self.config.as_ref().and_then(NetConfig::positions)
    }

    /// The configuration of a transformer, as `config.json` has it; `None` for the others. With it, [`Model::build`] makes
    /// the same model again.
    pub fn config(&self) -> Option<Value> {
        self.config.as_ref().map(NetConfig::to_json)
    }

    /// Switches exact shortcuts off or on again. On at first.
    ///
    /// - Where the head reads one token of a text, the last block computes keys and values of all tokens, and all else
    ///   of that one alone.
    /// - Where what a token becomes depends on the tokens before it alone, as in GPT-2, and nothing is random,
    ///   beginnings that texts of a batch have in common are computed once, if that saves a twentieth. To gain from
    ///   it, put texts into one batch that are neighbours in alphabetical order.
    pub fn set_shortcuts(&self, on: bool) {
        self.switches.set_shortcuts(on);
    }

    /// Whether linear layers keep bf16 copies of frozen weights, for use under autocast, which otherwise casts a frozen
    /// weight at every use. Off at first. A copy takes two bytes per scalar; it is made at its first use, and dropped
    /// at the next one after the weight was loaded, changed or unfrozen.
    pub fn keep_bf16_of_frozen(&self, on: bool) {
        self.switches.set_keeps_bf16(on);
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
            part: self.part_of(&entry.name).unwrap_or(0),
            trainable: entry.tensor.requires_grad(),
            group: None,
        };
        self.store.entries().iter().map(plan).collect()
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
