//! Random numbers by name: a stream is found by what it is for, so that no draw depends on any other.

use rand::{SeedableRng, rngs::ChaCha8Rng};

/// What a stream is used for; streams of different purposes have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Split,
    Order,
    /// One of the views that are made of a sample; 0 where there is only one
    View(u32),
}

/// The stream of a purpose under a seed, an epoch (or class) and a sample.
pub(crate) fn rng(seed: u64, epoch: u64, sample: u64, purpose: Purpose) -> ChaCha8Rng {
    let purpose: u64 = match purpose {
        Purpose::Split => 1 << 32,
        Purpose::Order => 2 << 32,
        Purpose::View(view) => u64::from(view),
    };
    // the four words are the whole key of the cipher: no two streams share one
    let mut key = [0; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([seed, epoch, sample, purpose]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
