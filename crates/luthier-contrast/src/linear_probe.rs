//! A linear classifier on frozen features: multinomial logistic regression.

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, one_label_each, shaped};
use crate::error::refused;
use crate::lbfgs::minimize;

/// Rows whose logits are computed at once.
const BLOCK: i64 = 8192;

/// Numbers of the fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearProbe {
    /// Strength of the penalty ½ · l2 · ‖weights‖² beside the mean loss; the bias has none
    pub l2: f64,
    /// Steps at most
    pub iterations: u64,
    /// Slope at which the fit is done
    pub tolerance: f64,
}

impl Default for LinearProbe {
    fn default() -> Self {
        LinearProbe { l2: 1e-4, iterations: 500, tolerance: 1e-5 }
    }
}

/// A fitted probe.
#[derive(Debug)]
pub struct Probed {
    /// `[d + 1, classes]`, for standardised features; the last row is the bias
    pub weights: Tensor,
    /// Mean loss and penalty at the end
    pub loss: f64,
    /// Steps that were made
    pub iterations: u64,
    mean: Tensor,
    deviation: Tensor,
}

impl Probed {
    /// The class of every row of `features` `[N, d]`.
    ///
    /// # Errors
    /// Features of another width.
    pub fn classes(&self, features: &Tensor) -> Result<Tensor, ContrastError> {
        shaped(features, "features", None, self.weights.size()[0] - 1)?;
        let mut found = Vec::new();
        for (first, count) in blocks(features.size()[0]) {
            let part = standardized(&features.f_narrow(0, first, count)?, &self.mean, &self.deviation)?;
            found.push(logits(&part, &self.weights)?.f_argmax(1, false)?);
        }
        match found.is_empty() {
            true => Ok(Tensor::f_zeros([0], (Kind::Int64, features.device()))?),
            false => Ok(Tensor::f_cat(&found, 0)?),
        }
    }

    /// Share of rows whose class it finds.
    ///
    /// # Errors
    /// Features of another width, labels of another count, nothing to count.
    pub fn accuracy(&self, features: &Tensor, labels: &Tensor) -> Result<f64, ContrastError> {
        one_label_each(labels, features.size().first().copied().unwrap_or(0))?;
        if labels.numel() == 0 {
            return Err(refused("no samples, no accuracy", "give samples of a labelled set"));
        }
        let hits = self.classes(features)?.f_eq_tensor(labels)?;
        Ok(hits.f_to_kind(Kind::Double)?.f_mean(Kind::Double)?.f_double_value(&[])?)
    }
}

/// Fits weights to features `[N, d]` and their classes, by L-BFGS on the whole set: the function is convex, so there is
/// one best probe and no learning rate to choose. Features are standardised; a column that does not change says nothing.
///
/// # Errors
/// Shapes that do not go together, a class beyond `classes`, features that are not finite.
pub fn linear_probe(
    features: &Tensor,
    labels: &Tensor,
    classes: i64,
    numbers: LinearProbe,
) -> Result<Probed, ContrastError> {
    let (rows, width) = matrix(features, "features")?;
    at_least_two(rows)?;
    one_label_each(labels, rows)?;
    let outside = labels.f_lt(0)?.f_logical_or(&labels.f_ge(classes)?)?;
    if classes < 2 || outside.f_any()?.f_to_kind(Kind::Int64)?.f_int64_value(&[])? == 1 {
        return Err(refused(
            format!("the labels are not of {classes} classes"),
            "a probe tells 2 classes or more apart",
        ));
    }
    if !(numbers.l2.is_finite() && numbers.l2 >= 0.0) {
        return Err(refused(format!("a penalty of {}", numbers.l2), "give 0 or more; 1e-4 is usual"));
    }
    tch::no_grad(|| {
        let mean = features.f_mean_dim(0, false, Kind::Double)?;
        let deviation = features.f_to_kind(Kind::Double)?.f_std_dim(0, false, false)?;
        let deviation = deviation.f_masked_fill(&deviation.f_lt(1e-12)?, 1.0)?;
        if !deviation.f_isfinite()?.f_all()?.f_to_kind(Kind::Int64)?.f_int64_value(&[]).map(|all| all == 1)? {
            return Err(refused("features are not finite", "the encoder has diverged: look at its loss"));
        }
        let (mean, deviation) = (mean.f_to_kind(Kind::Float)?, deviation.f_to_kind(Kind::Float)?);
        let start = Tensor::f_zeros([width + 1, classes], (Kind::Float, features.device()))?;
        let found = minimize(start, numbers.iterations, numbers.tolerance, |weights| {
            let own = weights.f_narrow(0, 0, width)?;
            let mut loss = 0.5 * numbers.l2 * own.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
            let slope = weights.f_mul_scalar(numbers.l2)?;
            let _ = slope.f_narrow(0, width, 1)?.f_zero_()?;
            for (first, count) in blocks(rows) {
                let part = standardized(&features.f_narrow(0, first, count)?, &mean, &deviation)?;
                let right = labels.f_narrow(0, first, count)?.f_unsqueeze(1)?;
                let shares = logits(&part, weights)?.f_log_softmax(1, Kind::Float)?;
                let own = shares.f_gather(1, &right, false)?;
                loss -= own.f_sum(Kind::Double)?.f_double_value(&[])? / rows as f64;
                let ones = own.f_ones_like()?.f_neg()?;
                let errors = shares.f_exp()?.f_scatter_add(1, &right, &ones)?.f_div_scalar(rows as f64)?;
                let _ = slope.f_narrow(0, 0, width)?.f_add_(&part.f_tr()?.f_matmul(&errors)?)?;
                let _ =
                    slope.f_select(0, width)?.f_add_(&errors.f_sum_dim_intlist(0, false, None::<Kind>)?)?;
            }
            Ok((loss, slope))
        })?;
        Ok(Probed { weights: found.at, loss: found.value, iterations: found.iterations, mean, deviation })
    })
}

fn blocks(rows: i64) -> impl Iterator<Item = (i64, i64)> {
    (0..rows).step_by(BLOCK as usize).map(move |first| (first, BLOCK.min(rows - first)))
}

fn standardized(features: &Tensor, mean: &Tensor, deviation: &Tensor) -> Result<Tensor, ContrastError> {
    Ok(features.f_to_kind(Kind::Float)?.f_sub(mean)?.f_div(deviation)?)
}

fn logits(features: &Tensor, weights: &Tensor) -> Result<Tensor, ContrastError> {
    let width = features.size()[1];
    Ok(features.f_matmul(&weights.f_narrow(0, 0, width)?)?.f_add(&weights.f_select(0, width)?)?)
}
