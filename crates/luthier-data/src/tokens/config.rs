//! What the small files beside a tokenizer say: `tokenizer_config.json`, `special_tokens_map.json`, `config.json`.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokenizers::{Tokenizer, TruncationDirection};

use super::TokensError;

/// The special tokens that a model or a batch may need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Specials {
    pub(super) pad: Option<u32>,
    pub(super) eos: Option<u32>,
    pub(super) cls: Option<u32>,
    pub(super) sep: Option<u32>,
}

/// A kind of tokenizer, with the special tokens that it has if no file names them, as transformers fills them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gpt2,
    Bert,
    Other,
}

impl Kind {
    pub(super) fn usual(self, key: &str) -> Option<&'static str> {
        match (self, key) {
            (Self::Gpt2, "eos_token" | "bos_token" | "unk_token") => Some("<|endoftext|>"),
            (Self::Bert, "pad_token") => Some("[PAD]"),
            (Self::Bert, "unk_token") => Some("[UNK]"),
            (Self::Bert, "cls_token") => Some("[CLS]"),
            (Self::Bert, "sep_token") => Some("[SEP]"),
            (Self::Bert, "mask_token") => Some("[MASK]"),
            _ => None,
        }
    }
}

/// The files' contents; empty where there is no such file.
#[derive(Debug, Default)]
pub(super) struct Config {
    folder: PathBuf,
    tokenizer: Map<String, Value>,
    specials: Map<String, Value>,
    model: Map<String, Value>,
}

impl Config {
    pub(super) fn read(folder: &Path) -> Result<Self, TokensError> {
        Ok(Self {
            folder: folder.to_owned(),
            tokenizer: object(&folder.join("tokenizer_config.json"))?,
            specials: object(&folder.join("special_tokens_map.json"))?,
            model: object(&folder.join("config.json"))?,
        })
    }

    /// The tokenizer's class or the model's type, whichever is written, in lower case.
    pub(super) fn class(&self) -> Option<&str> {
        let class = self.tokenizer.get("tokenizer_class").and_then(Value::as_str);
        class.or_else(|| self.model.get("model_type").and_then(Value::as_str))
    }

    /// A switch of `tokenizer_config.json`; none where it is absent or null.
    pub(super) fn switch(&self, key: &str) -> Option<bool> {
        self.tokenizer.get(key).and_then(Value::as_bool)
    }

    /// At which end long texts are cut.
    pub(super) fn cut_at(&self) -> TruncationDirection {
        match self.tokenizer.get("truncation_side").and_then(Value::as_str) {
            Some("left") => TruncationDirection::Left,
            _ => TruncationDirection::Right,
        }
    }

    /// The token that `key` names: in a file, where null means none; or the usual one.
    pub(super) fn token(&self, key: &str, kind: Kind) -> Option<String> {
        match self.written(key) {
            // a token is a string, or an object that holds it
            Some(value) => {
                value.as_str().or_else(|| value.get("content").and_then(Value::as_str)).map(str::to_owned)
            }
            None => kind.usual(key).map(str::to_owned),
        }
    }

    fn written(&self, key: &str) -> Option<&Value> {
        self.tokenizer.get(key).or_else(|| self.specials.get(key))
    }

    /// Looks the special tokens up. One that a file names must be there; a usual one may be absent.
    pub(super) fn specials(&self, kind: Kind, tokenizer: &Tokenizer) -> Result<Specials, TokensError> {
        let find = |key: &str, what| {
            let Some(token) = self.token(key, kind) else { return Ok(None) };
            match tokenizer.token_to_id(&token) {
                None if self.written(key).is_some() => {
                    let file = if self.tokenizer.contains_key(key) {
                        "tokenizer_config.json"
                    } else {
                        "special_tokens_map.json"
                    };
                    Err(TokensError::NoToken { path: self.folder.join(file), token, what })
                }
                id => Ok(id),
            }
        };
        Ok(Specials {
            pad: find("pad_token", "pad token")?,
            eos: find("eos_token", "end of text")?,
            cls: find("cls_token", "class token")?,
            sep: find("sep_token", "separator")?,
        })
    }
}

fn object(path: &Path) -> Result<Map<String, Value>, TokensError> {
    let wrong = |reason: String| TokensError::Read { path: path.to_owned(), reason };
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(wrong(error.to_string())),
    }
}
