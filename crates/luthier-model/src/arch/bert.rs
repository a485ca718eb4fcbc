//! BERT (Devlin et al. 2018, "BERT: Pre-training of deep bidirectional transformers", arXiv 1810.04805) as a
//! classifier, with the names of `transformers` without their `bert.`. MiniLM (Wang et al. 2020) is a small one.

use std::sync::Arc;

use luthier_recipe::Pool;
use tch::{Kind, Tensor};

use crate::config::BertConfig;
use crate::layers::attention::Attention;
use crate::layers::{Activation, Embedding, LayerNorm, Linear};
use crate::layout::index;
use crate::pool::{self, Read};
use crate::switches::Switches;
use crate::{Builder, Flow, Input, Layout, ModelError, Network, Part, watch};

use super::text::{dropped, layout, tokens};

/// BERT with a linear head. `cls` goes through the pooler, a linear layer and a tanh; nothing else does.
pub(crate) struct Bert {
    parts: Vec<Part>,
    config: BertConfig,
    pool: Pool,
    switches: Arc<Switches>,
    embeddings: Embeddings,
    blocks: Vec<Block>,
    pooler: Option<Linear>,
    classifier: Linear,
}

impl Bert {
    pub(crate) fn new(
        mut place: Builder<'_>,
        config: BertConfig,
        pool: Pool,
        classes: i64,
    ) -> Result<Self, ModelError> {
        let (width, deviation) = (config.hidden_size, config.initializer_range);
        let noisy = config.hidden_dropout_prob > 0.0;
        let embeddings = Embeddings::new(place.at("embeddings"), &config)?;
        let mut parts = vec![Part::layer("embeddings", noisy)];
        let mut blocks = Vec::new();
        for index in 0..config.num_hidden_layers {
            let name = format!("encoder.layer.{index}");
            parts.push(Part::layer(&name, noisy || config.attention_probs_dropout_prob > 0.0));
            blocks.push(Block::new(place.at(name), &config)?);
        }
        let pooler = if pool == Pool::Cls {
            Some(Linear::normal(place.at("pooler.dense"), width, width, deviation)?)
        } else {
            None
        };
        let prefixes: &[&str] = if pooler.is_some() { &["pooler", "classifier"] } else { &["classifier"] };
        parts.push(Part::new("head", prefixes, config.classifier_dropout > 0.0));
        Ok(Self {
            parts,
            config,
            pool,
            switches: place.switches(),
            embeddings,
            blocks,
            pooler,
            classifier: Linear::normal(place.at("classifier"), width, classes, deviation)?,
        })
    }

    /// The last block, and of it what the head reads: `[total, D]` to `[N, D]`.
    fn last(&self, block: &Block, x: &Tensor, layout: &Layout, train: bool) -> Result<Tensor, ModelError> {
        match Read::of(self.pool, layout, false) {
            Some(read) if self.switches.shortcuts() => block.at_one(x, layout, &read, train),
            Some(read) => read.take(&block.everywhere(x, layout, train)?),
            None => pool::mean(&block.everywhere(x, layout, train)?, layout),
        }
    }
}

impl Network for Bert {
    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        tokens(input, self.config.vocab_size, self.config.max_position_embeddings)
    }

    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        let (x, layout) = (&flow.hidden, || layout(flow));
        let y = match part.checked_sub(1) {
            None => self.embeddings.forward(x, layout()?, train)?,
            Some(at) => match self.blocks.get(at) {
                Some(block) if at + 1 == self.blocks.len() => self.last(block, x, layout()?, train)?,
                Some(block) => block.everywhere(x, layout()?, train)?,
                None => {
                    let pooled = match &self.pooler {
                        Some(pooler) => watch::seen("tanh", pooler.forward(x)?.f_tanh()?),
                        None => x.shallow_clone(),
                    };
                    self.classifier.forward(&dropped(pooled, self.config.classifier_dropout, train)?)?
                }
            },
        };
        Ok(flow.with(y))
    }
}

/// Words, positions and the kind of text, summed and normalised.
struct Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    norm: LayerNorm,
    dropout: f64,
}

impl Embeddings {
    fn new(mut place: Builder<'_>, config: &BertConfig) -> Result<Self, ModelError> {
        let mut table = |name: &str, rows: i64| {
            Embedding::new(place.at(name), [rows, config.hidden_size], config.initializer_range)
        };
        Ok(Self {
            word_embeddings: table("word_embeddings", config.vocab_size)?,
            position_embeddings: table("position_embeddings", config.max_position_embeddings)?,
            token_type_embeddings: table("token_type_embeddings", config.type_vocab_size)?,
            norm: LayerNorm::new(place.at("LayerNorm"), config.hidden_size, config.layer_norm_eps)?,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// Ids `[total]` to vectors `[total, D]`.
    fn forward(&self, ids: &Tensor, layout: &Layout, train: bool) -> Result<Tensor, ModelError> {
        let positions = index(&layout.positions(), ids.device())?;
        // all of it is text of the first kind
        let kind = self.token_type_embeddings.forward(&Tensor::f_zeros([1], (Kind::Int64, ids.device()))?)?;
        let x = self.word_embeddings.forward(ids)?.f_add(&kind)?;
        let x = x.f_add(&self.position_embeddings.forward(&positions)?)?;
        dropped(self.norm.forward(&x)?, self.dropout, train)
    }
}

/// Attention and an MLP, each added to what it saw and normalised after.
struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    attention: Attention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    norm: LayerNorm,
    dropout: f64,
}

impl Block {
    fn new(mut place: Builder<'_>, config: &BertConfig) -> Result<Self, ModelError> {
        let (width, inner, deviation) =
            (config.hidden_size, config.intermediate_size, config.initializer_range);
        let mut linear = |name: &str, inputs: i64, outputs: i64| {
            Linear::normal(place.at(name), inputs, outputs, deviation)
        };
        let query = linear("attention.self.query", width, width)?;
        let key = linear("attention.self.key", width, width)?;
        let value = linear("attention.self.value", width, width)?;
        let attention_output = linear("attention.output.dense", width, width)?;
        let attention_norm =
            LayerNorm::new(place.at("attention.output.LayerNorm"), width, config.layer_norm_eps)?;
        let mut linear = |name: &str, inputs: i64, outputs: i64| {
            Linear::normal(place.at(name), inputs, outputs, deviation)
        };
        let intermediate = linear("intermediate.dense", width, inner)?;
        let output = linear("output.dense", inner, width)?;
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
        let scale = 1.0 / ((width / config.num_attention_heads) as f64).sqrt();
        Ok(Self {
            query,
            key,
            value,
            attention: Attention {
                heads: config.num_attention_heads,
                scale,
                causal: false,
                dropout: config.attention_probs_dropout_prob,
            },
            attention_output,
            attention_norm,
            intermediate,
            activation: config.hidden_act,
            output,
            norm: LayerNorm::new(place.at("output.LayerNorm"), width, config.layer_norm_eps)?,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// Every token: `[total, D]` to `[total, D]`.
    fn everywhere(&self, x: &Tensor, layout: &Layout, train: bool) -> Result<Tensor, ModelError> {
        let [q, k, v] = Linear::forward_each([&self.query, &self.key, &self.value], x)?;
        let y = self.attention.everywhere(layout, [&q, &k, &v], train)?;
        self.after_attention(x, &y, train)
    }

    /// The tokens that are read, as [`Block::everywhere`] gives them: `[total, D]` to `[N, D]`. Keys and values are
    /// needed of all tokens, all else of those alone.
    fn at_one(&self, x: &Tensor, layout: &Layout, read: &Read, train: bool) -> Result<Tensor, ModelError> {
        let one = read.take(x)?;
        let q = self.query.forward(&one)?;
        let [k, v] = Linear::forward_each([&self.key, &self.value], x)?;
        let y = self.attention.of_one(layout, [&q, &k, &v], &read.visible, train)?;
        self.after_attention(&one, &y, train)
    }

    fn after_attention(&self, x: &Tensor, y: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let y = dropped(self.attention_output.forward(y)?, self.dropout, train)?;
        let x = self.attention_norm.forward(&x.f_add(&y)?)?;
        let y = self.intermediate.forward_then(&x, self.activation)?;
        let y = dropped(self.output.forward(&y)?, self.dropout, train)?;
        self.norm.forward(&x.f_add(&y)?)
    }
}
