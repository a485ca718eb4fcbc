//! What is refused before libtorch sees it.

use tch::Tensor;

use crate::ContrastError;
use crate::error::refused;

/// Rows and width of embeddings.
pub(crate) fn matrix(embeddings: &Tensor, name: &str) -> Result<(i64, i64), ContrastError> {
    match embeddings.size()[..] {
        [rows, width] if width > 0 => Ok((rows, width)),
        _ => Err(refused(
            format!("{name} are of shape {:?}, not [rows, width]", embeddings.size()),
            "give one row of numbers for each sample",
        )),
    }
}

/// Embeddings of `[rows, width]` as they are expected.
pub(crate) fn shaped(
    embeddings: &Tensor,
    name: &str,
    rows: Option<i64>,
    width: i64,
) -> Result<(), ContrastError> {
    let (found, wide) = matrix(embeddings, name)?;
    if wide != width || rows.is_some_and(|rows| rows != found) {
        let wanted = rows.map_or("any number of".to_owned(), |rows| rows.to_string());
        return Err(refused(
            format!("{name} are {found} rows of {wide} numbers, wanted are {wanted} rows of {width}"),
            "every part of a contrast comes from heads of one width and batches of one size",
        ));
    }
    Ok(())
}

pub(crate) fn temperature(value: f64) -> Result<(), ContrastError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(refused(
        format!("a temperature of {value} divides by nothing that makes sense"),
        "give a number above 0; 0.07 to 0.5 are usual",
    ))
}

/// Something to contrast each sample with.
pub(crate) fn at_least_two(rows: i64) -> Result<(), ContrastError> {
    if rows >= 2 {
        return Ok(());
    }
    Err(refused(
        format!("a batch of {rows} has no other sample to contrast with"),
        "take batches of 2 or more; 256 is usual",
    ))
}

pub(crate) fn one_label_each(labels: &Tensor, rows: i64) -> Result<(), ContrastError> {
    if labels.size() == [rows] {
        return Ok(());
    }
    Err(refused(
        format!("labels of shape {:?} for {rows} rows", labels.size()),
        "give one class index for each row",
    ))
}
