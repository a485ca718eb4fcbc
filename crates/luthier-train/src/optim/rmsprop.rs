//! RMSprop (Hinton 2012), as `torch.optim.RMSprop`: the one rule that libtorch has no fused kernel for.

use tch::Tensor;

use crate::TrainError;

#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub lr: f64,
    pub weight_decay: f64,
    pub alpha: f64,
    pub eps: f64,
    pub momentum: f64,
    pub centered: bool,
}

pub(super) fn step(
    values: &Tensor,
    grads: &Tensor,
    state: &[(&'static str, Tensor)],
    n: Numbers,
) -> Result<(), TrainError> {
    let get = |name: &str| {
        let found = state.iter().find(|(of, _)| *of == name).map(|(_, tensor)| tensor.shallow_clone());
        found.ok_or_else(|| TrainError::State(format!("optimizer state `{name}` is missing")))
    };
    let mut values = values.shallow_clone();
    let grads = if n.weight_decay == 0.0 {
        grads.shallow_clone()
    } else {
        grads.f_add(&values.f_mul_scalar(n.weight_decay)?)?
    };
    let mut square = get("square_avg")?;
    let _ = square.f_mul_scalar_(n.alpha)?.f_add_(&grads.f_square()?.f_mul_scalar_(1.0 - n.alpha)?)?;
    let mut denominator = if n.centered {
        let mut mean = get("grad_avg")?;
        let _ = mean.f_lerp_(&grads, 1.0 - n.alpha)?;
        square.f_sub(&mean.f_square()?)?
    } else {
        square.f_detach_copy()?
    };
    let _ = denominator.f_sqrt_()?.f_add_scalar_(n.eps)?;
    let mut change = grads.f_div(&denominator)?;
    if n.momentum > 0.0 {
        let mut buffer = get("momentum_buffer")?;
        let _ = buffer.f_mul_scalar_(n.momentum)?.f_add_(&change)?;
        change = buffer;
    }
    let _ = values.f_sub_(&change.f_mul_scalar(n.lr)?)?;
    Ok(())
}
