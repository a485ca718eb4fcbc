//! ViT (Dosovitskiy et al. 2020, "An image is worth 16x16 words", arXiv 2010.11929) as a classifier, with the names of
//! `transformers`' files.

use std::sync::Arc;

use luthier_plan::Role;
use tch::Tensor;

use crate::config::VitConfig;
use crate::heads::Head;
use crate::layers::attention::Attention;
use crate::layers::conv::ConvShape;
use crate::layers::{Activation, Conv2d, LayerNorm, Linear};
use crate::positions::interpolated;
use crate::switches::Switches;
use crate::{Builder, Flow, Init, Input, ModelError, Network, Part};

use super::text::dropped;
use super::{Options, pictures};

/// ViT with a linear head on the class token.
pub(crate) struct Vit {
    parts: Vec<Part>,
    config: VitConfig,
    switches: Arc<Switches>,
    embeddings: Embeddings,
    blocks: Vec<Block>,
    layernorm: LayerNorm,
    head: Head,
}

impl Vit {
    pub(crate) fn new(
        mut place: Builder<'_>,
        config: VitConfig,
        classes: i64,
        options: &Options,
    ) -> Result<Self, ModelError> {
        let width = config.hidden_size;
        let noisy = config.hidden_dropout_prob > 0.0;
        let embeddings = Embeddings::new(place.at("vit.embeddings"), &config)?;
        let mut parts = vec![Part::layer("vit.embeddings", noisy)];
        let mut blocks = Vec::new();
        for index in 0..config.num_hidden_layers {
            let name = format!("vit.encoder.layer.{index}");
            parts.push(Part::layer(&name, noisy || config.attention_probs_dropout_prob > 0.0));
            blocks.push(Block::new(place.at(name), &config)?);
        }
        let mut last = Head::part("classifier", &options.heads, false);
        last.name = "head".to_owned();
        last.prefixes.insert(0, "vit.layernorm".to_owned());
        parts.push(last);
        Ok(Self {
            parts,
            config,
            switches: place.switches(),
            embeddings,
            blocks,
            layernorm: LayerNorm::new(place.at("vit.layernorm"), width, config.layer_norm_eps)?,
            head: if options.heads.is_empty() && options.projection.is_none() {
                Head::One(Linear::normal(place.at("classifier"), width, classes, config.initializer_range)?)
            } else {
                Head::new(&mut place, "classifier", width, classes, options)?
            },
        })
    }

    /// The last block, and of it the class token, which is all that the head reads: `[N, T, D]` to `[N, D]`.
    fn last(&self, block: &Block, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        if self.switches.shortcuts() {
            return block.at_first(x, train);
        }
        Ok(block.everywhere(x, train)?.f_select(1, 0)?)
    }
}

impl Network for Vit {
    fn parts(&self) -> &[Part] {
        &self.parts
    }

    fn begin(&self, input: &Input) -> Result<Flow, ModelError> {
        let flow = pictures(input)?;
        let size = flow.hidden.size();
        let patch = self.config.patch_size;
        if size.iter().skip(2).any(|&side| side < patch) {
            return Err(ModelError::SmallPicture { found: size, patch });
        }
        Ok(flow)
    }

    fn run(&self, part: usize, flow: &Flow, train: bool) -> Result<Flow, ModelError> {
        let x = &flow.hidden;
        let y = match part.checked_sub(1) {
            None => self.embeddings.forward(x, train)?,
            Some(at) => match self.blocks.get(at) {
                Some(block) if at + 1 == self.blocks.len() => self.last(block, x, train)?,
                Some(block) => block.everywhere(x, train)?,
                None => self.head.forward(&self.layernorm.forward(x)?, flow)?,
            },
        };
        Ok(flow.with(y))
    }
}

/// Patches as vectors, the class token before them, and where they are.
struct Embeddings {
    cls_token: Tensor,
    position_embeddings: Tensor,
    projection: Conv2d,
    grid: [i64; 2],
    dropout: f64,
}

impl Embeddings {
    fn new(mut place: Builder<'_>, config: &VitConfig) -> Result<Self, ModelError> {
        let (width, grid) = (config.hidden_size, config.grid());
        let init = Init::Normal(config.initializer_range);
        let positions = [1, 1 + grid[0] * grid[1], width];
        let shape = ConvShape {
            inputs: 3,
            outputs: width,
            kernel: config.patch_size,
            stride: config.patch_size,
            groups: 1,
        };
        Ok(Self {
            cls_token: place.parameter("cls_token", &[1, 1, width], Role::Weight, init)?,
            position_embeddings: place.parameter("position_embeddings", &positions, Role::Weight, init)?,
            projection: Conv2d::patches(place.at("patch_embeddings.projection"), shape, init)?,
            grid,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// `[N, 3, H, W]` to `[N, 1 + patches, D]`.
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let y = self.projection.forward(x)?;
        let (count, width, lines, columns) = y.size4()?;
        let patches = y.f_flatten(2, 3)?.f_transpose(1, 2)?;
        let class = self.cls_token.f_to_kind(patches.kind())?.f_expand([count, 1, width], false)?;
        // pictures of another size than the model was built for
        let positions = if [lines, columns] == self.grid {
            self.position_embeddings.shallow_clone()
        } else {
            interpolated(&self.position_embeddings, self.grid, [lines, columns])?
        };
        dropped(Tensor::f_cat(&[class, patches], 1)?.f_add(&positions)?, self.dropout, train)
    }
}

/// Attention and an MLP, each normalised before and added to what it saw.
struct Block {
    layernorm_before: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    attention: Attention,
    attention_output: Linear,
    layernorm_after: LayerNorm,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    dropout: f64,
}

impl Block {
    fn new(mut place: Builder<'_>, config: &VitConfig) -> Result<Self, ModelError> {
        let (width, inner, deviation) =
            (config.hidden_size, config.intermediate_size, config.initializer_range);
        let mut seen = |name: &str| {
            let (weight, bias) = (Init::Normal(deviation), config.qkv_bias.then_some(Init::Constant(0.0)));
            Linear::started(place.at(name), width, width, weight, bias)
        };
        let query = seen("attention.attention.query")?;
        let key = seen("attention.attention.key")?;
        let value = seen("attention.attention.value")?;
        let mut linear = |name: &str, inputs: i64, outputs: i64| {
            Linear::normal(place.at(name), inputs, outputs, deviation)
        };
        let attention_output = linear("attention.output.dense", width, width)?;
        let intermediate = linear("intermediate.dense", width, inner)?;
        let output = linear("output.dense", inner, width)?;
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
        let scale = 1.0 / ((width / config.num_attention_heads) as f64).sqrt();
        Ok(Self {
            layernorm_before: LayerNorm::new(place.at("layernorm_before"), width, config.layer_norm_eps)?,
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
            layernorm_after: LayerNorm::new(place.at("layernorm_after"), width, config.layer_norm_eps)?,
            intermediate,
            activation: config.hidden_act,
            output,
            dropout: config.hidden_dropout_prob,
        })
    }

    /// Every token: `[N, T, D]` to `[N, T, D]`.
    fn everywhere(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let (count, tokens, width) = x.size3()?;
        let rows = x.f_reshape([count * tokens, width])?;
        let seen = self.layernorm_before.forward(&rows)?;
        let [q, k, v] = Linear::forward_each([&self.query, &self.key, &self.value], &seen)?;
        let y = self.attention.within(tokens, [&q, &k, &v], train)?;
        Ok(self.after_attention(&rows, &y, train)?.f_view([count, tokens, width])?)
    }

    /// The first token, as [`Block::everywhere`] gives it: `[N, T, D]` to `[N, D]`. Keys and values are needed of all
    /// tokens, all else of that one alone.
    fn at_first(&self, x: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let (count, tokens, width) = x.size3()?;
        let seen = self.layernorm_before.forward(x)?;
        let first = seen.f_select(1, 0)?;
        let rows = seen.f_reshape([count * tokens, width])?;
        let q = self.query.forward(&first)?;
        let [k, v] = Linear::forward_each([&self.key, &self.value], &rows)?;
        let y = self.attention.within(1, [&q, &k, &v], train)?;
        self.after_attention(&x.f_select(1, 0)?, &y, train)
    }

    fn after_attention(&self, x: &Tensor, y: &Tensor, train: bool) -> Result<Tensor, ModelError> {
        let x = x.f_add(&dropped(self.attention_output.forward(y)?, self.dropout, train)?)?;
        let y = self.intermediate.forward_then(&self.layernorm_after.forward(&x)?, self.activation)?;
        Ok(x.f_add(&dropped(self.output.forward(&y)?, self.dropout, train)?)?)
    }
}
