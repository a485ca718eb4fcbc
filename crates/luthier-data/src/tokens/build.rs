//! From files to a tokenizer.

use std::path::Path;

use tokenizers::{
    AddedToken, ModelWrapper, Tokenizer,
    models::{bpe::BPE, wordpiece::WordPiece},
    normalizers::BertNormalizer,
    pre_tokenizers::{bert::BertPreTokenizer, byte_level::ByteLevel},
    processors::template::TemplateProcessing,
};

use super::{
    TextTokenizer, TokensError,
    config::{Config, Kind},
};

/// GPT-2's vocabulary and merges, as transformers and as OpenAI name them.
const GPT2_FILES: [[&str; 2]; 2] = [["vocab.json", "merges.txt"], ["encoder.json", "vocab.bpe"]];
/// BERT's vocabulary.
const BERT_FILE: &str = "vocab.txt";
/// Classes that are GPT-2's tokenizer, and those that are BERT's, in lower case.
const GPT2_CLASSES: [&str; 1] = ["gpt2"];
const BERT_CLASSES: [&str; 4] = ["bert", "distilbert", "electra", "mobilebert"];

pub(super) fn open(path: &Path) -> Result<TextTokenizer, TokensError> {
    if !path.exists() {
        return Err(TokensError::Missing { path: path.to_owned() });
    }
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let config = Config::read(folder)?;
    // one of the vocabulary files stands for the folder that it is in
    let vocabulary = |name: &str| GPT2_FILES.as_flattened().contains(&name) || name == BERT_FILE;
    let whole = path.is_dir() || path.file_name().and_then(|name| name.to_str()).is_some_and(vocabulary);
    let file = if whole { folder.join("tokenizer.json") } else { path.to_owned() };
    if file.is_file() {
        let inner = Tokenizer::from_file(&file).map_err(|e| unreadable(&file, e.as_ref()))?;
        let kind = kind_of(&inner);
        return finish(inner, kind, &config);
    }
    for [vocab, merges] in GPT2_FILES {
        match (folder.join(vocab).is_file(), folder.join(merges).is_file()) {
            (true, true) => return gpt2(folder, vocab, merges, &config),
            (true, false) => {
                return Err(TokensError::Half { path: folder.to_owned(), here: vocab, absent: merges });
            }
            (false, true) => {
                return Err(TokensError::Half { path: folder.to_owned(), here: merges, absent: vocab });
            }
            (false, false) => {}
        }
    }
    if folder.join(BERT_FILE).is_file() {
        return bert(folder, &config);
    }
    Err(TokensError::NoTokenizer { path: folder.to_owned() })
}

/// The tokenizer of GPT-2: bytes, merged within words as they occur, spaces before them included.
fn gpt2(
    folder: &Path,
    vocab: &'static str,
    merges: &str,
    config: &Config,
) -> Result<TextTokenizer, TokensError> {
    right_class(folder, config, &GPT2_CLASSES, vocab)?;
    let file = |name| folder.join(name).to_string_lossy().into_owned();
    let model = BPE::from_file(&file(vocab), &file(merges))
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix(String::new())
        .build()
        .map_err(|e| unreadable(&folder.join(vocab), e.as_ref()))?;
    let mut inner = Tokenizer::new(model);
    let spaced = config.switch("add_prefix_space").unwrap_or(false);
    inner.with_pre_tokenizer(Some(ByteLevel::default().add_prefix_space(spaced)));
    add_specials(&mut inner, &["eos_token", "bos_token", "unk_token", "pad_token"], Kind::Gpt2, config)
        .map_err(|e| unreadable(&folder.join(vocab), e.as_ref()))?;
    finish(inner, Kind::Gpt2, config)
}

/// The tokenizer of BERT: words and punctuation, cut into the longest pieces that the vocabulary has.
fn bert(folder: &Path, config: &Config) -> Result<TextTokenizer, TokensError> {
    right_class(folder, config, &BERT_CLASSES, BERT_FILE)?;
    let path = folder.join(BERT_FILE);
    let broken = |e: tokenizers::Error| unreadable(&path, e.as_ref());
    let token = |key| config.token(key, Kind::Bert).unwrap_or_default();
    let model = WordPiece::from_file(&path.to_string_lossy())
        .unk_token(token("unk_token"))
        .build()
        .map_err(broken)?;
    let mut inner = Tokenizer::new(model);
    let normalizer = BertNormalizer::new(
        true,
        config.switch("tokenize_chinese_chars").unwrap_or(true),
        config.switch("strip_accents"),
        config.switch("do_lower_case").unwrap_or(true),
    );
    inner.with_normalizer(Some(normalizer)).map_err(broken)?;
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    let keys = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"];
    add_specials(&mut inner, &keys, Kind::Bert, config).map_err(broken)?;
    let (cls, sep) = (token("cls_token"), token("sep_token"));
    let ids = [(&cls, "class token"), (&sep, "separator")].map(|(token, what)| {
        let id = inner.token_to_id(token);
        id.ok_or_else(|| TokensError::NoToken { path: path.clone(), token: token.clone(), what })
    });
    let [cls_id, sep_id] = ids;
    let template = TemplateProcessing::builder()
        .try_single(format!("{cls}:0 $A:0 {sep}:0"))
        .map_err(|reason| TokensError::Read { path: path.clone(), reason })?
        .special_tokens(vec![(cls, cls_id?), (sep, sep_id?)])
        .build()
        .map_err(|e| TokensError::Read { path: path.clone(), reason: e.to_string() })?;
    inner.with_post_processor(Some(template));
    finish(inner, Kind::Bert, config)
}

/// Special tokens are found in a text before it is split or put into lower case; those that the vocabulary lacks are
/// not added to it.
fn add_specials(inner: &mut Tokenizer, keys: &[&str], kind: Kind, config: &Config) -> tokenizers::Result<()> {
    let tokens = keys.iter().filter_map(|key| config.token(key, kind));
    let known: Vec<AddedToken> = tokens
        .filter(|token| inner.token_to_id(token).is_some())
        .map(|token| AddedToken::from(token, true))
        .collect();
    inner.add_special_tokens(known).map(|_| ())
}

fn finish(mut inner: Tokenizer, kind: Kind, config: &Config) -> Result<TextTokenizer, TokensError> {
    // a file may keep the truncation and padding of whoever saved it; both are the caller's
    inner.with_padding(None);
    // taking a truncation away can't fail
    let _ = inner.with_truncation(None);
    let specials = config.specials(kind, &inner)?;
    let vocab_size = inner.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1);
    Ok(TextTokenizer { inner, specials, cut_at: config.cut_at(), vocab_size })
}

fn kind_of(inner: &Tokenizer) -> Kind {
    match inner.get_model() {
        ModelWrapper::BPE(_) => Kind::Gpt2,
        ModelWrapper::WordPiece(_) => Kind::Bert,
        _ => Kind::Other,
    }
}

/// RoBERTa's and CLIP's files have the same names as GPT-2's and mean something else.
fn right_class(
    folder: &Path,
    config: &Config,
    known: &[&str],
    file: &'static str,
) -> Result<(), TokensError> {
    let Some(class) = config.class() else { return Ok(()) };
    let plain = class.to_lowercase();
    let plain = plain.trim_end_matches("fast").trim_end_matches("tokenizer");
    if known.contains(&plain) || matches!(plain, "pretrained" | "") {
        return Ok(());
    }
    Err(TokensError::Class { path: folder.to_owned(), class: class.to_owned(), file })
}

fn unreadable(path: &Path, error: &(dyn std::error::Error + Send + Sync)) -> TokensError {
    TokensError::Read { path: path.to_owned(), reason: error.to_string() }
}
