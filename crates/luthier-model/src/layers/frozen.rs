//! Frozen weights under bf16 autocast.
//!
//! Autocast casts a weight once per region if it wants a gradient, and at every use if it does not. A frozen weight does
//! not change, so its bf16 copy can be kept, on the CPU in the order in which oneDNN multiplies fastest.

use std::cell::RefCell;
use std::sync::Arc;

use luthier_torch::{Half, PackedLinear, Then, autocast_format};
use tch::{Device, Kind, Tensor};

use super::Activation;
use super::linear::{Affine, Outputs};
use crate::ModelError;
use crate::switches::Switches;

/// Copies of one layer's frozen weight.
#[derive(Debug)]
pub(super) struct Frozen {
    switches: Arc<Switches>,
    kept: RefCell<Kept>,
}

/// Copies, and what they are copies of.
#[derive(Debug, Default)]
struct Kept {
    of: Option<Version>,
    copies: Vec<(Wanted, Form)>,
}

/// Which outputs, and whether a gradient has to come through.
type Wanted = (Outputs, bool);

/// Where the numbers of weight and bias are, and how often they were changed in place.
type Version = [(usize, i64); 2];

#[derive(Debug)]
enum Form {
    /// In oneDNN's order; no gradient comes through
    Packed(PackedLinear, Option<Tensor>),
    Plain(Affine),
}

impl Frozen {
    pub(super) fn new(switches: Arc<Switches>) -> Self {
        Self { switches, kept: RefCell::default() }
    }

    /// What the layer computes, from a copy in bf16; `None` where none may be kept: the layer has to compute it then.
    pub(super) fn forward(
        &self,
        layer: &Affine,
        x: &Tensor,
        outputs: Outputs,
        then: Option<Activation>,
    ) -> Result<Option<Tensor>, ModelError> {
        if !self.switches.keeps_bf16() || layer.wants_grad() {
            *self.kept.borrow_mut() = Kept::default();
            return Ok(None);
        }
        if autocast_format(x.device()) != Some(Half::Bf16) {
            return Ok(None);
        }
        let mut kept = self.kept.borrow_mut();
        let version = version(layer)?;
        if kept.of != Some(version) {
            *kept = Kept { of: Some(version), copies: Vec::new() };
        }
        let wanted = (outputs, x.requires_grad());
        if !kept.copies.iter().any(|(key, _)| *key == wanted) {
            let rows = x.size().first().copied().unwrap_or(1);
            let form = tch::no_grad(|| form(&layer.some(outputs)?, rows, wanted.1))?;
            kept.copies.push((wanted, form));
        }
        let Some((_, form)) = kept.copies.iter().find(|(key, _)| *key == wanted) else { return Ok(None) };
        match form {
            Form::Packed(weight, bias) => {
                let x = x.f_to_kind(Kind::BFloat16)?;
                let fused = then.and_then(Activation::fused);
                let y = weight.forward(&x, bias.as_ref(), fused.unwrap_or(Then::Nothing))?;
                match then {
                    Some(activation) if fused.is_none() => activation.forward(&y).map(Some),
                    _ => Ok(Some(y)),
                }
            }
            Form::Plain(copy) => {
                let y = copy.forward(x)?;
                then.map_or(Ok(y.shallow_clone()), |activation| activation.forward(&y)).map(Some)
            }
        }
    }
}

fn form(layer: &Affine, rows: i64, through: bool) -> Result<Form, ModelError> {
    let copy = layer.f_map(|tensor| Ok(tensor.f_to_kind(Kind::BFloat16)?))?;
    if through || copy.weight.device() != Device::Cpu {
        return Ok(Form::Plain(copy));
    }
    // a libtorch without oneDNN cannot, and does without
    match PackedLinear::new(&copy.out_in()?.f_contiguous()?, rows) {
        Ok(packed) => Ok(Form::Packed(packed, copy.bias)),
        Err(_) => Ok(Form::Plain(copy)),
    }
}

fn version(layer: &Affine) -> Result<Version, ModelError> {
    let of = |tensor: &Tensor| -> Result<(usize, i64), ModelError> {
        Ok((tensor.data_ptr().addr(), tensor.f_internal_version()?))
    };
    Ok([of(&layer.weight)?, layer.bias.as_ref().map_or(Ok((0, 0)), of)?])
}
