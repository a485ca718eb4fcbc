//! Streams of random numbers by what they are for.

use rand::{SeedableRng, rngs::ChaCha8Rng};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Queue,
    Negatives,
    Centres,
}

/// The stream of a purpose under a seed and a number of its own.
pub(crate) fn rng(seed: u64, number: u64, purpose: Purpose) -> ChaCha8Rng {
    let purpose = match purpose {
        Purpose::Queue => 1u64,
        Purpose::Negatives => 2,
        Purpose::Centres => 3,
    };
    let mut key = [0; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([seed, number, purpose << 32, 0]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
