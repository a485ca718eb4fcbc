//! Which samples of an epoch are a rank's own.

use crate::TrainError;
use crate::feed::{Batches, Update};
use crate::job::Job;

/// The samples of `order` that rank `rank` of `size` takes, in batches of `batch_size`.
///
/// The order is cut into batches for all ranks together, `batch_size` times `size` samples each, and of each every rank
/// takes a share: no sample is taken twice, none is left out. Only the last one may be short. It is shared out evenly, the
/// first ranks taking one more, so that a rank's share may be empty there but never in between.
pub(crate) fn own(order: Vec<u32>, batch_size: usize, rank: usize, size: usize) -> Vec<u32> {
    if size <= 1 {
        return order;
    }
    let all = batch_size.max(1).saturating_mul(size);
    let share = |samples: &[u32]| {
        let bound = |rank: usize| (samples.len() * rank).div_ceil(size);
        samples[bound(rank)..bound(rank + 1)].to_vec()
    };
    order.chunks(all).flat_map(share).collect()
}

/// Up to `parts` batches of a job's next update, `done` of its pass being over; `None` at the end of the pass.
///
/// Among ranks, how many there are is said by the samples of all: a rank whose share of the last batch is empty has an
/// update without one.
pub(crate) fn next_update(
    batches: &mut Batches,
    job: &Job,
    parts: u64,
    done: u64,
) -> Result<Option<Update>, TrainError> {
    if job.member.is_none() {
        return batches.next_update(parts);
    }
    let left = job.runner.feed.batches_of_a_pass()?.saturating_sub(done).min(parts);
    if left == 0 {
        return Ok(None);
    }
    let found = batches.next_update(left)?;
    let (batches, skipped, wait) =
        found.map(|update| (update.batches, update.skipped, update.wait)).unwrap_or_default();
    Ok(Some(Update { batches, taken: left, skipped, wait }))
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn shares_are_disjoint_whole_and_even() {
        for (samples, batch, size) in [(24, 4, 3), (25, 4, 3), (26, 4, 3), (5, 8, 3), (2, 8, 3), (1, 1, 4)] {
            let order: Vec<u32> = (0..samples).rev().collect();
            let shares: Vec<Vec<u32>> = (0..size).map(|rank| own(order.clone(), batch, rank, size)).collect();
            let mut all: Vec<u32> = shares.concat();
            all.sort_unstable();
            assert_eq!(all, (0..samples).collect::<Vec<_>>(), "{samples} {batch} {size}");
            let lengths: Vec<usize> = shares.iter().map(Vec::len).collect();
            let (most, least) = (lengths.iter().max(), lengths.iter().min());
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{lengths:?}");
            // batch for batch, together they are the batch of one process
            let global: Vec<&[u32]> = order.chunks(batch * size).collect();
            for (at, expected) in global.iter().enumerate() {
                let parts = shares.iter().flat_map(|share| share.chunks(batch).nth(at).unwrap_or_default());
                assert_eq!(parts.copied().collect::<Vec<_>>(), *expected);
            }
        }
    }

    #[test]
    fn one_rank_takes_all() {
        assert_eq!(own(vec![3, 1, 2], 2, 0, 1), [3, 1, 2]);
    }
}
