use luthier_recipe::{Size, Transform};
use miette::Diagnostic;
use thiserror::Error;

/// Why a chain of transforms can't be built or run.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum TransformError {
    /// An impossible argument
    #[error("`{op}`: `{argument}` = {value} is impossible")]
    #[diagnostic(help("{help}"))]
    Argument {
        /// The transform
        op: &'static str,
        /// Its argument
        argument: &'static str,
        /// What was given
        value: String,
        /// What is possible
        help: &'static str,
    },
    /// Something follows `Normalize`
    #[error("`Normalize` is not the last transform of its chain")]
    #[diagnostic(help("all others work on 8-bit pictures: move `Normalize` to the end, and keep one"))]
    NormalizeNotLast,
    /// Results of different sizes
    #[error("the transforms leave pictures of different sizes, which can't be put into one batch")]
    #[diagnostic(help(
        "add `CenterCrop` or `RandomResizedCrop`, or give `Resize` a pair: `size = [224, 224]`; one number keeps the ratio"
    ))]
    SizeVaries,
    /// A buffer of the wrong length
    #[error("the result has {height} × {width} × 3 numbers, and there is room for {room}")]
    Room {
        /// Height of the result
        height: u32,
        /// Width of the result
        width: u32,
        /// Length of the buffer
        room: usize,
    },
}

/// The largest side a transform may make: 16 Mpx squared fits into memory, a typo such as 224224 does not.
const MAX_SIDE: u32 = 4096;

pub(super) fn check(op: &Transform) -> Result<(), TransformError> {
    match op {
        Transform::Resize { size: s } => size("Resize", *s),
        Transform::CenterCrop { size: s } => size("CenterCrop", *s),
        Transform::RandomResizedCrop { size: s, scale, ratio } => {
            let name = "RandomResizedCrop";
            size(name, *s)?;
            range(
                name,
                "scale",
                *scale,
                f64::MIN_POSITIVE,
                1.0,
                "two shares of the area, 0 < smallest ≤ largest ≤ 1",
            )?;
            range(name, "ratio", *ratio, 1e-3, 1e3, "two width/height ratios, 0 < smallest ≤ largest")
        }
        Transform::RandomHorizontalFlip { p } => probability("RandomHorizontalFlip", *p),
        Transform::ColorJitter { brightness, contrast, saturation, hue, p } => {
            let name = "ColorJitter";
            let strength = "a number from 0 (off) up";
            number(name, "brightness", *brightness, 0.0, f64::MAX, strength)?;
            number(name, "contrast", *contrast, 0.0, f64::MAX, strength)?;
            number(name, "saturation", *saturation, 0.0, f64::MAX, strength)?;
            number(name, "hue", *hue, 0.0, 0.5, "a share of the colour circle, 0 to 0.5")?;
            probability(name, *p)
        }
        Transform::RandomGrayscale { p } => probability("RandomGrayscale", *p),
        Transform::GaussianBlur { kernel_size, sigma, p } => {
            let name = "GaussianBlur";
            if kernel_size % 2 == 0 || *kernel_size > 255 {
                let help = "an odd number of pixels, at most 255";
                return Err(bad(name, "kernel_size", kernel_size, help));
            }
            range(name, "sigma", *sigma, 1e-3, 1e3, "two standard deviations, 0 < smallest ≤ largest")?;
            probability(name, *p)
        }
        Transform::Normalize { mean, std } => {
            if !mean.iter().all(|m| m.is_finite()) {
                return Err(bad("Normalize", "mean", format!("{mean:?}"), "three numbers"));
            }
            if !std.iter().all(|s| s.is_finite() && *s != 0.0) {
                return Err(bad("Normalize", "std", format!("{std:?}"), "three numbers, none of them 0"));
            }
            Ok(())
        }
    }
}

fn bad(
    op: &'static str,
    argument: &'static str,
    value: impl std::fmt::Display,
    help: &'static str,
) -> TransformError {
    TransformError::Argument { op, argument, value: value.to_string(), help }
}

fn size(op: &'static str, size: Size) -> Result<(), TransformError> {
    let [height, width] = super::both(size);
    let possible = 1..=MAX_SIDE;
    if possible.contains(&height) && possible.contains(&width) {
        return Ok(());
    }
    let value = match size {
        Size::One(side) => side.to_string(),
        Size::Pair(pair) => format!("{pair:?}"),
    };
    Err(bad(op, "size", value, "a number of pixels from 1 to 4096, or a pair: [height, width]"))
}

fn number(
    op: &'static str,
    argument: &'static str,
    value: f64,
    low: f64,
    high: f64,
    help: &'static str,
) -> Result<(), TransformError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(bad(op, argument, value, help)) }
}

fn range(
    op: &'static str,
    argument: &'static str,
    [from, to]: [f64; 2],
    low: f64,
    high: f64,
    help: &'static str,
) -> Result<(), TransformError> {
    let fits = from <= to && low <= from && to <= high;
    if fits { Ok(()) } else { Err(bad(op, argument, format!("[{from}, {to}]"), help)) }
}

fn probability(op: &'static str, p: f64) -> Result<(), TransformError> {
    number(op, "p", p, 0.0, 1.0, "a probability, 0 to 1")
}
