use std::cell::Cell;

use globset::{GlobBuilder, GlobMatcher};

use super::FolderError;

/// The patterns of `data.exclude`, and whether each has matched anything.
pub(super) struct Exclude {
    patterns: Vec<Pattern>,
}

struct Pattern {
    text: String,
    glob: GlobMatcher,
    by_name: bool,
    used: Cell<bool>,
}

impl Exclude {
    pub(super) fn new(patterns: &[String]) -> Result<Exclude, FolderError> {
        let patterns = patterns.iter().map(|text| {
            let glob = GlobBuilder::new(text.trim_end_matches('/'))
                .literal_separator(true)
                .build()
                .map_err(|e| FolderError::Pattern { pattern: text.clone(), reason: e.kind().to_string() })?
                .compile_matcher();
            let by_name = !text.trim_end_matches('/').contains('/');
            Ok(Pattern { text: text.clone(), glob, by_name, used: Cell::new(false) })
        });
        Ok(Exclude { patterns: patterns.collect::<Result<_, FolderError>>()? })
    }

    /// Whether a path below the root, or a folder on the way to it, is left out.
    pub(super) fn matches(&self, path: &str) -> bool {
        // no short cut: a pattern counts as used even where another one has matched before it
        self.patterns.iter().filter(|pattern| pattern.matches(path)).count() > 0
    }

    /// A note for each pattern that left nothing out: it is probably misspelt.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = self.patterns.iter().filter(|p| !p.used.get());
        unused.map(|p| format!("`{}` in `data.exclude` matches no file", p.text)).collect()
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        let hit = if self.by_name {
            path.split('/').any(|name| self.glob.is_match(name))
        } else {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            ends.into_iter().any(|end| self.glob.is_match(&path[..end]))
        };
        self.used.set(self.used.get() || hit);
        hit
    }
}
