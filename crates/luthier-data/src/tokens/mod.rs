//! Texts become numbers: tokenizers as Hugging Face writes them, through its own crate.

mod build;
mod config;
mod error;

use std::path::Path;

use rayon::prelude::*;
use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationDirection};

pub use error::TokensError;

use config::Specials;

/// A tokenizer read from files. Its ids are those of transformers' fast tokenizers.
#[derive(Debug, Clone)]
pub struct TextTokenizer {
    inner: Tokenizer,
    specials: Specials,
    cut_at: TruncationDirection,
    vocab_size: usize,
}

/// How texts are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodeOptions {
    /// The most tokens that a text may have, special tokens included; what is beyond is cut, special tokens never
    pub max_length: Option<usize>,
    /// Adds the tokens that the model expects around a text, such as `[CLS]` and `[SEP]`
    pub add_special_tokens: bool,
    /// Threads that work at it; 0 for one per core
    pub threads: usize,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self { max_length: None, add_special_tokens: true, threads: 0 }
    }
}

/// The ids of some texts, not padded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The ids of each text
    pub ids: Vec<Vec<u32>>,
    /// How many texts were cut
    pub cut: usize,
}

impl TextTokenizer {
    /// Reads a tokenizer: a `tokenizer.json`, or a folder with one, or else with GPT-2's `vocab.json` and `merges.txt`
    /// (`encoder.json` and `vocab.bpe` are the same), or BERT's `vocab.txt`; one of these files
    /// stands for its folder. Special tokens are those that
    /// `tokenizer_config.json` and `special_tokens_map.json` beside it name.
    ///
    /// # Errors
    /// Nothing there, a file that can't be read, or vocabulary files of a model that needs its `tokenizer.json`.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        build::open(path)
    }

    /// The ids of each text, in order.
    ///
    /// # Errors
    /// A `max_length` that the special tokens fill, or a text with a character that the vocabulary neither has nor
    /// can replace.
    pub fn encode_all<T: AsRef<str> + Sync>(
        &self,
        texts: &[T],
        options: EncodeOptions,
    ) -> Result<Encoded, TokensError> {
        let added = if options.add_special_tokens { self.added_tokens() } else { 0 };
        let room = match options.max_length {
            Some(max_length) if max_length <= added => {
                return Err(TokensError::NoRoom { max_length, added });
            }
            Some(max_length) => max_length - added,
            None => usize::MAX,
        };
        let encode = || -> Result<Vec<(Vec<u32>, bool)>, TokensError> {
            let each = texts.par_iter().enumerate().with_min_len(16);
            each.map(|(at, text)| {
                self.encode(text.as_ref(), added > 0, room)
                    .map_err(|e| TokensError::Encode { at, reason: e.to_string() })
            })
            .collect()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
        let encoded = pool.map_err(|e| TokensError::Threads { reason: e.to_string() })?.install(encode)?;
        let cut = encoded.iter().filter(|(_, cut)| *cut).count();
        Ok(Encoded { ids: encoded.into_iter().map(|(ids, _)| ids).collect(), cut })
    }

    fn encode(&self, text: &str, special: bool, room: usize) -> tokenizers::Result<(Vec<u32>, bool)> {
        let mut encoding = self.inner.encode_fast(text, false)?;
        let cut = encoding.len() > room;
        if cut {
            encoding.truncate(room, 0, self.cut_at);
        }
        let whole: Encoding = if special { self.inner.post_process(encoding, None, true)? } else { encoding };
        Ok((whole.get_ids().to_vec(), cut))
    }

    /// How many special tokens are added to a text.
    pub fn added_tokens(&self) -> usize {
        self.inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false))
    }

    /// One more than the largest id: the rows that an embedding needs.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The id of a token, if the vocabulary has it.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The token of an id, if the vocabulary has it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The token that fills short texts up, if the tokenizer has one; GPT-2's has none.
    pub fn pad(&self) -> Option<u32> {
        self.specials.pad
    }

    /// The token that ends a text, if the tokenizer has one.
    pub fn eos(&self) -> Option<u32> {
        self.specials.eos
    }

    /// The token that stands for a whole text, if the tokenizer has one.
    pub fn cls(&self) -> Option<u32> {
        self.specials.cls
    }

    /// The token between two texts and after the last, if the tokenizer has one.
    pub fn sep(&self) -> Option<u32> {
        self.specials.sep
    }
}
