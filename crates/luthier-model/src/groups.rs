//! Sequences that are attended to together.

use std::cmp::Reverse;

/// Share of a group that may be filling. Measured with 8 to 32 sequences of up to 120 tokens on two cores: less makes
/// many small groups, more computes on nothing.
const FILLING: f64 = 0.3;

/// Sequences that are attended to together: each filled up to the longest of them, unless they are equally long.
#[derive(Debug)]
pub(crate) struct Group {
    /// Which sequences, by number
    pub sequences: Vec<usize>,
    /// Length of the longest
    pub longest: usize,
    /// Where their rows come from
    pub source: Source,
}

/// Where the rows of a group come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// They lie there, one after the other, from this row on: nothing is filled
    Run(usize),
    /// `count × longest` row numbers; what is filled in is a row of the same sequence, so that it is a number at least
    Gather(Vec<usize>),
}

/// Groups of sequences of these lengths: the longest first, cut where the filling would be too much.
pub(crate) fn grouped(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&sequence| Reverse(lengths[sequence]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut real = 0;
    for sequence in order {
        let added = lengths[sequence];
        if let Some(group) = groups.last_mut() {
            let area = lengths[group[0]] * (group.len() + 1);
            #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
            if (area - real - added) as f64 <= FILLING * area as f64 {
                group.push(sequence);
                real += added;
                continue;
            }
        }
        groups.push(vec![sequence]);
        real = added;
    }
    // in the batch's own order where that is possible: then nothing has to be moved back
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn sequences_of_one_length_are_one_group() {
        assert_eq!(grouped(&[7, 7, 7]), [[0, 1, 2]]);
        assert!(grouped(&[]).is_empty());
    }

    #[test]
    fn filling_is_limited() {
        // 10 and 8: 2 of 20 are filling. With 1, 11 of 30 would be
        assert_eq!(grouped(&[1, 10, 8]), [vec![0], vec![1, 2]]);
        let lengths: Vec<usize> = (1..=120).rev().collect();
        let groups = grouped(&lengths);
        assert!(groups.len() < 12, "{}", groups.len());
        for group in groups {
            let longest = group.iter().map(|&sequence| lengths[sequence]).max().unwrap_or(0);
            let real: usize = group.iter().map(|&sequence| lengths[sequence]).sum();
            let area = longest * group.len();
            assert!(10 * (area - real) <= 3 * area, "{group:?}");
        }
    }
}
