//! The order in which an epoch uses its samples. The seed and the epoch alone decide.

use std::collections::BTreeMap;

use rand::rngs::ChaCha8Rng;
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

/// An order for contrasts by class: every batch has `m` samples of each of its classes, which are `batch_size / m`, as
/// `MPerClassSampler` of pytorch-metric-learning draws them. As many whole batches as the samples make.
///
/// Classes come in turn, whatever their sizes, and so do the samples of a class: none comes again before a class has
/// fewer than `m` left that have not been used. So small classes are seen several times in an epoch, and of large ones not
/// every sample is. No batch has a class or a sample twice, where there are enough classes of `m` samples or more; a
/// smaller class is in no batch.
pub fn per_class_order(labels: &[u32], batch_size: usize, m: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let (batch_size, m) = (batch_size.max(1), m.max(1));
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (sample, label) in (0..).zip(labels) {
        members.entry(*label).or_default().push(sample);
    }
    members.retain(|_, samples| samples.len() >= m);
    let classes = members.keys().copied().collect();
    let mut classes = Deck::new(classes, rng(seed, epoch, 0, Purpose::Batches));
    let mut decks: BTreeMap<u32, Deck> = members
        .into_iter()
        .map(|(class, samples)| {
            (class, Deck::new(samples, rng(seed, epoch, u64::from(class), Purpose::Order)))
        })
        .collect();
    let mut order = Vec::with_capacity(labels.len());
    for _ in 0..labels.len() / batch_size {
        for class in classes.deal(batch_size / m) {
            if let Some(deck) = decks.get_mut(&class) {
                order.extend(deck.deal_anew(m));
            }
        }
    }
    order
}

/// Cards that are dealt in a random order, again and again.
struct Deck {
    all: Vec<u32>,
    left: Vec<u32>,
    rng: ChaCha8Rng,
}

impl Deck {
    fn new(all: Vec<u32>, rng: ChaCha8Rng) -> Self {
        Deck { all, left: Vec::new(), rng }
    }

    /// So many different cards: what is left, and then of a deck that was shuffled anew. All of them where there are no
    /// more.
    fn deal(&mut self, count: usize) -> Vec<u32> {
        let count = count.min(self.all.len());
        let mut dealt: Vec<u32> = Vec::with_capacity(count);
        let mut aside = Vec::new();
        while dealt.len() < count {
            let Some(card) = self.left.pop() else {
                self.left.clone_from(&self.all);
                self.left.shuffle(&mut self.rng);
                continue;
            };
            if dealt.contains(&card) { aside.push(card) } else { dealt.push(card) }
        }
        self.left.extend(aside);
        dealt
    }

    /// So many cards of one deck: where fewer are left, it is shuffled anew.
    fn deal_anew(&mut self, count: usize) -> Vec<u32> {
        if self.left.len() < count {
            self.left.clear();
        }
        self.deal(count)
    }
}
