//! Gaussian blur as torchvision's `gaussian_blur`: float weights, mirrored borders, rounded to the even neighbour.

use crate::picture::Picture;

/// Blurs along rows, then along columns: the two-dimensional kernel is the product of two.
pub(super) fn blur(picture: &mut Picture, kernel_size: u32, sigma: f64) {
    let weights = weights(kernel_size, sigma as f32);
    let (width, height) = (picture.width as usize, picture.height as usize);
    let source: Vec<f32> = picture.rgb.iter().map(|v| f32::from(*v)).collect();
    let mut rows = vec![0.0; source.len()];
    for (from, to) in source.chunks_exact(width * 3).zip(rows.chunks_exact_mut(width * 3)) {
        for (x, pixel) in to.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            for (tap, weight) in weights.iter().enumerate() {
                let at = mirrored(x, tap, weights.len(), width) * 3;
                for (sum, value) in pixel.iter_mut().zip(&from[at..at + 3]) {
                    *sum += weight * value;
                }
            }
        }
    }
    let mut sums = vec![0.0; width * 3];
    for (y, to) in picture.rgb.chunks_exact_mut(width * 3).enumerate() {
        sums.fill(0.0);
        for (tap, weight) in weights.iter().enumerate() {
            let at = mirrored(y, tap, weights.len(), height) * width * 3;
            for (sum, value) in sums.iter_mut().zip(&rows[at..at + width * 3]) {
                *sum += weight * value;
            }
        }
        for (byte, sum) in to.iter_mut().zip(&sums) {
            *byte = sum.round_ties_even() as u8;
        }
    }
}

/// `_get_gaussian_kernel1d`: the density at whole pixels around the middle, scaled to sum 1.
fn weights(kernel_size: u32, sigma: f32) -> Vec<f32> {
    let middle = (kernel_size as f32 - 1.0) * 0.5;
    let density: Vec<f32> =
        (0..kernel_size).map(|i| (-0.5 * ((i as f32 - middle) / sigma).powi(2)).exp()).collect();
    let sum: f32 = density.iter().sum();
    density.into_iter().map(|d| d / sum).collect()
}

/// The index that tap `tap` reads at position `at`, mirrored at the first and last pixel without repeating them. A
/// picture smaller than the kernel is mirrored again and again; torchvision refuses it.
fn mirrored(at: usize, tap: usize, taps: usize, length: usize) -> usize {
    let wanted = at as isize + tap as isize - (taps / 2) as isize;
    let period = 2 * (length as isize - 1).max(1);
    let folded = wanted.rem_euclid(period);
    (folded.min(period - folded) as usize).min(length - 1)
}
