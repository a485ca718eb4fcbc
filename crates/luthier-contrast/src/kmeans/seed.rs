//! Initial centres (k-means++, Arthur & Vassilvitskii 2007).

use rand::RngExt;
use rand::seq::index;
use tch::{Kind, Tensor};

use super::pass::floats;
use super::{Rows, enough};
use crate::ContrastError;
use crate::random::{Purpose, rng};

/// Rows for each centre that are looked at: each centre costs a pass over all of them, and the best of a large random
/// part start as well as the best of all.
const CANDIDATES: i64 = 16;

/// `clusters` rows, each drawn with a probability that grows with the square of its distance to those drawn before.
/// Of more than sixteen rows for each, a random part is looked at. One seed, one result.
///
/// # Errors
/// More clusters than rows, rows that cannot be read.
pub fn plus_plus(rows: &dyn Rows, clusters: i64, seed: u64) -> Result<Tensor, ContrastError> {
    enough(rows, clusters)?;
    let mut rng = rng(seed, 0, Purpose::Centres);
    let count = rows.rows().min(clusters.saturating_mul(CANDIDATES));
    let mut which = index::sample(&mut rng, rows.rows() as usize, count as usize).into_vec();
    which.sort_unstable();
    let parts: Vec<Tensor> =
        runs(&which).map(|(first, count)| rows.block(first, count)).collect::<Result<_, _>>()?;
    tch::no_grad(|| {
        let candidates = Tensor::f_cat(&parts, 0)?.f_to_device(tch::Device::Cpu)?;
        let squares = candidates.f_square()?.f_sum_dim_intlist(1, false, None::<Kind>)?;
        let squares = floats(&squares)?;
        let mut distances = vec![f64::INFINITY; which.len()];
        let mut chosen: Vec<i64> = Vec::with_capacity(clusters as usize);
        while chosen.len() < clusters as usize {
            let total: f64 = distances.iter().sum();
            let at = if chosen.is_empty() || total <= 0.0 || !total.is_finite() {
                // the first one; or all rows equal one that was drawn, and clusters without rows are repaired later
                rng.random_range(0..which.len() as i64)
            } else {
                draw(&distances, rng.random::<f64>() * total)
            };
            chosen.push(at);
            let products = candidates.f_mv(&candidates.f_select(0, at)?)?;
            let own = squares[at as usize];
            for ((distance, square), product) in distances.iter_mut().zip(squares).zip(floats(&products)?) {
                *distance = distance.min(f64::from((square + own - 2.0 * product).max(0.0)));
            }
            distances[at as usize] = 0.0;
        }
        let chosen = Tensor::f_from_slice(&chosen)?;
        Ok(candidates.f_index_select(0, &chosen)?.f_to_device(rows.device())?)
    })
}

/// The place at which the running sum passes `target`.
fn draw(weights: &[f64], target: f64) -> i64 {
    let mut sum = 0.0;
    let found = weights.iter().position(|weight| {
        sum += weight;
        *weight > 0.0 && sum >= target
    });
    // rounding may leave the target a hair above the sum
    found.or_else(|| weights.iter().rposition(|weight| *weight > 0.0)).unwrap_or(0) as i64
}

/// Ascending places as (first, count) of neighbours.
fn runs(places: &[usize]) -> impl Iterator<Item = (i64, i64)> + '_ {
    places.chunk_by(|a, b| a + 1 == *b).filter_map(|run| Some((*run.first()? as i64, run.len() as i64)))
}
