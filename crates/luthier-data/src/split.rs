//! Which samples are trained on, and which are held out. The seed alone decides.

use miette::Diagnostic;
use rand::seq::SliceRandom;
use thiserror::Error;

use crate::random::{Purpose, rng, shuffled_classes};

/// Why a split can't be made.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum SplitError {
    /// The share is not between 0 and 1
    #[error("`data.split.valid` = {valid} is not between 0 and 1")]
    #[diagnostic(help("0.2 takes a fifth of each class for validation"))]
    Share {
        /// The share
        valid: f64,
    },
    /// The fold doesn't exist
    #[error("`data.split.fold` = {fold} does not exist: a share of {valid} gives {folds} disjoint parts")]
    #[diagnostic(help("folds count from 0 to {}", folds.saturating_sub(1)))]
    Fold {
        /// The fold asked for
        fold: u64,
        /// The share
        valid: f64,
        /// How many there are
        folds: u64,
    },
    /// Nothing is left for validation
    #[error("`data.split.valid` = {valid} of {samples} samples leaves nothing to validate on")]
    #[diagnostic(help("use a larger share, or more pictures"))]
    Nothing {
        /// The share
        valid: f64,
        /// How many samples there are
        samples: usize,
    },
    /// The shares are no shares of one whole
    #[error(
        "`data.split` shares out {train} + {valid} + {test}, and the three must be at least 0 and add up to 1"
    )]
    #[diagnostic(help("`{{ train = 0.7, valid = 0.1, test = 0.2 }}` is a usual choice"))]
    Shares {
        /// For training
        train: f64,
        /// For validation
        valid: f64,
        /// For test
        test: f64,
    },
    /// A part that was asked for gets no sample
    #[error("`data.split.{part}` = {share} of {samples} samples leaves nothing for it")]
    #[diagnostic(help("use a larger share, set it to 0, or use more samples"))]
    NothingFor {
        /// `train`, `valid` or `test`
        part: &'static str,
        /// Its share
        share: f64,
        /// How many samples there are
        samples: usize,
    },
}

/// Splits samples into training and validation, class by class, so that each class keeps its share.
///
/// The folds 0, 1, … ⌊1/`valid`⌋ − 1 of one seed are disjoint. Of a class with a single sample nothing is taken. Both
/// results are sorted indices into `labels`.
///
/// # Errors
/// A share outside (0, 1), a fold that doesn't exist, or nothing left for validation.
pub fn stratified_split(
    labels: &[u32],
    valid: f64,
    fold: u64,
    seed: u64,
) -> Result<(Vec<u32>, Vec<u32>), SplitError> {
    if !(valid > 0.0 && valid < 1.0) {
        return Err(SplitError::Share { valid });
    }
    // 1/0.2 must be 5 even where it comes out as 4.999…
    let folds = (1.0 / valid + 1e-9).floor() as u64;
    if fold >= folds {
        return Err(SplitError::Fold { fold, valid, folds });
    }
    let mut held_out = vec![false; labels.len()];
    for members in shuffled_classes(labels, seed, Purpose::Split) {
        let count = members.len();
        let bound = |fold: u64| ((fold as f64 * valid * count as f64).round() as usize).min(count);
        // at least one sample of every class is trained on
        let (from, to) = (bound(fold), bound(fold + 1).min(bound(fold) + count - 1));
        for member in &members[from..to] {
            held_out[*member as usize] = true;
        }
    }
    let all = 0..labels.len() as u32;
    let (chosen, rest): (Vec<u32>, Vec<u32>) = all.partition(|i| held_out[*i as usize]);
    if chosen.is_empty() {
        return Err(SplitError::Nothing { valid, samples: labels.len() });
    }
    Ok((rest, chosen))
}

/// The shares of a whole that are trained on, validated on and tested on; they add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// For training
    pub train: f64,
    /// For validation
    pub valid: f64,
    /// For test
    pub test: f64,
}

impl Shares {
    fn list(self) -> [f64; 3] {
        [self.train, self.valid, self.test]
    }
}

/// Disjoint, sorted indices that cover all samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// For training
    pub train: Vec<u32>,
    /// For validation
    pub valid: Vec<u32>,
    /// For test
    pub test: Vec<u32>,
}

/// Shuffles `samples` samples and cuts them: the first part is trained on, the next validated, the rest tested.
///
/// Each part has ⌊share · samples⌋ samples, and what that leaves goes to the largest remainders.
///
/// # Errors
/// Shares that don't add up to 1, or a part with a share that gets no sample.
pub fn plain_parts(samples: usize, shares: Shares, seed: u64) -> Result<Parts, SplitError> {
    let [train, valid, _] = sizes(samples, shares)?;
    let mut order: Vec<u32> = (0..samples as u32).collect();
    // no class has this number
    order.shuffle(&mut rng(seed, u64::MAX, 0, Purpose::Split));
    let test = order.split_off(train + valid);
    let held = order.split_off(train);
    Ok(sorted([order, held, test]))
}

/// As [`plain_parts`], and in each part every class has its share, but for one sample more or less.
///
/// A class is trained on before anything of it is held out, as long as another class can give a sample in exchange.
///
/// # Errors
/// As [`plain_parts`].
pub fn stratified_parts(labels: &[u32], shares: Shares, seed: u64) -> Result<Parts, SplitError> {
    let whole = sizes(labels.len(), shares)?;
    let classes = shuffled_classes(labels, seed, Purpose::Split);
    let mut table: Vec<[usize; 3]> =
        classes.iter().map(|members| shares.list().map(|share| floor(share, members.len()))).collect();
    let mut owed: [usize; 3] =
        std::array::from_fn(|part| whole[part].saturating_sub(table.iter().map(|row| row[part]).sum()));
    for (row, members) in table.iter_mut().zip(&classes) {
        // giving to the parts that are owed most never leaves one with more than the classes to come can fill
        let mut parts = [0, 1, 2];
        parts.sort_by_key(|part| std::cmp::Reverse(owed[*part]));
        for part in parts.into_iter().take(members.len() - row.iter().sum::<usize>()) {
            row[part] += 1;
            owed[part] = owed[part].saturating_sub(1);
        }
    }
    train_on_every_class(&mut table);
    let mut parts: [Vec<u32>; 3] = Default::default();
    for (row, members) in table.into_iter().zip(classes) {
        let mut rest = members.as_slice();
        for (part, take) in parts.iter_mut().zip(row) {
            let (taken, left) = rest.split_at(take);
            part.extend(taken);
            rest = left;
        }
    }
    Ok(sorted(parts))
}

/// Swaps a held-out sample of a class that nobody trains on for a training sample of the class that has most.
fn train_on_every_class(table: &mut [[usize; 3]]) {
    for class in 0..table.len() {
        if table[class][0] > 0 {
            continue;
        }
        let part = if table[class][1] > 0 { 1 } else { 2 };
        let Some(richest) = (0..table.len()).max_by_key(|c| table[*c][0]).filter(|c| table[*c][0] > 1) else {
            return;
        };
        table[class][part] -= 1;
        table[class][0] += 1;
        table[richest][0] -= 1;
        table[richest][part] += 1;
    }
}

/// How many samples each part gets: whole numbers that add up, by the largest remainder.
fn sizes(samples: usize, shares: Shares) -> Result<[usize; 3], SplitError> {
    let list = shares.list();
    if !list.iter().all(|share| *share >= 0.0) || (list.iter().sum::<f64>() - 1.0).abs() > 1e-6 {
        let Shares { train, valid, test } = shares;
        return Err(SplitError::Shares { train, valid, test });
    }
    let sum: f64 = list.iter().sum();
    let list = list.map(|share| share / sum);
    let mut sizes = list.map(|share| floor(share, samples));
    let mut parts = [0, 1, 2];
    let remainder = |part: usize| list[part] * samples as f64 - sizes[part] as f64;
    parts.sort_by(|a, b| remainder(*b).total_cmp(&remainder(*a)));
    let left = samples.saturating_sub(sizes.iter().sum());
    for part in parts.into_iter().take(left) {
        sizes[part] += 1;
    }
    for ((part, share), size) in ["train", "valid", "test"].into_iter().zip(list).zip(sizes) {
        if share > 0.0 && size == 0 {
            return Err(SplitError::NothingFor { part, share, samples });
        }
    }
    Ok(sizes)
}

/// ⌊share · samples⌋, where 0.7 · 10 is 7 and not 6.999…
fn floor(share: f64, samples: usize) -> usize {
    (share * samples as f64 + 1e-6).floor() as usize
}

fn sorted([train, valid, test]: [Vec<u32>; 3]) -> Parts {
    let sort = |mut part: Vec<u32>| {
        part.sort_unstable();
        part
    };
    Parts { train: sort(train), valid: sort(valid), test: sort(test) }
}
