//! L-BFGS (Liu & Nocedal 1989) with backtracking, for smooth convex functions.

use std::collections::VecDeque;

use tch::{Kind, Tensor};

use crate::ContrastError;

/// Pairs of steps and changes of the gradient that are remembered.
const HISTORY: usize = 10;

/// Where it ended.
pub(crate) struct Minimum {
    pub at: Tensor,
    pub value: f64,
    pub iterations: u64,
}

/// Walks down from `start` until the largest slope is below `tolerance`, no step leads further down, or after
/// `iterations`. `look` gives value and gradient.
pub(crate) fn minimize(
    start: Tensor,
    iterations: u64,
    tolerance: f64,
    mut look: impl FnMut(&Tensor) -> Result<(f64, Tensor), ContrastError>,
) -> Result<Minimum, ContrastError> {
    let mut at = start;
    let (mut value, mut slope) = look(&at)?;
    let mut pairs: VecDeque<(Tensor, Tensor, f64)> = VecDeque::new();
    let mut done = 0;
    while done < iterations && slope.f_abs()?.f_max()?.f_double_value(&[])? > tolerance {
        let mut direction = direction(&slope, &pairs)?;
        let mut descent = dot(&slope, &direction)?;
        if descent >= 0.0 {
            // rounding has spoiled what is remembered
            pairs.clear();
            direction = slope.f_neg()?;
            descent = dot(&slope, &direction)?;
        }
        let mut length = if pairs.is_empty() { 1.0 / (-descent).sqrt().max(1.0) } else { 1.0 };
        let found = loop {
            let there = at.f_add(&direction.f_mul_scalar(length)?)?;
            let (value_there, slope_there) = look(&there)?;
            if value_there <= value + 1e-4 * length * descent {
                break Some((there, value_there, slope_there));
            }
            length *= 0.5;
            if length < 1e-10 {
                break None;
            }
        };
        let Some((there, value_there, slope_there)) = found else { break };
        let (step, change) = (there.f_sub(&at)?, slope_there.f_sub(&slope)?);
        let curvature = dot(&step, &change)?;
        if curvature > 1e-12 * dot(&change, &change)? {
            pairs.push_back((step, change, curvature));
            if pairs.len() > HISTORY {
                pairs.pop_front();
            }
        }
        (at, value, slope) = (there, value_there, slope_there);
        done += 1;
    }
    Ok(Minimum { at, value, iterations: done })
}

/// The two-loop recursion: minus the remembered inverse curvature times the slope.
fn direction(slope: &Tensor, pairs: &VecDeque<(Tensor, Tensor, f64)>) -> Result<Tensor, ContrastError> {
    let mut direction = slope.f_neg()?;
    let mut shares = Vec::with_capacity(pairs.len());
    for (step, change, curvature) in pairs.iter().rev() {
        let share = dot(step, &direction)? / curvature;
        direction = direction.f_sub(&change.f_mul_scalar(share)?)?;
        shares.push(share);
    }
    if let Some((_, change, curvature)) = pairs.back() {
        direction = direction.f_mul_scalar(curvature / dot(change, change)?)?;
    }
    for ((step, change, curvature), share) in pairs.iter().zip(shares.iter().rev()) {
        let back = dot(change, &direction)? / curvature;
        direction = direction.f_add(&step.f_mul_scalar(share - back)?)?;
    }
    Ok(direction)
}

fn dot(one: &Tensor, other: &Tensor) -> Result<f64, ContrastError> {
    Ok((one * other).f_sum(Kind::Double)?.f_double_value(&[])?)
}
