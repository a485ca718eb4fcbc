//! Where the sequences of a packed batch lie, and how they are laid side by side for attention.

use tch::{Device, Tensor};

use crate::ModelError;

/// Share of a group that may be filling. Measured with 8 to 32 sequences of up to 120 tokens on two cores: less makes
/// many small groups, more computes on nothing.
const FILLING: f64 = 0.3;

/// Where the sequences of a packed batch lie. It is a function of their lengths alone, so activations that were kept
/// can be put together anew: [`Flow::packed`](crate::Flow::packed) with their lengths is all that belongs to them.
#[derive(Debug)]
pub struct Layout {
    lengths: Vec<i64>,
    starts: Vec<i64>,
    groups: Vec<Group>,
    back: Option<Vec<i64>>,
}

/// Sequences that are attended to together: each filled up to the longest of them, unless they are equally long.
#[derive(Debug)]
pub(crate) struct Group {
    /// Which sequences, by number
    pub sequences: Vec<i64>,
    /// Length of the longest
    pub longest: i64,
    /// Where their rows come from
    pub source: Source,
}

/// Where the rows of a group come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// They lie there, one after the other, from this row on: nothing is filled
    Run(i64),
    /// `count × longest` row numbers; what is filled in is a row of the same sequence, so that it is a number at least
    Gather(Vec<i64>),
}

impl Layout {
    /// Of sequences that lie one after the other.
    pub fn new(lengths: Vec<i64>) -> Self {
        let starts = lengths
            .iter()
            .scan(0, |next, length| {
                let start = *next;
                *next += length;
                Some(start)
            })
            .collect();
        let mut layout = Self { lengths, starts, groups: Vec::new(), back: None };
        layout.groups = layout.grouped().into_iter().map(|sequences| layout.group(sequences)).collect();
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
    pub(crate) fn firsts(&self) -> &[i64] {
        &self.starts
    }

    /// The row of each sequence's last token.
    pub(crate) fn lasts(&self) -> Vec<i64> {
        self.starts.iter().zip(&self.lengths).map(|(start, length)| start + length - 1).collect()
    }

    /// For each row, its number within its sequence.
    pub(crate) fn positions(&self) -> Vec<i64> {
        self.lengths.iter().flat_map(|&length| 0..length).collect()
    }

    /// For each row, the number of its sequence.
    pub(crate) fn owners(&self) -> Vec<i64> {
        (0..).zip(&self.lengths).flat_map(|(owner, &length)| (0..length).map(move |_| owner)).collect()
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// For each row, where the groups, one after the other, have it; `None` if just there.
    pub(crate) fn back(&self) -> Option<&[i64]> {
        self.back.as_deref()
    }

    /// Sequences by length, the longest first, cut where the filling would be too much.
    fn grouped(&self) -> Vec<Vec<usize>> {
        let length = |&sequence: &usize| self.lengths.get(sequence).copied().unwrap_or(0);
        let mut order: Vec<usize> = (0..self.lengths.len()).collect();
        order.sort_by_key(|sequence| std::cmp::Reverse(length(sequence)));
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let (mut area, mut real) = (0, 0);
        for sequence in order {
            let added = length(&sequence);
            let longest = groups.last().and_then(|group| group.first()).map(length);
            #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
            let fits = |longest: i64| {
                let area = area + longest;
                (area - real - added) as f64 <= FILLING * area as f64
            };
            match (groups.last_mut(), longest) {
                (Some(group), Some(longest)) if fits(longest) => {
                    group.push(sequence);
                    area += longest;
                    real += added;
                }
                _ => {
                    groups.push(vec![sequence]);
                    (area, real) = (added, added);
                }
            }
        }
        // in the batch's own order where that is possible: then nothing has to be moved back
        groups.iter_mut().for_each(|group| group.sort_unstable());
        groups.sort_unstable();
        groups
    }

    fn group(&self, sequences: Vec<usize>) -> Group {
        let spans: Vec<(i64, i64)> = sequences
            .iter()
            .filter_map(|&sequence| Some((*self.starts.get(sequence)?, *self.lengths.get(sequence)?)))
            .collect();
        let longest = spans.iter().map(|&(_, length)| length).max().unwrap_or(0);
        let first = spans.first().map_or(0, |&(start, _)| start);
        let one_run = (0..).zip(&spans).all(|(at, &span)| span == (first + at * longest, longest));
        let source = if one_run {
            Source::Run(first)
        } else {
            let rows = |&(start, length): &(i64, i64)| {
                (start..start + length).chain((length..longest).map(move |_| start))
            };
            Source::Gather(spans.iter().flat_map(rows).collect())
        };
        let sequences = sequences.iter().map(|&sequence| i64::try_from(sequence).unwrap_or(i64::MAX));
        Group { sequences: sequences.collect(), longest, source }
    }

    fn way_back(&self) -> Option<Vec<i64>> {
        let mut begins = vec![0; self.lengths.len()];
        let mut next = 0;
        for group in &self.groups {
            for &sequence in &group.sequences {
                if let Some(begin) = usize::try_from(sequence).ok().and_then(|at| begins.get_mut(at)) {
                    *begin = next;
                }
                next += group.longest;
            }
        }
        let back: Vec<i64> =
            begins.iter().zip(&self.lengths).flat_map(|(&begin, &length)| begin..begin + length).collect();
        // the last row, too: behind it may be filling that has to go
        let just_there = next == self.total() && back.iter().zip(0..).all(|(&row, at)| row == at);
        (!just_there).then_some(back)
    }
}

/// Row numbers as a tensor.
pub(crate) fn index(rows: &[i64], device: Device) -> Result<Tensor, ModelError> {
    Ok(Tensor::f_from_slice(rows)?.f_to_device(device)?)
}
