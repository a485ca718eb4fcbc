//! How dense clusters are, as a temperature for each prototype (PCL).

use crate::ContrastError;
use crate::checks::temperature;
use crate::error::refused;

/// Numbers of the estimate; the default is PCL's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concentration {
    /// Mean of all concentrations
    pub temperature: f64,
    /// α: keeps small clusters from having large concentrations
    pub smoothing: f64,
    /// Percentiles of the clusters beyond which concentrations are cut
    pub clip: [f64; 2],
}

impl Default for Concentration {
    fn default() -> Self {
        Concentration { temperature: 0.2, smoothing: 10.0, clip: [10.0, 90.0] }
    }
}

/// φ = Σ ‖v − c‖ / (Z · ln(Z + α)) of each of `clusters`, from every sample's cluster and squared distance to its
/// centre. Clusters of one sample or none get the largest; then the ends are cut and all scaled to the mean temperature.
///
/// # Errors
/// A temperature that is not above 0, lists that do not go together.
pub fn concentrations(
    assignment: &[i64],
    squared_distances: &[f32],
    clusters: usize,
    numbers: Concentration,
) -> Result<Vec<f32>, ContrastError> {
    temperature(numbers.temperature)?;
    let [low, high] = numbers.clip;
    if !(0.0 <= low && low <= high && high <= 100.0) || numbers.smoothing.is_nan() || numbers.smoothing < 0.0
    {
        return Err(refused(
            format!("percentiles {low} and {high} and a smoothing of {}", numbers.smoothing),
            "PCL has 10, 90 and 10",
        ));
    }
    let mut sums = vec![0f64; clusters];
    let mut counts = vec![0u64; clusters];
    for (cluster, squared) in assignment.iter().zip(squared_distances) {
        let at = usize::try_from(*cluster).ok().filter(|at| *at < clusters);
        let Some(at) = at.filter(|_| assignment.len() == squared_distances.len() && squared.is_finite())
        else {
            return Err(refused(
                "assignments and distances are not those of these clusters",
                "take both from one k-means",
            ));
        };
        sums[at] += f64::from(squared.max(0.0)).sqrt();
        counts[at] += 1;
    }
    let known = |at: &usize| counts[*at] > 1;
    let mut all: Vec<f64> = (0..clusters)
        .map(|at| sums[at] / counts[at] as f64 / (counts[at] as f64 + numbers.smoothing).ln())
        .collect();
    let largest = (0..clusters).filter(known).map(|at| all[at]).fold(0.0, f64::max);
    for at in (0..clusters).filter(|at| !known(at)) {
        all[at] = largest;
    }
    let mut sorted = all.clone();
    sorted.sort_by(f64::total_cmp);
    // clusters of equal samples have none: a logit is never divided by 0
    let Some(smallest) = sorted.iter().copied().find(|one| *one > 0.0) else {
        return Ok(vec![numbers.temperature as f32; clusters]);
    };
    let (low, high) = (percentile(&sorted, low).max(smallest), percentile(&sorted, high).max(smallest));
    all.iter_mut().for_each(|one| *one = one.clamp(low.min(high), high));
    let mean = all.iter().sum::<f64>() / clusters as f64;
    Ok(all.iter().map(|one| (numbers.temperature * one / mean) as f32).collect())
}

/// Of sorted numbers, between neighbours on a line.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let at = percent / 100.0 * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}
