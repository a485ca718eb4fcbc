//! Where the random numbers of a chain are drawn; the distributions are torchvision's.

use luthier_recipe::{Size, Transform};
use rand::{RngExt, rngs::ChaCha8Rng, seq::SliceRandom};

use super::{CropBox, Step, both};

pub(super) fn is_random(op: &Transform) -> bool {
    match op {
        Transform::Resize { .. } | Transform::CenterCrop { .. } | Transform::Normalize { .. } => false,
        Transform::RandomHorizontalFlip { p } | Transform::RandomGrayscale { p } => *p > 0.0 && *p < 1.0,
        Transform::GaussianBlur { sigma, p, .. } => *p > 0.0 && (*p < 1.0 || sigma[0] != sigma[1]),
        Transform::ColorJitter { p, .. } => *p > 0.0,
        Transform::RandomResizedCrop { .. } => true,
    }
}

/// Adds the steps that one transform takes on a picture of a width and height.
pub(super) fn steps(op: &Transform, size: (u32, u32), rng: &mut ChaCha8Rng, into: &mut Vec<Step>) {
    match op {
        Transform::Resize { size: Size::One(side) } => into.push(Step::ResizeShorter(*side)),
        Transform::Resize { size: Size::Pair(pair) } => into.push(Step::Resize(*pair)),
        Transform::CenterCrop { size } => into.push(Step::CenterCrop(both(*size))),
        Transform::RandomResizedCrop { size: to, scale, ratio } => {
            into.push(Step::ResizedCrop(crop_box(size, *scale, *ratio, rng), both(*to)));
        }
        Transform::RandomHorizontalFlip { p } => {
            if happens(*p, rng) {
                into.push(Step::Flip);
            }
        }
        Transform::ColorJitter { brightness, contrast, saturation, hue, p } => {
            if happens(*p, rng) {
                jitter([*brightness, *contrast, *saturation], *hue, rng, into);
            }
        }
        Transform::RandomGrayscale { p } => {
            if happens(*p, rng) {
                into.push(Step::Grayscale);
            }
        }
        Transform::GaussianBlur { kernel_size, sigma, p } => {
            if happens(*p, rng) {
                into.push(Step::Blur(*kernel_size, uniform(*sigma, rng)));
            }
        }
        Transform::Normalize { .. } => {}
    }
}

/// A transform that [`is_random`] says isn't draws nothing: its result may be kept and the chain resumed after it.
fn uniform([from, to]: [f64; 2], rng: &mut ChaCha8Rng) -> f64 {
    if from == to { from } else { from + (to - from) * rng.random::<f64>() }
}

fn happens(p: f64, rng: &mut ChaCha8Rng) -> bool {
    p >= 1.0 || (p > 0.0 && rng.random::<f64>() < p)
}

/// `RandomResizedCrop.get_params`: ten tries at a box of random area and ratio that fits; else the largest box in the
/// middle whose ratio is allowed.
fn crop_box((width, height): (u32, u32), scale: [f64; 2], ratio: [f64; 2], rng: &mut ChaCha8Rng) -> CropBox {
    let (w, h) = (f64::from(width), f64::from(height));
    let log_ratio = ratio.map(f64::ln);
    for _ in 0..10 {
        let area = w * h * uniform(scale, rng);
        let aspect = uniform(log_ratio, rng).exp();
        let crop_w = (area * aspect).sqrt().round_ties_even();
        let crop_h = (area / aspect).sqrt().round_ties_even();
        if (1.0..=w).contains(&crop_w) && (1.0..=h).contains(&crop_h) {
            let (crop_w, crop_h) = (crop_w as u32, crop_h as u32);
            let top = rng.random_range(0..=height - crop_h);
            let left = rng.random_range(0..=width - crop_w);
            return CropBox { top, left, height: crop_h, width: crop_w };
        }
    }
    largest_in_the_middle((width, height), ratio)
}

fn largest_in_the_middle((width, height): (u32, u32), [narrowest, widest]: [f64; 2]) -> CropBox {
    let (w, h) = (f64::from(width), f64::from(height));
    let (crop_w, crop_h) = if w / h < narrowest {
        (width, (w / narrowest).round_ties_even() as u32)
    } else if w / h > widest {
        ((h * widest).round_ties_even() as u32, height)
    } else {
        (width, height)
    };
    let (crop_w, crop_h) = (crop_w.clamp(1, width), crop_h.clamp(1, height));
    CropBox { top: (height - crop_h) / 2, left: (width - crop_w) / 2, height: crop_h, width: crop_w }
}

/// `ColorJitter.get_params`: a factor for each of the four that is switched on, in random order.
fn jitter(strengths: [f64; 3], hue: f64, rng: &mut ChaCha8Rng, into: &mut Vec<Step>) {
    let makers: [fn(f64) -> Step; 3] = [Step::Brightness, Step::Contrast, Step::Saturation];
    let mut steps: Vec<Step> = Vec::with_capacity(4);
    for (make, strength) in makers.into_iter().zip(strengths) {
        if strength > 0.0 {
            steps.push(make(uniform([(1.0 - strength).max(0.0), 1.0 + strength], rng)));
        }
    }
    if hue > 0.0 {
        steps.push(Step::Hue(uniform([-hue, hue], rng)));
    }
    steps.shuffle(rng);
    into.append(&mut steps);
}
