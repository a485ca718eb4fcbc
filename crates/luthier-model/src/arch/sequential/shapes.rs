//! What shape each layer makes of the one before it.

use luthier_plan::PlanError;
use luthier_recipe::{Layer, LayerKind, Width};

use crate::ModelError;
use crate::spec::Shape;

/// An error at a layer of the recipe.
fn at(index: usize, what: impl Into<String>, help: &str) -> ModelError {
    PlanError::at(format!("model.layers[{index}]"), what).help(help).into()
}

pub(super) fn kind(layer: &Layer, index: usize) -> Result<LayerKind, ModelError> {
    layer.kind().ok_or_else(|| at(index, "this is no layer", "`luthier explain model.layers` lists them"))
}

/// The shape after a layer.
pub(super) fn after(kind: LayerKind, shape: Shape, classes: i64, index: usize) -> Result<Shape, ModelError> {
    let size = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match (kind, shape) {
        (LayerKind::Linear { width, .. }, Shape::Row(_)) => Ok(Shape::Row(match width {
            Width::Outputs(outputs) => size(outputs),
            Width::Data(_) => classes,
        })),
        (LayerKind::Linear { .. } | LayerKind::LayerNorm, Shape::Picture(..)) => {
            let what = format!("this layer takes rows, and is given {}", said(shape));
            Err(at(index, what, "put `{ flatten = true }` before it"))
        }
        (LayerKind::Conv { .. } | LayerKind::MaxPool(_), Shape::Row(_)) => {
            let what = format!("this layer takes pictures, and is given {}", said(shape));
            Err(at(index, what, "put `{ unflatten = [channels, height, width] }` before it"))
        }
        (LayerKind::Conv { channels, kernel, stride, padding, .. }, Shape::Picture(_, height, width)) => {
            let edge = |edge: i64| {
                let room = edge.saturating_add(size(padding).saturating_mul(2)) - size(kernel);
                (room >= 0).then(|| room / size(stride).max(1) + 1)
            };
            match edge(height).zip(edge(width)) {
                Some((height, width)) => Ok(Shape::Picture(size(channels), height, width)),
                None => {
                    let what = format!("a kernel of {kernel} × {kernel} does not fit into {}", said(shape));
                    Err(at(index, what, "use a smaller `kernel`, more `padding`, or pool less before it"))
                }
            }
        }
        (LayerKind::MaxPool(edge), Shape::Picture(channels, height, width)) => {
            let edge = size(edge).max(1);
            if height < edge || width < edge {
                let what = format!("squares of {edge} × {edge} do not fit into {}", said(shape));
                return Err(at(index, what, "pool less, or less often"));
            }
            Ok(Shape::Picture(channels, height / edge, width / edge))
        }
        (LayerKind::Flatten, Shape::Picture(channels, height, width)) => {
            Ok(Shape::Row(channels.saturating_mul(height).saturating_mul(width)))
        }
        (LayerKind::Unflatten(to), _) => {
            let [channels, height, width] = to.map(size);
            let wanted = channels.saturating_mul(height).saturating_mul(width);
            if shape != Shape::Row(wanted) {
                let what = format!(
                    "{channels} × {height} × {width} is {wanted}, and the layer is given {}",
                    said(shape)
                );
                return Err(at(
                    index,
                    what,
                    "give channels, lines and columns whose product is the row's width",
                ));
            }
            Ok(Shape::Picture(channels, height, width))
        }
        (
            LayerKind::Act(_)
            | LayerKind::Dropout(_)
            | LayerKind::BatchNorm
            | LayerKind::LayerNorm
            | LayerKind::Flatten,
            _,
        ) => Ok(shape),
    }
}

/// Numbers that the last layer gives of a sample.
pub(super) fn outputs(shape: Shape, layers: usize) -> Result<i64, ModelError> {
    match shape {
        Shape::Row(width) => Ok(width),
        Shape::Picture(..) => {
            let what = format!("the last layer gives {}, and a row is needed", said(shape));
            Err(at(layers.saturating_sub(1), what, "end with `{ flatten = true }, { linear = \"classes\" }`"))
        }
    }
}

fn said(shape: Shape) -> String {
    match shape {
        Shape::Row(width) => format!("rows of {width}"),
        Shape::Picture(channels, height, width) => format!("pictures of {channels} × {height} × {width}"),
    }
}
