//! Colours chosen in OKLCH, lit in linear RGB, written as sRGB.

use std::sync::LazyLock;

use super::vec3::{V3, sin_cos, v3};

/// Linear RGB of an OKLCH colour (B. Ottosson, "A perceptual color space for image processing", 2020): equal
/// lightness looks equally light whatever the hue, so that the hue alone tells two solids apart.
///
/// `lightness` in [0, 1], `chroma` from 0 (grey) to about 0.3, `hue` in degrees. Out-of-gamut channels are clipped.
pub(super) fn oklch(lightness: f32, chroma: f32, hue: f32) -> V3 {
    let (sin, cos) = sin_cos(hue);
    let (a, b) = (chroma * cos, chroma * sin);
    let cube = |x: f32| x * x * x;
    let l = cube(lightness + 0.396_337_78 * a + 0.215_803_76 * b);
    let m = cube(lightness - 0.105_561_346 * a - 0.063_854_17 * b);
    let s = cube(lightness - 0.089_484_18 * a - 1.291_485_5 * b);
    v3(
        (4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s).clamp(0.0, 1.0),
        (-1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s).clamp(0.0, 1.0),
        (-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s).clamp(0.0, 1.0),
    )
}

const STEPS: usize = 4096;

/// The sRGB transfer curve (IEC 61966-2-1) as a table: no power function per pixel.
static SRGB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..=STEPS)
        .map(|i| {
            let x = i as f64 / STEPS as f64;
            let y = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * libm::pow(x, 1.0 / 2.4) - 0.055 };
            (y * 255.0 + 0.5) as u8
        })
        .collect()
});

/// One channel in linear light, clipped to [0, 1], as an sRGB byte.
pub(super) fn srgb_byte(linear: f32) -> u8 {
    SRGB[(linear.clamp(0.0, 1.0) * STEPS as f32 + 0.5) as usize]
}

/// Rolls highlights off softly (Reinhard's curve with white at 2): 0 stays 0, 2 becomes 1.
pub(super) fn tone(c: V3) -> V3 {
    let roll = |x: f32| x * (1.0 + x * 0.25) / (1.0 + x * 0.5);
    v3(roll(c.x), roll(c.y), roll(c.z))
}
