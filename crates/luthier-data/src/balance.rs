//! As many samples of each class: fewer of the large ones, or the small ones again.

use crate::random::{Purpose, shuffled_classes};

/// Takes of every class as many samples as the smallest has. Which, the seed decides; they come sorted.
pub fn undersample(labels: &[u32], seed: u64) -> Vec<u32> {
    let mut classes = shuffled_classes(labels, seed, Purpose::Balance);
    let fewest = classes.iter().map(Vec::len).min().unwrap_or_default();
    classes.iter_mut().for_each(|members| members.truncate(fewest));
    sorted(classes)
}

/// Repeats samples of every class until it has as many as the largest. Every sample is there at least once, none is
/// there twice more than another of its class; which are repeated, the seed decides. They come sorted.
///
/// For training samples alone: a sample that is also held out must not be repeated into training.
pub fn oversample(labels: &[u32], seed: u64) -> Vec<u32> {
    let classes = shuffled_classes(labels, seed, Purpose::Balance);
    let most = classes.iter().map(Vec::len).max().unwrap_or_default();
    sorted(classes.iter().map(|members| members.iter().copied().cycle().take(most).collect()))
}

fn sorted(classes: impl IntoIterator<Item = Vec<u32>>) -> Vec<u32> {
    let mut all: Vec<u32> = classes.into_iter().flatten().collect();
    all.sort_unstable();
    all
}
