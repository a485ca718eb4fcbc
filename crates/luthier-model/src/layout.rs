//! Where the sequences of a packed batch lie.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tch::{Device, Tensor};

use crate::ModelError;
use crate::groups::{Group, Source, grouped};

/// Share of the tokens that beginnings in common have to save; below, it is not worth the bookkeeping.
const SAVED: f64 = 0.05;

/// Where the sequences of a packed batch lie, and how they are laid side by side for attention. It is a function of
/// their lengths alone, so activations that were kept can be put together anew: [`Flow::packed`](crate::Flow::packed)
/// with their lengths is all that belongs to them.
#[derive(Debug)]
pub struct Layout {
    lengths: Vec<i64>,
    /// The tokens of each sequence, counted over all of them
    spans: Vec<Range<usize>>,
    shared: Option<Shared>,
    groups: Vec<Group>,
    back: Option<Vec<usize>>,
}

/// Sequences that begin the same lie on the same rows, as far as they are the same.
#[derive(Debug)]
struct Shared {
    /// For each token, its row
    rows: Vec<usize>,
    /// For each row, the first token that lies there
    tokens: Vec<usize>,
    /// The same sequences, each on rows of its own
    apart: Arc<Layout>,
}

impl Layout {
    /// Of sequences that lie one after the other.
    pub fn new(lengths: Vec<i64>) -> Self {
        Self::with(lengths, None)
    }

    /// The same sequences, for a network where what a token becomes depends on the tokens before it and itself alone:
    /// beginnings in common are computed once. `ids` are the tokens. `None` if that saves little.
    pub(crate) fn sharing(self: &Arc<Self>, ids: &[i64]) -> Option<Self> {
        let mut rows = Vec::with_capacity(ids.len());
        let mut tokens = Vec::new();
        let mut known: HashMap<(Option<usize>, i64), usize> = HashMap::new();
        for span in &self.spans {
            let mut before = None;
            for token in span.clone() {
                let next = tokens.len();
                let row = *known.entry((before, *ids.get(token)?)).or_insert(next);
                if row == next {
                    tokens.push(token);
                }
                rows.push(row);
                before = Some(row);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
        let little = tokens.len() as f64 > (1.0 - SAVED) * rows.len() as f64;
        let shared = Shared { rows, tokens, apart: Arc::clone(self) };
        (!little).then(|| Self::with(self.lengths.clone(), Some(shared)))
    }

    fn with(lengths: Vec<i64>, shared: Option<Shared>) -> Self {
        let mut spans: Vec<Range<usize>> = Vec::with_capacity(lengths.len());
        for &length in &lengths {
            let start = spans.last().map_or(0, |span| span.end);
            spans.push(start..start + usize::try_from(length).unwrap_or(0));
        }
        let mut layout = Self { lengths, spans, shared, groups: Vec::new(), back: None };
        let sequences = grouped(&layout.spans.iter().map(Range::len).collect::<Vec<_>>());
        layout.groups = sequences.into_iter().map(|sequences| layout.group(sequences)).collect();
        layout.back = layout.way_back();
        layout
    }

    /// Tokens of each sequence.
    pub fn lengths(&self) -> &[i64] {
        &self.lengths
    }

    /// Tokens of all sequences.
    pub fn total(&self) -> i64 {
        self.lengths.iter().sum()
    }

    /// The row of each sequence's first token.
    pub(crate) fn firsts(&self) -> Vec<usize> {
        self.spans.iter().map(|span| self.row(span.start)).collect()
    }

    /// The row of each sequence's last token.
    pub(crate) fn lasts(&self) -> Vec<usize> {
        self.spans.iter().map(|span| self.row(span.end.saturating_sub(1))).collect()
    }

    /// For each row, its number within its sequence.
    pub(crate) fn positions(&self) -> Vec<usize> {
        let all = self.spans.iter().flat_map(|span| 0..span.len()).collect();
        self.of_rows(all)
    }

    /// For each token, the number of its sequence.
    pub(crate) fn owners(&self) -> Vec<usize> {
        self.spans.iter().enumerate().flat_map(|(owner, span)| span.clone().map(move |_| owner)).collect()
    }

    /// For each row, a token that lies there; `None` where every token has a row of its own.
    pub(crate) fn tokens(&self) -> Option<&[usize]> {
        self.shared.as_ref().map(|shared| shared.tokens.as_slice())
    }

    /// For each token, its row, and the layout in which every token has a row of its own; `None` if this is one.
    pub(crate) fn apart(&self) -> Option<(&[usize], &Arc<Self>)> {
        self.shared.as_ref().map(|shared| (shared.rows.as_slice(), &shared.apart))
    }

    /// Sequences that are attended to together.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// For each row, where the groups, one after the other, have it; `None` if just there.
    pub(crate) fn back(&self) -> Option<&[usize]> {
        self.back.as_deref()
    }

    fn row(&self, token: usize) -> usize {
        self.shared.as_ref().and_then(|shared| shared.rows.get(token)).copied().unwrap_or(token)
    }

    /// What there is for each token, for each row.
    fn of_rows(&self, of_tokens: Vec<usize>) -> Vec<usize> {
        match &self.shared {
            Some(shared) => shared.tokens.iter().map(|&token| of_tokens[token]).collect(),
            None => of_tokens,
        }
    }

    fn group(&self, sequences: Vec<usize>) -> Group {
        let spans = || sequences.iter().map(|&sequence| self.spans[sequence].clone());
        let longest = spans().map(|span| span.len()).max().unwrap_or(0);
        let filled = |span: Range<usize>| {
            let filling = std::iter::repeat_n(span.start, longest - span.len());
            span.chain(filling)
        };
        let rows: Vec<usize> = spans().flat_map(filled).map(|token| self.row(token)).collect();
        let source = match rows.first() {
            Some(&first) if in_a_row(&rows, first) => Source::Run(first),
            _ => Source::Gather(rows),
        };
        Group { sequences, longest, source }
    }

    fn way_back(&self) -> Option<Vec<usize>> {
        let mut places = vec![0; self.spans.last().map_or(0, |span| span.end)];
        let mut next = 0;
        for group in &self.groups {
            for &sequence in &group.sequences {
                for (place, at) in places[self.spans[sequence].clone()].iter_mut().zip(next..) {
                    *place = at;
                }
                next += group.longest;
            }
        }
        let back = self.of_rows(places);
        // the last row, too: behind it may be filling that has to go
        let just_there = next == back.len() && in_a_row(&back, 0);
        (!just_there).then_some(back)
    }
}

fn in_a_row(rows: &[usize], first: usize) -> bool {
    rows.iter().zip(first..).all(|(&row, at)| row == at)
}

/// Row numbers as a tensor.
pub(crate) fn index(rows: &[usize], device: Device) -> Result<Tensor, ModelError> {
    let rows: Vec<i64> = rows.iter().map(|&row| i64::try_from(row).unwrap_or(i64::MAX)).collect();
    Ok(Tensor::f_from_slice(&rows)?.f_to_device(device)?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::Layout;
    use crate::groups::Source;

    /// What is on each row after a way through the groups: `rows` as they are.
    fn through_groups(layout: &Layout, rows: &[usize]) -> Vec<usize> {
        let mut laid = Vec::new();
        for group in layout.groups() {
            let area = group.sequences.len() * group.longest;
            match &group.source {
                Source::Run(first) => laid.extend_from_slice(&rows[*first..first + area]),
                Source::Gather(gathered) => {
                    assert_eq!(gathered.len(), area);
                    laid.extend(gathered.iter().map(|&row| rows[row]));
                }
            }
        }
        match layout.back() {
            Some(back) => back.iter().map(|&place| laid[place]).collect(),
            None => laid,
        }
    }

    /// Texts of few words, so that many begin the same.
    fn texts() -> impl Strategy<Value = Vec<Vec<i64>>> {
        prop::collection::vec(prop::collection::vec(0_i64..3, 1..12), 1..12)
    }

    proptest! {
        #[test]
        fn groups_lose_nothing(texts in texts()) {
            let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
            let layout = Arc::new(Layout::new(lengths));
            let rows: Vec<usize> = (0..texts.concat().len()).collect();
            prop_assert_eq!(through_groups(&layout, &rows), rows.clone());

            let Some(shared) = layout.sharing(&texts.concat()) else { return Ok(()) };
            let tokens = shared.tokens().unwrap();
            let rows: Vec<usize> = (0..tokens.len()).collect();
            prop_assert_eq!(through_groups(&shared, &rows), rows);
        }

        #[test]
        fn beginnings_are_shared_and_nothing_else(texts in texts()) {
            let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
            let layout = Arc::new(Layout::new(lengths));
            let beginnings: Vec<&[i64]> =
                texts.iter().flat_map(|text| (1..=text.len()).map(|end| &text[..end])).collect();
            let different = beginnings.iter().collect::<HashSet<_>>().len();
            let Some(shared) = layout.sharing(&texts.concat()) else {
                prop_assert!(different * 20 > beginnings.len() * 19);
                return Ok(());
            };
            prop_assert_eq!(shared.tokens().unwrap().len(), different);
            let (rows, apart) = shared.apart().unwrap();
            prop_assert_eq!(apart.lengths(), layout.lengths());
            for (token, a) in beginnings.iter().enumerate() {
                let same = shared.tokens().unwrap()[rows[token]];
                prop_assert_eq!(beginnings[same], *a);
                prop_assert_eq!(shared.positions()[rows[token]], a.len() - 1);
            }
            let ends: Vec<&[i64]> =
                shared.lasts().iter().map(|&row| beginnings[shared.tokens().unwrap()[row]]).collect();
            prop_assert_eq!(ends, texts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_lies_in_order_is_not_moved() {
        let layout = Layout::new(vec![3, 3, 3]);
        assert!(matches!(layout.groups()[0].source, Source::Run(0)));
        assert!(layout.back().is_none());
        // two runs, the short one first
        let layout = Layout::new(vec![1, 1, 20, 20]);
        let runs: Vec<_> = layout.groups().iter().map(|group| &group.source).collect();
        assert!(matches!(runs[..], [Source::Run(0), Source::Run(2)]), "{runs:?}");
        assert!(layout.back().is_none());
    }
}
