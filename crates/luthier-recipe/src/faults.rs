//! Collects faults, so that a recipe's are all told at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource};

use crate::dom::{At, Node, Text, Value, join};
use crate::error::{Problem, RecipeError};
use crate::words::clipped;

/// The texts a recipe came from and the place of every key in them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    file: Arc<NamedSource<String>>,
    sets: Vec<Arc<NamedSource<String>>>,
    spots: BTreeMap<String, At>,
}

impl Places {
    pub fn new(file: &str, text: &str, sets: &[String]) -> Places {
        let source = NamedSource::new(file, harmless(text)).with_language("TOML");
        let sets = sets.iter().map(|set| Arc::new(NamedSource::new("--set", harmless(set)))).collect();
        Places { file: Arc::new(source), sets, spots: BTreeMap::new() }
    }

    /// Remembers where every key of the document is.
    pub fn learn(&mut self, root: &Node) {
        self.spots.clear();
        self.spots.insert(String::new(), root.at.clone());
        self.learn_below("", root);
    }

    fn learn_below(&mut self, path: &str, node: &Node) {
        let below: Vec<(String, &Node)> = match &node.value {
            Value::Table(table) => table.iter().map(|(key, node)| (join(path, key), node)).collect(),
            Value::List(items) => {
                items.iter().enumerate().map(|(index, node)| (format!("{path}[{index}]"), node)).collect()
            }
            _ => return,
        };
        for (path, node) in below {
            self.spots.insert(path.clone(), node.at.clone());
            self.learn_below(&path, node);
        }
    }

    /// The place of exactly this key.
    pub fn exact(&self, key: &str) -> Option<&At> {
        self.spots.get(key)
    }

    /// The place of this key, or of the nearest table or list around it.
    pub fn nearest(&self, key: &str) -> At {
        let mut key = key;
        loop {
            if let Some(at) = self.spots.get(key) {
                return at.clone();
            }
            match key.rfind(['.', '[']) {
                Some(cut) => key = &key[..cut],
                None if key.is_empty() => return At { text: Text::File, span: 0..0 },
                None => key = "",
            }
        }
    }

    fn source(&self, text: Text) -> &Arc<NamedSource<String>> {
        match text {
            Text::File => &self.file,
            Text::Set(index) => self.sets.get(index).unwrap_or(&self.file),
        }
    }

    pub fn file_name(&self) -> &str {
        self.file.name()
    }

    pub fn file_text(&self) -> &str {
        self.file.inner()
    }

    /// Line and column of a byte of the file, both from 1; columns count characters.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = self.file_text().get(..byte).unwrap_or(self.file_text());
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// A fault at a place.
    pub fn problem(&self, at: &At, key: &str, message: String, label: &str, help: Option<String>) -> Problem {
        let source = Arc::clone(self.source(at.text));
        let (origin, line_column) = match at.text {
            Text::File => {
                let (line, column) = self.line_column(at.span.start);
                (format!("{}:{line}:{column}", self.file_name()), Some((line, column)))
            }
            Text::Set(_) => (format!("`--set {}`", clipped(source.inner(), 80)), None),
        };
        let span = first_line(source.inner(), &at.span);
        let label = (!source.inner().is_empty()).then(|| {
            LabeledSpan::new((!label.is_empty()).then(|| label.to_string()), span.start, span.len())
        });
        Problem { key: key.to_string(), origin, message, help, line_column, written: source, label }
    }
}

/// The text with every control character that a terminal would obey replaced by one of the same length in bytes:
/// snippets show a stranger's file as it stands.
fn harmless(text: &str) -> String {
    let shown = |c: char| match (c, c.len_utf8()) {
        ('\n' | '\r' | '\t', _) => c,
        (c, 1) if c.is_control() => '?',
        (c, 2) if c.is_control() => '¿',
        (c, _) => c,
    };
    text.chars().map(shown).collect()
}

/// A span cut at the end of its first line: a snippet of a long list would hide what is wrong with it.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let length = text.get(span.clone()).and_then(|marked| marked.find(['\n', '\r']));
    span.start..length.map_or(span.end, |length| span.start + length)
}

/// The faults found so far.
#[derive(Debug)]
pub(crate) struct Faults<'a> {
    pub places: &'a Places,
    found: Vec<(At, Problem)>,
}

impl<'a> Faults<'a> {
    pub fn new(places: &'a Places) -> Self {
        Faults { places, found: Vec::new() }
    }

    /// The same faults, once the places of the keys are known.
    pub fn with_places(self, places: &Places) -> Faults<'_> {
        Faults { places, found: self.found }
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn push(&mut self, at: &At, key: &str, message: String, label: &str, help: Option<String>) {
        self.found.push((at.clone(), self.places.problem(at, key, message, label, help)));
    }

    /// Whether something was already said about this key or a part of it.
    pub fn mentions(&self, key: &str) -> bool {
        let within = |whole: &str, part: &str| {
            part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.found.iter().any(|(_, problem)| within(key, &problem.key))
    }

    /// All faults in the order of the file, those of `--set` arguments last.
    pub fn into_error(mut self) -> Option<RecipeError> {
        let order = |at: &At| match at.text {
            Text::File => (0, at.span.start),
            Text::Set(index) => (index + 1, at.span.start),
        };
        self.found.sort_by_key(|(at, _)| order(at));
        let mut problems: Vec<Problem> = self.found.into_iter().map(|(_, problem)| problem).collect();
        match problems.len() {
            0 => None,
            1 => problems.pop().map(|problem| RecipeError::Problem(Box::new(problem))),
            _ => Some(RecipeError::Problems { file: self.places.file_name().to_string(), problems }),
        }
    }
}
