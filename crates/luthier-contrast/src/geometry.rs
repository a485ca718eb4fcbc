//! How embeddings lie on the unit sphere.

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::{at_least_two, matrix, shaped};

/// Every row divided by its length; a row of zeros stays one.
///
/// # Errors
/// Not a matrix.
pub fn normalize(embeddings: &Tensor) -> Result<Tensor, ContrastError> {
    matrix(embeddings, "embeddings")?;
    let lengths = embeddings.f_norm_scalaropt_dim(2.0, 1, true)?.f_clamp_min(1e-12)?;
    Ok(embeddings.f_div(&lengths)?)
}

/// Mean squared distance of the two views `[N, d]` of each sample (Wang & Isola 2020, α = 2); 0 where views are the same.
///
/// # Errors
/// Shapes that differ.
pub fn alignment(one: &Tensor, other: &Tensor) -> Result<f64, ContrastError> {
    let (rows, width) = matrix(one, "embeddings")?;
    shaped(other, "the other view's embeddings", Some(rows), width)?;
    let squares = one.f_sub(other)?.f_square()?.f_sum_dim_intlist(1, false, Kind::Double)?;
    Ok(squares.f_mean(Kind::Double)?.f_double_value(&[])?)
}

/// ln of the mean of exp(−2 · squared distance) over all pairs of `[N, d]` (Wang & Isola 2020, t = 2): 0 where all
/// embeddings are one point, about −4 where they are spread evenly. Memory grows with N².
///
/// # Errors
/// Fewer than two rows.
pub fn uniformity(embeddings: &Tensor) -> Result<f64, ContrastError> {
    at_least_two(matrix(embeddings, "embeddings")?.0)?;
    let distances = embeddings.f_to_kind(Kind::Float)?.f_pdist(2.0)?;
    let terms = distances.f_square()?.f_mul_scalar(-2.0)?.f_to_kind(Kind::Double)?.f_exp()?;
    Ok(terms.f_mean(Kind::Double)?.f_log()?.f_double_value(&[])?)
}

/// Standard deviation of each number of the normalised embeddings, averaged, times √d: 1 where they are spread evenly,
/// 0 where they have collapsed (Chen & He 2021 hold it against 1/√d).
///
/// # Errors
/// Fewer than two rows.
pub fn spread(embeddings: &Tensor) -> Result<f64, ContrastError> {
    let (rows, width) = matrix(embeddings, "embeddings")?;
    at_least_two(rows)?;
    let deviations = normalize(&embeddings.f_to_kind(Kind::Double)?)?.f_std_dim(0, false, false)?;
    Ok(deviations.f_mean(Kind::Double)?.f_double_value(&[])? * (width as f64).sqrt())
}
