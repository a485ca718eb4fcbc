use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why texts can't be tokenized.
#[derive(Debug, Error, Diagnostic)]
pub enum TokensError {
    /// There is nothing at the path
    #[error("the tokenizer `{}` does not exist", .path.display())]
    #[diagnostic(help("name a `tokenizer.json`, or a folder that holds one"))]
    Missing {
        /// The path
        path: PathBuf,
    },
    /// A folder without a tokenizer
    #[error("`{}` holds no tokenizer", .path.display())]
    #[diagnostic(help(
        "it needs a `tokenizer.json`, or GPT-2's `vocab.json` and `merges.txt`, or BERT's `vocab.txt`"
    ))]
    NoTokenizer {
        /// The folder
        path: PathBuf,
    },
    /// One of two files that belong together
    #[error("`{}` has `{here}` but no `{absent}`", .path.display())]
    #[diagnostic(help("the two belong together: copy `{absent}` from where `{here}` came from"))]
    Half {
        /// The folder
        path: PathBuf,
        /// The file that is there
        here: &'static str,
        /// The file that isn't
        absent: &'static str,
    },
    /// A file that can't be read
    #[error("can't read the tokenizer file `{}`: {reason}", .path.display())]
    #[diagnostic(help("fetch it again, or save it anew with `tokenizer.save_pretrained`"))]
    Read {
        /// The file
        path: PathBuf,
        /// What the system or the parser says
        reason: String,
    },
    /// Vocabulary files that don't say all about a tokenizer
    #[error("`{}` holds the vocabulary of `{class}`, which `{file}` alone does not define", .path.display())]
    #[diagnostic(help(
        "save it as a `tokenizer.json`: `AutoTokenizer.from_pretrained(…).save_pretrained(…)` of transformers does"
    ))]
    Class {
        /// The folder
        path: PathBuf,
        /// The tokenizer's class
        class: String,
        /// The vocabulary file
        file: &'static str,
    },
    /// A special token that the vocabulary doesn't have
    #[error("`{}` names `{token}` as its {what}, and the vocabulary has no such token", .path.display())]
    #[diagnostic(help("the files don't belong together: fetch them again from one place"))]
    NoToken {
        /// The file
        path: PathBuf,
        /// The token
        token: String,
        /// What it is for
        what: &'static str,
    },
    /// The special tokens fill the length
    #[error(
        "`max_length` = {max_length} leaves no room for a text: the tokenizer adds {added} tokens of its own"
    )]
    #[diagnostic(help("use at least {}", added + 1))]
    NoRoom {
        /// The most tokens
        max_length: usize,
        /// How many are added
        added: usize,
    },
    /// A text that can't be encoded
    #[error("text {at} (the first is 0) can't be encoded: {reason}")]
    #[diagnostic(help("the vocabulary has no token for a part of it, and none for what is unknown"))]
    Encode {
        /// Which
        at: usize,
        /// What the tokenizer says
        reason: String,
    },
    /// No threads
    #[error("can't start threads for the tokenizer: {reason}")]
    Threads {
        /// What the system says
        reason: String,
    },
}
