//! Which samples are used when: the split and the order of an epoch. Both depend on the seed alone.

use miette::Diagnostic;
use rand::seq::SliceRandom;
use thiserror::Error;

use crate::random::{Purpose, rng};

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
    let mut classes: Vec<u32> = labels.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let mut held_out = vec![false; labels.len()];
    for class in classes {
        let mut members: Vec<usize> = (0..labels.len()).filter(|i| labels[*i] == class).collect();
        members.shuffle(&mut rng(seed, u64::from(class), 0, Purpose::Split));
        let count = members.len();
        let bound = |fold: u64| ((fold as f64 * valid * count as f64).round() as usize).min(count);
        // at least one sample of every class is trained on
        let (from, to) = (bound(fold), bound(fold + 1).min(bound(fold) + count - 1));
        for member in &members[from..to] {
            held_out[*member] = true;
        }
    }
    let all = 0..labels.len() as u32;
    let (chosen, rest): (Vec<u32>, Vec<u32>) = all.partition(|i| held_out[*i as usize]);
    if chosen.is_empty() {
        return Err(SplitError::Nothing { valid, samples: labels.len() });
    }
    Ok((rest, chosen))
}

/// The order in which an epoch uses `n` samples: 0, 1, 2 …, or a permutation drawn from the seed and the epoch.
pub fn epoch_order(n: usize, seed: u64, epoch: u64, shuffle: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    if shuffle {
        order.shuffle(&mut rng(seed, epoch, 0, Purpose::Order));
    }
    order
}
