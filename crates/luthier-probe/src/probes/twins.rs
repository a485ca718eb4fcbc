//! Units of one layer that start as the same unit, and will stay it.

use luthier_plan::Role;
use luthier_train::TrainError;
use tch::{Kind, Tensor};

use crate::bench::Bench;

/// Units of a layer that are compared: each with each.
const MOST: i64 = 512;

/// Tables of vectors have a row for each word, not a unit: longer ones are passed over.
const LONGEST: i64 = 8192;

/// Largest cosine between two units, by layer, of every trained weight; biases count to their units. A depthwise kernel
/// is not compared: its units see different channels.
pub(super) fn twins(bench: &Bench) -> Result<Vec<(String, f64)>, TrainError> {
    let _quiet = tch::no_grad_guard();
    let mut found = Vec::new();
    let store = &bench.runner().model.store;
    for entry in bench.runner().model.trainable().filter(|entry| entry.role == Role::Weight) {
        let size = entry.tensor.size();
        let depthwise = size.len() == 4 && size[1] == 1 && size[0] > 1;
        if size.len() < 2 || depthwise || size[0] > LONGEST {
            continue;
        }
        let layer = entry.name.strip_suffix(".weight").unwrap_or(&entry.name);
        let bias = store.get(&format!("{layer}.bias")).map(|bias| bias.tensor.detach());
        // units are rows, or columns where a layer keeps its weight the other way round: its bias tells
        let columns = bias
            .as_ref()
            .is_some_and(|bias| size.len() == 2 && bias.size()[..] == size[1..] && size[0] != size[1]);
        let mut units = entry.tensor.f_detach()?;
        units = if columns { units.f_transpose(0, 1)?.f_contiguous()? } else { units.f_flatten(1, -1)? };
        if let Some(bias) = bias.filter(|bias| bias.size() == [units.size()[0]]) {
            units = Tensor::f_cat(&[units, bias.f_unsqueeze(1)?], 1)?;
        }
        if units.size()[0] < 2 {
            continue;
        }
        found.push((layer.to_owned(), nearest(&units)?));
    }
    Ok(found)
}

fn nearest(units: &Tensor) -> Result<f64, TrainError> {
    let count = units.size()[0].min(MOST);
    let units = units.f_narrow(0, 0, count)?.f_to_kind(Kind::Double)?;
    let norms = units.f_square()?.f_sum_dim_intlist(1, true, Kind::Double)?.f_sqrt()?;
    // two units of zeros are the same one
    let zeros = norms.f_eq(0.0)?.f_to_kind(Kind::Int64)?.f_sum(Kind::Int64)?.f_int64_value(&[])?;
    if zeros > 1 {
        return Ok(1.0);
    }
    let units = units.f_div(&norms.f_clamp_min(f64::MIN_POSITIVE)?)?;
    let cosines = units.f_matmul(&units.f_transpose(0, 1)?)?;
    let own = Tensor::f_eye(count, (Kind::Double, cosines.device()))?;
    Ok(cosines.f_sub(&own.f_mul_scalar(2.0)?)?.f_max()?.f_double_value(&[])?)
}
