//! What is to be built.

use luthier_recipe::{Arch, Init, Layer, OutputAct, Pool};
use serde_json::Value;

use crate::arch::{self, Options};
use crate::config::NetConfig;
use crate::heads::HeadSpec;
use crate::projection::ProjectionSpec;
use crate::{ModelError, arch_name};

/// What is to be built: all that decides a model's computation, but its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// Architecture
    pub arch: Arch,
    /// Number of classes
    pub classes: u64,
    /// Rate of every dropout; the architecture's or the config's own if `None`
    pub dropout: Option<f64>,
    /// The `config.json` of a transformer, see [`read_config`](crate::read_config); the architecture's first published
    /// size if `None`
    pub config: Option<Value>,
    /// What of a text the head reads; the architecture's own if `None`
    pub pool: Option<Pool>,
    /// The layers of a sequential network
    pub stack: Option<Stack>,
    /// Several heads instead of one; none for the architecture's own
    pub heads: Vec<HeadSpec>,
    /// Embeddings to contrast instead of logits: `classes` numbers each
    pub projection: Option<ProjectionSpec>,
}

/// The layers of a sequential network.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// What it is given
    pub input: Shape,
    /// Its layers, in order
    pub layers: Vec<Layer>,
    /// How linear layers and convolutions start
    pub init: Init,
    /// What comes after the last layer
    pub output: OutputAct,
}

/// The shape of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A row of so many numbers
    Row(i64),
    /// A picture: channels, height, width
    Picture(i64, i64, i64),
}

impl Spec {
    /// All else is the architecture's own.
    pub fn new(arch: Arch, classes: u64) -> Self {
        Self {
            arch,
            classes,
            dropout: None,
            config: None,
            pool: None,
            stack: None,
            heads: Vec::new(),
            projection: None,
        }
    }

    /// What a recipe asks for; `config` as [`config_of`](crate::config_of) found it. `classes` is the number of target
    /// columns for a regression, `input` the shape of a sample where the layers are the
    /// recipe's, and of a picture for a ViT.
    pub fn of(
        asked: &luthier_recipe::Model,
        classes: u64,
        config: Option<Value>,
        input: Option<Shape>,
    ) -> Self {
        let stack = input.zip(asked.layers.as_ref()).map(|(input, layers)| Stack {
            input,
            layers: layers.clone(),
            init: asked.init.unwrap_or_default(),
            output: asked.output,
        });
        let config = match input {
            // positions are for the pictures that it will see; the weights' are interpolated
            Some(Shape::Picture(_, height, width)) if asked.arch == Arch::Vit => {
                let mut config = config.unwrap_or_else(|| serde_json::json!({}));
                if let Some(keys) = config.as_object_mut() {
                    keys.insert("image_size".to_owned(), serde_json::json!([height, width]));
                }
                Some(config)
            }
            _ => config,
        };
        let (arch, dropout, pool, heads) = (asked.arch, asked.dropout, asked.pool, Vec::new());
        Self { arch, classes, dropout, config, pool, stack, heads, projection: None }
    }

    /// What a network is built with.
    pub(crate) fn options(&self) -> Result<Options, ModelError> {
        let arch = arch_name(self.arch);
        if let Some(rate) = self.dropout {
            if !(0.0..1.0).contains(&rate) {
                return Err(ModelError::Dropout(rate));
            }
            if !arch::has_dropout(self.arch) {
                return Err(ModelError::NoDropout { arch });
            }
        }
        if self.pool.is_some() && !self.arch.reads_text() {
            return Err(ModelError::NoPool { arch });
        }
        let config = NetConfig::of(self.arch, self.config.as_ref())?;
        let config = match self.dropout {
            Some(rate) => config.map(|config| config.with_dropout(rate)),
            None => config,
        };
        Ok(Options {
            dropout: self.dropout,
            whole_depth: false,
            config,
            pool: self.pool,
            stack: self.stack.clone(),
            heads: self.heads.clone(),
            projection: self.projection,
        })
    }
}
