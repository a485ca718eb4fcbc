//! What comes out of every part and activation, as numbers.

use std::cell::RefCell;
use std::rc::Rc;

use luthier_doctor::OutputPoint;
use luthier_model::{Sight, watch};
use luthier_train::TrainError;
use tch::{Kind, Tensor};

use crate::norms::told;

/// What of it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Everything of everything
    All,
    /// Dead units of ReLUs alone
    Dead,
}

/// Runs something and measures what the network gives on the way, in order.
pub(crate) fn watched<T>(
    what: What,
    run: impl FnOnce() -> Result<T, TrainError>,
) -> Result<(T, Vec<OutputPoint>), TrainError> {
    let kept: Rc<RefCell<Vec<Result<OutputPoint, TrainError>>>> = Rc::default();
    let ear = Rc::clone(&kept);
    let hear = move |sight: Sight<'_>| {
        if what == What::All || is_relu(sight.kind) {
            let point = {
                let _quiet = tch::no_grad_guard();
                point(&sight, what)
            };
            ear.borrow_mut().push(point);
        }
    };
    let result = watch(Box::new(hear), run)?;
    let points = kept.take().into_iter().collect::<Result<_, _>>()?;
    Ok((result, points))
}

/// Share of dead units, the mean over all ReLUs.
pub(crate) fn dead_share(points: &[OutputPoint]) -> f64 {
    let relus: Vec<f64> =
        points.iter().filter(|point| is_relu(&point.kind)).map(|point| point.dead).collect();
    if relus.is_empty() { 0.0 } else { relus.iter().sum::<f64>() / relus.len() as f64 }
}

fn is_relu(kind: &str) -> bool {
    kind.starts_with("relu")
}

fn point(sight: &Sight<'_>, what: What) -> Result<OutputPoint, TrainError> {
    let x = sight.tensor.f_detach()?;
    let dead = dead(&x)?;
    let mut point =
        OutputPoint { name: sight.name.into(), kind: sight.kind.into(), dead, ..Default::default() };
    if what == What::All {
        let x = x.f_to_kind(Kind::Float)?;
        point.std = told(x.f_std(false)?.f_double_value(&[])?);
        point.mean_abs = told(x.f_abs()?.f_mean(Kind::Float)?.f_double_value(&[])?);
        point.saturated = saturated(sight.kind, &x)?;
    }
    Ok(point)
}

/// Share of channels (of features, where there are no pixels) that are ≤ 0 everywhere.
fn dead(x: &Tensor) -> Result<f64, TrainError> {
    let axis = if x.dim() == 4 { 1 } else { x.dim().saturating_sub(1) };
    let others: Vec<i64> = (0..x.dim()).filter(|dim| *dim != axis).map(|dim| dim as i64).collect();
    let largest = if others.is_empty() { x.shallow_clone() } else { x.f_amax(others.as_slice(), false)? };
    Ok(largest.f_le(0.0)?.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?.f_double_value(&[])?)
}

/// Share of numbers where a squashing function is flat: its derivative, told from what it gave, is below a thousandth
/// of its largest.
fn saturated(kind: &str, y: &Tensor) -> Result<f64, TrainError> {
    let (slope, largest) = match kind {
        // y (1 − y), at most a quarter
        "sigmoid" | "softmax" => (y.f_mul(&y.f_neg()?.f_add_scalar(1.0)?)?, 0.25),
        "tanh" => (y.f_square()?.f_neg()?.f_add_scalar(1.0)?, 1.0),
        _ => return Ok(0.0),
    };
    let flat = slope.f_lt(1e-3 * largest)?.f_to_kind(Kind::Float)?.f_mean(Kind::Float)?;
    Ok(flat.f_double_value(&[])?)
}
