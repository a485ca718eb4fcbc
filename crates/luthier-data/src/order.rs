//! The order in which an epoch uses its samples. The seed and the epoch alone decide.

use rand::seq::SliceRandom;

use crate::random::{Purpose, rng};

/// The order in which an epoch uses `n` samples: 0, 1, 2 …, or a permutation drawn from the seed and the epoch.
pub fn epoch_order(n: usize, seed: u64, epoch: u64, shuffle: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    if shuffle {
        order.shuffle(&mut rng(seed, epoch, 0, Purpose::Order));
    }
    order
}

/// An order for texts: batches hold samples of about the same length, and come in random order.
///
/// The samples are shuffled as [`epoch_order`] shuffles them; within each window of `window_batches` batches they are
/// sorted by length, longest first, and cut into batches; then all batches are shuffled. Every sample is used once. A
/// last batch that is not full stays the last, where the loader cuts it.
pub fn bucketed_order(
    lengths: &[u32],
    batch_size: usize,
    seed: u64,
    epoch: u64,
    window_batches: usize,
) -> Vec<u32> {
    let batch_size = batch_size.max(1);
    let mut order = epoch_order(lengths.len(), seed, epoch, true);
    let whole = order.len() - order.len() % batch_size;
    let rest = order.split_off(whole);
    for window in order.chunks_mut(batch_size.saturating_mul(window_batches.max(1))) {
        // a stable sort: equal lengths stay as they were shuffled
        window.sort_by_key(|sample| std::cmp::Reverse(lengths[*sample as usize]));
    }
    let mut batches: Vec<&[u32]> = order.chunks(batch_size).collect();
    batches.shuffle(&mut rng(seed, epoch, 0, Purpose::Batches));
    [batches.concat(), rest].concat()
}
