//! Sizes and boxes, rounded as torchvision rounds them: `int()` cuts towards zero, `round()` goes to the even
//! neighbour of a half. Source: torchvision 0.28, `transforms/functional.py`.

use luthier_recipe::{Size, Transform};

use super::both;
use crate::picture::CropBox;

/// Width and height after the shorter side became `side`, as `_compute_resized_output_size`.
pub(super) fn shorter_side_to((width, height): (u32, u32), side: u32) -> (u32, u32) {
    let (short, long) = (width.min(height), width.max(height));
    // a picture of extreme ratio is held to 16 bits a side, which no picture file exceeds either
    let new_long = (f64::from(side) * f64::from(long) / f64::from(short.max(1))) as u32;
    let new_long = new_long.clamp(1, 65_535);
    if width <= height { (side, new_long) } else { (new_long, side) }
}

/// How a picture of a width and height is padded and then cut by a centre crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Centre {
    /// Where the picture lies in the result, as offsets from its corner
    pub dest: (u32, u32),
    /// The part of the picture that is kept
    pub source: CropBox,
}

pub(super) fn centre((width, height): (u32, u32), [crop_h, crop_w]: [u32; 2]) -> Centre {
    let (left, source_left, kept_w) = centre_axis(width, crop_w);
    let (top, source_top, kept_h) = centre_axis(height, crop_h);
    Centre {
        dest: (left, top),
        source: CropBox { top: source_top, left: source_left, height: kept_h, width: kept_w },
    }
}

/// Offset in the result, offset in the picture, and length, along one axis.
fn centre_axis(length: u32, crop: u32) -> (u32, u32, u32) {
    if crop >= length {
        ((crop - length) / 2, 0, length)
    } else {
        let offset = (f64::from(length - crop) / 2.0).round_ties_even() as u32;
        (0, offset, crop)
    }
}

/// Height and width after a transform where they are the same for all pictures.
pub(super) fn size_after(op: &Transform, size: Option<(u32, u32)>) -> Option<(u32, u32)> {
    match op {
        Transform::Resize { size: Size::One(side) } => size.map(|(height, width)| {
            let (width, height) = shorter_side_to((width, height), *side);
            (height, width)
        }),
        Transform::Resize { size }
        | Transform::CenterCrop { size }
        | Transform::RandomResizedCrop { size, .. } => {
            let [height, width] = both(*size);
            Some((height, width))
        }
        _ => size,
    }
}

/// Width and height of one picture after a transform.
pub(super) fn picture_size_after(op: &Transform, (width, height): (u32, u32)) -> (u32, u32) {
    let (height, width) = size_after(op, Some((height, width))).unwrap_or((height, width));
    (width, height)
}

/// What a person should know when pictures of these widths and heights go into a transform.
pub(super) fn note(op: &Transform, sizes: &[(u32, u32)]) -> Option<String> {
    let count = |small: &dyn Fn(u32, u32) -> bool| sizes.iter().filter(|(w, h)| small(*w, *h)).count();
    let all = sizes.len();
    match op {
        Transform::Resize { size: Size::One(side) } => {
            let n = count(&|w, h| w.min(h) < *side);
            (n > 0).then(|| {
                format!("{n} of {all} pictures are smaller than `Resize` to {side}: they are enlarged")
            })
        }
        Transform::Resize { size: Size::Pair([to_h, to_w]) } => {
            let n = count(&|w, h| w < *to_w || h < *to_h);
            (n > 0).then(|| {
                format!(
                    "{n} of {all} pictures are smaller than `Resize` to {to_h} × {to_w}: they are enlarged"
                )
            })
        }
        Transform::CenterCrop { size } => {
            let [crop_h, crop_w] = both(*size);
            let n = count(&|w, h| w < crop_w || h < crop_h);
            (n > 0).then(|| {
                format!(
                    "{n} of {all} pictures are smaller than `CenterCrop` of {crop_h} × {crop_w}: they are padded with black"
                )
            })
        }
        Transform::RandomResizedCrop { size, .. } => {
            let [to_h, to_w] = both(*size);
            let n = count(&|w, h| w < to_w || h < to_h);
            (n > 0).then(|| {
                format!(
                    "{n} of {all} pictures are smaller than `RandomResizedCrop` to {to_h} × {to_w}: every crop of them is enlarged"
                )
            })
        }
        _ => None,
    }
}
