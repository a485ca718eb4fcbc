//! `luthier predict` for texts: lines of files or of the standard input.

use std::io::{BufRead, BufReader, Read};

use luthier::args::PredictArgs;
use luthier::text::{Align, percent, shorten, table};
use luthier::voice::{self, Blame, Failure, Voice};
use luthier_train::{Runner, TextPrediction};
use serde_json::json;

use super::predict::ranked;

/// Texts that are tokenized and answered at once: a pipe is answered while it runs.
const AT_ONCE: usize = 256;

/// Columns of a text that are shown.
const SHOWN: usize = 60;

pub fn run(runner: &Runner, args: &PredictArgs, voice: &Voice) -> Result<(), Failure> {
    let mut given: Box<dyn Iterator<Item = std::io::Result<(String, bool)>>> =
        Box::new(args.text.iter().cloned().map(|text| Ok((text, true))));
    let mut inputs = args.inputs.clone();
    if inputs.is_empty() && args.text.is_empty() {
        inputs.push("-".into());
    }
    for path in inputs {
        let source: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(&path).map_err(|error| {
                Failure::misuse(
                    format!("`{}` cannot be read: {error}", path.display()),
                    "name files with a text a line; a text itself goes to `--text`",
                )
            })?)
        };
        given = Box::new(given.chain(lines(source)));
    }
    let (mut answered, mut line, mut long) = (0, 0, 0);
    loop {
        let part: Vec<(String, bool)> =
            given.by_ref().take(AT_ONCE).collect::<Result<_, _>>().map_err(|error| {
                Failure::misuse(format!("the input cannot be read: {error}"), "give a text a line")
            })?;
        if part.is_empty() {
            break;
        }
        let (part, whole): (Vec<String>, Vec<bool>) = part.into_iter().unzip();
        let (answers, cut) = runner.predict_texts(&part).or_subject()?;
        long += cut;
        for (answer, whole) in answers.iter().zip(whole) {
            line += 1;
            if !whole {
                voice.warn(&format!(
                    "text {line} is not UTF-8: bytes that belong to no character are read as `\u{FFFD}`"
                ));
            }
            answered += usize::from(say(answer, line, runner, args, voice)?);
        }
    }
    if line == 0 {
        return Err(Failure::misuse("there is no text to classify", "give a text a line, or `--text`"));
    }
    if long > 0 {
        let most = runner.plan.text.as_ref().map_or(0, |text| text.max_length);
        voice.warn(&format!("{} longer than {most} tokens: what is beyond was not read", text_count(long)));
    }
    if answered == 0 { Err(Failure::quiet(1)) } else { Ok(()) }
}

fn text_count(count: usize) -> String {
    if count == 1 { "1 text is".into() } else { format!("{count} texts are") }
}

/// Lines without their ends, and whether they are UTF-8; bytes that are none are replaced, as tokenizers would.
fn lines(source: Box<dyn Read>) -> impl Iterator<Item = std::io::Result<(String, bool)>> {
    let mut reader = BufReader::new(source);
    std::iter::from_fn(move || {
        let mut bytes = Vec::new();
        match reader.read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            Ok(_) => {
                let text = String::from_utf8_lossy(&bytes);
                let whole = matches!(text, std::borrow::Cow::Borrowed(_));
                Some(Ok((text.trim_end_matches(['\n', '\r']).to_owned(), whole)))
            }
            Err(error) => Some(Err(error)),
        }
    })
}

/// One line of answer; false where the text has no token.
fn say(
    answer: &TextPrediction,
    line: usize,
    runner: &Runner,
    args: &PredictArgs,
    voice: &Voice,
) -> Result<bool, Failure> {
    let classes = &runner.plan.data.classes;
    let Some(probabilities) = &answer.probabilities else {
        if voice.json {
            voice::print(&format!("{}\n", json!({"text": answer.text, "error": "it has no token"})))?;
        } else {
            voice.warn(&format!("text {line} is left out: it is empty"));
        }
        return Ok(false);
    };
    let ranked = ranked(probabilities, classes, args.top);
    if voice.json {
        let list: Vec<_> =
            ranked.iter().map(|(class, p)| json!({"class": class, "probability": p})).collect();
        let class = ranked.first().map(|(class, _)| class);
        let row = json!({"text": answer.text, "class": class, "classes": list});
        voice::print(&format!("{row}\n"))?;
        return Ok(true);
    }
    let mut row = Vec::new();
    let width = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
    for (class, probability) in ranked {
        row.push(format!("{class:<width$}"));
        row.push(format!("{:>6}", percent(f64::from(probability))));
    }
    let plain: String = answer.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    row.push(shorten(&plain, SHOWN));
    let align = vec![Align::Left; row.len()];
    voice::print(&table(&[row], &align, ""))?;
    Ok(true)
}
