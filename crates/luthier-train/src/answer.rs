//! What a model's outputs say about classes.

use luthier_recipe::{Loss, LossInput};
use tch::{Kind, Tensor};

use crate::TrainError;
use crate::head_loss::HeadLoss;

impl HeadLoss {
    /// Class indices, int64 [N]: the largest output, or, of one output, the side it is on.
    pub fn guesses(&self, outputs: &Tensor) -> Result<Tensor, TrainError> {
        if self.outputs != 1 {
            return Ok(outputs.f_argmax(-1, false)?);
        }
        Ok(outputs.f_select(1, 0)?.f_gt(self.boundary())?.f_to_kind(Kind::Int64)?)
    }

    /// Right answers; 0 for a regression.
    pub fn right(&self, outputs: &Tensor, labels: &Tensor) -> Result<u64, TrainError> {
        if self.classes == 0 {
            return Ok(0);
        }
        let hits = self.guesses(outputs)?.f_eq_tensor(labels)?.f_sum(Kind::Int64)?;
        Ok(hits.f_int64_value(&[])?.unsigned_abs())
    }

    /// Probability of each class, fp32 [N, classes]. Outputs that the loss does not take for logits are taken for
    /// probabilities as they are, cut to 0 … 1.
    pub fn probabilities(&self, outputs: &Tensor) -> Result<Tensor, TrainError> {
        let logits = self.logits();
        if self.outputs == 1 {
            let second = if logits { outputs.f_sigmoid()? } else { outputs.f_clamp(0.0, 1.0)? };
            let first = second.f_neg()?.f_add_scalar(1.0)?;
            return Ok(Tensor::f_cat(&[first, second], 1)?);
        }
        Ok(match &self.loss {
            _ if !logits => outputs.f_clamp(0.0, 1.0)?,
            Loss::Bce { .. } => outputs.f_sigmoid()?,
            _ => outputs.f_softmax(-1, Kind::Float)?,
        })
    }

    /// Whether outputs are on no scale of their own.
    fn logits(&self) -> bool {
        matches!(self.loss.input(), Some(LossInput::Logits)) || matches!(self.loss, Loss::Hinge { .. })
    }

    /// Above it, one output says the second class.
    fn boundary(&self) -> f64 {
        if self.logits() { 0.0 } else { 0.5 }
    }
}

/// The numbers of a tensor [N, columns], row by row.
pub(crate) fn rows(tensor: &Tensor) -> Result<Vec<Vec<f32>>, TrainError> {
    let rows = tensor.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Float)?;
    let (count, columns) = rows.size2()?;
    let mut flat = vec![0f32; (count * columns) as usize];
    rows.f_contiguous()?.f_copy_data(&mut flat, (count * columns) as usize)?;
    Ok(flat.chunks(columns.max(1) as usize).map(<[f32]>::to_vec).collect())
}
