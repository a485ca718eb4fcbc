//! An evaluation that each rank did a share of.

use super::Ranks;
use super::member::{NUMBERS, flat, unflat};
use crate::TrainError;
use crate::evaluate::Tally;
use crate::regress::Estimate;

impl Ranks {
    /// Makes of what this rank has added up what all have: sums of losses and counts, and every estimate.
    pub(crate) fn merge(&self, tally: &mut Tally) -> Result<(), TrainError> {
        let heads = NUMBERS * tally.heads.len();
        let mut numbers = flat(&tally.heads);
        numbers.push(tally.answered as f64);
        numbers.extend(tally.confusions.iter().flatten().flatten().map(|count| *count as f64));
        let sums = self.group.sums(&numbers)?;
        let (scores, counts) = sums.split_at(heads.min(sums.len()));
        tally.heads = unflat(scores);
        let mut counts = counts.iter().map(|count| *count as u64);
        tally.answered = counts.next().unwrap_or(0);
        for (count, sum) in tally.confusions.iter_mut().flatten().flatten().zip(counts) {
            *count = sum;
        }
        let own = serde_json::to_vec(&tally.estimates).unwrap_or_default();
        tally.estimates.clear();
        for bytes in self.group.gather(&own)? {
            let estimates: Vec<Estimate> = serde_json::from_slice(&bytes)
                .map_err(|_| TrainError::State("a rank's estimates cannot be read".into()))?;
            tally.estimates.extend(estimates);
        }
        Ok(())
    }
}
