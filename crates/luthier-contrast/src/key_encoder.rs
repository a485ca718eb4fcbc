//! The key encoder follows the query encoder (MoCo).

use luthier_torch::lerp;
use tch::Tensor;

use crate::ContrastError;
use crate::error::refused;

/// keys ← momentum · keys + (1 − momentum) · queries, tensor by tensor, in place. Whoever wants BatchNorm's running
/// statistics to follow (EMAN) gives them too.
///
/// # Errors
/// Lists of different lengths or shapes, a momentum outside of 0 … 1.
pub fn follow(keys: &[Tensor], queries: &[Tensor], momentum: f64) -> Result<(), ContrastError> {
    if !(0.0..=1.0).contains(&momentum) {
        return Err(refused(
            format!("a momentum of {momentum} for the key encoder"),
            "give a number from 0 to 1; 0.999 is usual",
        ));
    }
    if keys.len() != queries.len() {
        return Err(refused(
            format!(
                "{} parameters of the key encoder for {} of the query encoder",
                keys.len(),
                queries.len()
            ),
            "make both of one architecture with the same heads",
        ));
    }
    let queries: Vec<Tensor> = queries.iter().map(Tensor::f_detach).collect::<Result<_, _>>()?;
    Ok(tch::no_grad(|| lerp(keys, &queries, 1.0 - momentum))?)
}
