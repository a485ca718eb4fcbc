//! GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners") as a classifier, with the names
//! of `transformers` without their `transformer.`. Its weights lie `[inputs, outputs]`, except for the head's.

use std::sync::Arc;

use luthier_recipe::Pool;
use tch::{Device, Tensor};

use crate::config::Gpt2Config;
use crate::layers::attention::Attention;
use crate::layers::{Activation, Embedding, LayerNorm, Linear, parts};
use crate::layout::index;
use crate::pool::{self, Read};
use crate::switches::Switches;
use crate::{Builder, Flow, Input, Layout, ModelError, Network, Part};

use super::text::{dropped, layout, tokens};

/// GPT-2 with a linear head without bias on one token or the mean of all.
pub(crate) struct Gpt2 {
    parts: Vec<Part>,
    config: Gpt2Config,
    pool: Pool,
    switches: Arc<Switches>,
    wte: Embedding,
    wpe: Embedding,
    blocks: Vec<Block>,
    ln_f: LayerNorm,
    score: Linear,
}

impl Gpt2 {
    pub(crate) fn new(
        mut place: Builder<'_>,
        config: Gpt2Config,
        pool: Pool,
        classes: i64,
    ) -> Result<Self, ModelError> {
        let (width, deviation) = (config.n_embd, config.initializer_range);
        let wte = Embedding::new(place.at("wte"), [config.vocab_size, width], deviation)?;
        let wpe = Embedding::new(place.at("wpe"), [config.n_positions, width], deviation)?;
        let mut parts = vec![Part::new("embeddings", &["wte", "wpe"], config.embd_pdrop > 0.0)];
        let mut blocks = Vec::new();
        for index in 0..config.n_layer {
            parts.push(Part::layer(
                &format!("h.{index}"),
                config.attn_pdrop > 0.0 || config.resid_pdrop > 0.0,
            ));
            blocks.push(Block::new(place.at(format_args!("h.{index}")), &config, index)?);
        }
        parts.push(Part::new("head", &["ln_f", "score"], false));
        Ok(Self {
            parts,
            config,
            pool,
            switches: place.switches(),
            wte,
            wpe,
            blocks,
            ln_f: LayerNorm::new(place.at("ln_f"), width, config.layer_norm_epsilon)?,
            score: Linear::without_bias(place.at("score"), width, classes, deviation)?,
        })
    }

    /// Ids `[total]` to vectors of every row of the layout.
    fn embed(&self, ids: &Tensor, layout: &Layout, train: bool) -> Result<Tensor, ModelError> {
        let device = ids.device();
        let ids = match layout.tokens() {
            Some(tokens) => ids.f_index_select(0, &index(tokens, device)?)?,
            None => ids.shallow_clone(),
        };
        let positions = index(&layout.positions(), device)?;
        let x = self.wte.forward(&ids)?.f_add(&self.wpe.forward(&positions)?)?;
        dropped(x, self.config.embd_pdrop, train)
    }

    /// The layout to compute in: beginnings in common once, where that changes nothing.
    fn layout(&self, flow: &Flow, train: bool) -> Result<Arc<Layout>, ModelError> {
        let layout = flow.layout.as_ref().ok_or(ModelError::NoLayout)?;
        let random = train && (self.parts.iter().any(|part| part.noisy) || self.switches.lora_drops());
        if random || !self.switches.shortcuts() {
            return Ok(Arc::clone(layout));
        }
        let ids = Vec::<i64>::try_from(flow.hidden.f_to_device(Device::Cpu)?)?;
        Ok(layout.sharing(&ids).map_or_else(|| Arc::clone(layout), Arc::new))
    }

    /// The last block, and of it what the head reads.
    fn last(&self, block: &Block, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        let (x, layout) = (&flow.hidden, layout(flow)?);
        Ok(match Read::of(self.pool, layout, true) {
            Some(read) if self.switches.shortcuts() => flow.pooled(block.at_one(x, layout, &read, train)?),
            Some(read) => flow.pooled(read.take(&block.everywhere(x, layout, train)?)?),
            None => flow.with(block.everywhere(x, layout, train)?),
        })
    }
}

impl Network for Gpt2 {
    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        tokens(input, self.config.vocab_size, self.config.n_positions)
    }

    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        let Some(at) = part.checked_sub(1) else {
            let layout = self.layout(flow, train)?;
            let hidden = self.embed(&flow.hidden, &layout, train)?;
            return Ok(Flow { hidden, layout: Some(layout), heads: flow.heads.clone() });
        };
        match self.blocks.get(at) {
            Some(block) if at + 1 == self.blocks.len() => self.last(block, flow, train),
            Some(block) => Ok(flow.with(block.everywhere(&flow.hidden, layout(flow)?, train)?)),
            None => {
                let x = self.ln_f.forward(&flow.hidden)?;
                if self.pool != Pool::Mean {
                    return Ok(flow.with(self.score.forward(&x)?));
                }
                let flow = flow.with(x).apart()?;
                let mean = pool::mean(&flow.hidden, layout(&flow)?)?;
                Ok(flow.with(self.score.forward(&mean)?))
            }
        }
    }

    fn next_tokens(&self, flow: &Flow, train: bool) -> Result<Tensor, ModelError> {
        let layout = layout(flow)?;
        let mut x = self.embed(&flow.hidden, layout, train)?;
        for block in &self.blocks {
            x = block.everywhere(&x, layout, train)?;
        }
        // tied: the table of embeddings is the matrix of the head
        Ok(self.ln_f.forward(&x)?.f_linear(self.wte.weight(), None::<&Tensor>)?)
    }
}

/// Attention and an MLP, each normalised before and added to what it saw.
struct Block {
    ln_1: LayerNorm,
    c_attn: Linear,
    attention: Attention,
    attn_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    activation: Activation,
    mlp_proj: Linear,
    width: i64,
    dropout: f64,
}

impl Block {
    fn new(mut place: Builder<'_>, config: &Gpt2Config, index: i64) -> Result<Self, ModelError> {
        let (width, inner, deviation) = (config.n_embd, config.n_inner, config.initializer_range);
        #[expect(clippy::cast_precision_loss, reason = "counts of layers and widths")]
        let (layers, head, number) =
            (config.n_layer as f64, (width / config.n_head) as f64, (index + 1) as f64);
        // two residual sums per block: without this their variance grows with depth
        let residual = deviation / (2.0 * layers).sqrt();
        let root = if config.scale_attn_weights { head.sqrt() } else { 1.0 };
        let depth = if config.scale_attn_by_inverse_layer_idx { number } else { 1.0 };
        Ok(Self {
            ln_1: LayerNorm::new(place.at("ln_1"), width, config.layer_norm_epsilon)?,
            c_attn: Linear::conv1d(place.at("attn.c_attn"), width, 3 * width, deviation)?,
            attention: Attention {
                heads: config.n_head,
                scale: 1.0 / (root * depth),
                causal: true,
                dropout: config.attn_pdrop,
            },
            attn_proj: Linear::conv1d(place.at("attn.c_proj"), width, width, residual)?,
            ln_2: LayerNorm::new(place.at("ln_2"), width, config.layer_norm_epsilon)?,
            c_fc: Linear::conv1d(place.at("mlp.c_fc"), width, inner, deviation)?,
            activation: config.activation_function,
            mlp_proj: Linear::conv1d(place.at("mlp.c_proj"), inner, width, residual)?,
            width,
            dropout: config.resid_pdrop,
        })
    }

    /// Every token: `[total, D]` to `[total, D]`.
    fn everywhere(&self, x: &Tensor, layout: &Layout, train: bool) -> Result<Tensor, ModelError> {
        let [q, k, v] = parts(self.c_attn.forward(&self.ln_1.forward(x)?)?.f_chunk(3, -1)?)?;
        let y = self.attention.everywhere(layout, [&q, &k, &v], train)?;
        self.after_attention(x, &y, train)
    }

    /// The tokens that are read, as [`Block::everywhere`] gives them: `[total, D]` to `[N, D]`. Keys and values are
    /// needed of all tokens, all else of those alone.
    fn at_one(&self, x: &Tensor, layout: &Layout, read: &Read, train: bool) -> Result<Tensor, ModelError> {
        let seen = self.ln_1.forward(x)?;
        let [q, kv] = self.c_attn.forward_split(&read.take(&seen)?, &seen, self.width)?;
        let [k, v] = parts(kv.f_chunk(2, -1)?)?;
        let y = self.attention.of_one(layout, [&q, &k, &v], &read.visible, train)?;
        self.after_attention(&read.take(x)?, &y, train)
    }

    fn after_attention(&self, x: &Tensor, y: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let x = x.f_add(&dropped(self.attn_proj.forward(y)?, self.dropout, train)?)?;
        let y = self.c_fc.forward_then(&self.ln_2.forward(&x)?, self.activation)?;
        Ok(x.f_add(&dropped(self.mlp_proj.forward(&y)?, self.dropout, train)?)?)
    }
}
