//! Random numbers by name: a stream is found by what it is for, so that no draw depends on any other.

use std::collections::BTreeMap;

use rand::{SeedableRng, rngs::ChaCha8Rng, seq::SliceRandom};

/// What a stream is used for; streams of different purposes have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Split,
    Order,
    Batches,
    Balance,
    /// One of the views that are made of a sample; 0 where there is only one
    View(u32),
}

/// The stream of a purpose under a seed, an epoch (or class) and a sample.
pub(crate) fn rng(seed: u64, epoch: u64, sample: u64, purpose: Purpose) -> ChaCha8Rng {
    let purpose: u64 = match purpose {
        Purpose::Split => 1 << 32,
        Purpose::Order => 2 << 32,
        Purpose::Batches => 3 << 32,
        Purpose::Balance => 4 << 32,
        Purpose::View(view) => u64::from(view),
    };
    // the four words are the whole key of the cipher: no two streams share one
    let mut key = [0; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([seed, epoch, sample, purpose]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The samples of each class that occurs, in class order, each class shuffled by a stream of its own.
pub(crate) fn shuffled_classes(labels: &[u32], seed: u64, purpose: Purpose) -> Vec<Vec<u32>> {
    let mut classes = BTreeMap::<u32, Vec<u32>>::new();
    for (index, label) in labels.iter().enumerate() {
        classes.entry(*label).or_default().push(index as u32);
    }
    for (class, members) in &mut classes {
        members.shuffle(&mut rng(seed, u64::from(*class), 0, purpose));
    }
    classes.into_values().collect()
}
