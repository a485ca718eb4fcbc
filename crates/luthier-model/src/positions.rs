//! Tables of positions for pictures of other sizes.

use luthier_torch::bytes_of;
use luthier_weights::{Dtype, RawTensor, Weights};
use tch::{Kind, Tensor};

use crate::config::NetConfig;
use crate::{Entry, ModelError, tensor_of};

const NAME: &str = "vit.embeddings.position_embeddings";

/// Positions `[1, 1 + lines · columns, D]` of one grid of patches to those of another, the class token's as it is:
/// bicubic, as `transformers` does with `interpolate_pos_encoding`.
pub(crate) fn interpolated(table: &Tensor, from: [i64; 2], to: [i64; 2]) -> Result<Tensor, ModelError> {
    let width = table.size3()?.2;
    let class = table.f_narrow(1, 0, 1)?;
    let patches = table.f_narrow(1, 1, from[0] * from[1])?;
    // autocast leaves the kernel alone: positions are fp32
    let patches = patches.f_reshape([1, from[0], from[1], width])?.f_permute([0, 3, 1, 2])?;
    let patches = patches.f_upsample_bicubic2d(to, false, None, None)?;
    let patches = patches.f_permute([0, 2, 3, 1])?.f_reshape([1, to[0] * to[1], width])?;
    Ok(Tensor::f_cat(&[class, patches], 1)?)
}

/// The weights with the positions of pictures of the model's size, where they are of another.
pub(crate) fn adapt(
    mut weights: Weights,
    config: Option<&NetConfig>,
    entries: &[Entry],
) -> Result<Weights, ModelError> {
    let (Some(NetConfig::Vit(config)), Some(raw)) = (config, weights.tensors.get(NAME)) else {
        return Ok(weights);
    };
    let Some(entry) = entries.iter().find(|entry| entry.name == NAME) else { return Ok(weights) };
    let table = tensor_of(NAME, raw)?;
    let (ours, theirs) = (entry.tensor.size(), table.size());
    let [1, rows, width] = theirs[..] else { return Ok(weights) };
    // which way a table lies that is not of a square, nothing says
    let Some(edge) = rows.checked_sub(1).map(i64::isqrt).filter(|edge| edge * edge == rows - 1) else {
        return Ok(weights);
    };
    let grid = config.grid();
    if ours.get(2) != Some(&width) || edge < 1 || grid == [edge, edge] {
        return Ok(weights);
    }
    let table = interpolated(&table.f_to_kind(Kind::Float)?, [edge; 2], grid)?.f_contiguous()?;
    let shape = table.size().iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect();
    let bytes = bytes_of(&table)?.to_vec().into();
    weights.tensors.insert(NAME.to_owned(), RawTensor { dtype: Dtype::F32, shape, bytes });
    let [height, width] = config.image_size;
    weights.notes.push(format!(
        "the positions of {edge}×{edge} patches were interpolated (bicubic) to {}×{}, for pictures of \
         {height}×{width} pixels",
        grid[0], grid[1]
    ));
    Ok(weights)
}
