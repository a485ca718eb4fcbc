//! An evaluation that each rank did a share of.

use super::Ranks;
use crate::TrainError;
use crate::evaluate::Tally;
use crate::regress::Estimate;

impl Ranks {
    /// Makes of what this rank has added up what all have: sums of losses and counts, and every estimate.
    pub(crate) fn merge(&self, tally: &mut Tally) -> Result<(), TrainError> {
        let mut numbers = vec![tally.loss, tally.denominator, tally.correct as f64, tally.answered as f64];
        numbers.extend(tally.confusion.iter().flatten().map(|count| *count as f64));
        let sums = self.group.sums(&numbers)?;
        let (totals, counts) = sums.split_at(4);
        (tally.loss, tally.denominator) = (totals[0], totals[1]);
        (tally.correct, tally.answered) = (totals[2] as u64, totals[3] as u64);
        for (count, sum) in tally.confusion.iter_mut().flatten().zip(counts) {
            *count = *sum as u64;
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
