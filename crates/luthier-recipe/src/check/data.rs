//! Samples and transforms.

use super::Tell;
use crate::{Data, Split, Transform};

pub(super) fn check(data: &Data, tell: &mut Tell<'_>) {
    if data.valid.is_some() && data.split.is_some() {
        tell(
            &["data.split", "data.valid"],
            "`data.valid` and `data.split` are both given".to_string(),
            "give `valid` (a folder of its own) or `split` (a share of `train`), not both",
        );
    }
    if let Some(split) = &data.split {
        fold(split, tell);
    }
    chain(&data.transform.train, "data.transform.train", tell);
    chain(&data.transform.eval, "data.transform.eval", tell);
}

fn fold(split: &Split, tell: &mut Tell<'_>) {
    let parts = (1.0 / split.valid).round();
    // a float cast saturates, and no fold number reaches that far
    if split.valid > 0.0 && split.valid < 1.0 && split.fold >= parts as u64 {
        tell(
            &["data.split.fold", "data.split.valid"],
            format!("there is no fold {}: `valid = {}` makes {parts} parts", split.fold, split.valid),
            &format!("folds are numbered from 0 to {}", parts - 1.0),
        );
    }
}

fn chain(chain: &[Transform], path: &str, tell: &mut Tell<'_>) {
    for (index, step) in chain.iter().enumerate() {
        let key = format!("{path}[{index}]");
        transform(step, &key, tell);
        if matches!(step, Transform::Normalize { .. }) && index + 1 < chain.len() {
            tell(
                &[&key],
                format!("`Normalize` must be the last step of `{path}`"),
                "the other transforms work on 8-bit pictures: move it to the end of the list",
            );
        }
    }
}

fn transform(step: &Transform, key: &str, tell: &mut Tell<'_>) {
    let ordered = |name: &str, [low, high]: [f64; 2], tell: &mut Tell<'_>| {
        if low > high {
            tell(
                &[&format!("{key}.{name}")],
                format!("`{key}.{name}` goes from {low} down to {high}"),
                "the smaller number comes first",
            );
        }
    };
    match step {
        Transform::RandomResizedCrop { scale, ratio, .. } => {
            ordered("scale", *scale, tell);
            ordered("ratio", *ratio, tell);
        }
        Transform::GaussianBlur { kernel_size, sigma, .. } => {
            if kernel_size % 2 == 0 {
                tell(
                    &[&format!("{key}.kernel_size")],
                    format!("`{key}.kernel_size` must be odd, found {kernel_size}"),
                    &format!("a blur needs a middle pixel: {} would do", kernel_size + 1),
                );
            }
            ordered("sigma", *sigma, tell);
        }
        // a double above 0 may be 0 as a 32-bit float
        Transform::Normalize { std, .. } if std.contains(&0.0) => {
            tell(&[&format!("{key}.std")], format!("`{key}.std` is zero"), "pictures are divided by it");
        }
        _ => {}
    }
}
