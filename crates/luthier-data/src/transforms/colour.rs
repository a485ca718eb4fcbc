//! Colour changes with Pillow's arithmetic, which torchvision uses for pictures: 8-bit steps, cut off rather than
//! rounded. Sources: Pillow 13, `ImageEnhance.py`, `Blend.c`, `Convert.c`.

use crate::picture::Picture;

/// ITU-R 601-2 luma in 16-bit fixed point, rounded, as `Image.convert("L")`.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// `Image.blend(from, to, alpha)` of one byte. The type is `f32` as it is there.
fn blend(from: u8, to: u8, alpha: f32) -> u8 {
    let mixed = f32::from(from) + alpha * (f32::from(to) - f32::from(from));
    // `as` cuts towards zero and holds the result within a byte, which is what both branches there do
    mixed as u8
}

pub(super) fn brightness(picture: &mut Picture, factor: f64) {
    let table: [u8; 256] = std::array::from_fn(|v| blend(0, v as u8, factor as f32));
    for byte in &mut picture.rgb {
        *byte = table[usize::from(*byte)];
    }
}

pub(super) fn contrast(picture: &mut Picture, factor: f64) {
    let (pixels, _) = picture.rgb.as_chunks::<3>();
    let sum: u64 = pixels.iter().map(|p| u64::from(luma(*p))).sum();
    let mean = (sum as f64 / pixels.len().max(1) as f64 + 0.5) as u8;
    let table: [u8; 256] = std::array::from_fn(|v| blend(mean, v as u8, factor as f32));
    for byte in &mut picture.rgb {
        *byte = table[usize::from(*byte)];
    }
}

pub(super) fn saturation(picture: &mut Picture, factor: f64) {
    let (pixels, _) = picture.rgb.as_chunks_mut::<3>();
    for pixel in pixels {
        let grey = luma(*pixel);
        *pixel = pixel.map(|v| blend(grey, v, factor as f32));
    }
}

pub(super) fn grayscale(picture: &mut Picture) {
    let (pixels, _) = picture.rgb.as_chunks_mut::<3>();
    for pixel in pixels {
        *pixel = [luma(*pixel); 3];
    }
}

/// Shifts the hue byte, which wraps around; `int(shift · 255)` as in torchvision's `adjust_hue`.
pub(super) fn hue(picture: &mut Picture, shift: f64) {
    let turn = (shift * 255.0) as i32 as u8;
    let (pixels, _) = picture.rgb.as_chunks_mut::<3>();
    for pixel in pixels {
        let [h, s, v] = to_hsv(*pixel);
        *pixel = from_hsv([h.wrapping_add(turn), s, v]);
    }
}

fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max == min {
        return [0, 0, max];
    }
    let range = f32::from(max - min);
    let saturation = range / f32::from(max);
    let below = |v: u8| f32::from(max - v) / range;
    let (rc, gc, bc) = (below(r), below(g), below(b));
    // the sums are doubles there, kept as float
    let h = if r == max {
        bc - gc
    } else if g == max {
        (2.0 + f64::from(rc) - f64::from(bc)) as f32
    } else {
        (4.0 + f64::from(gc) - f64::from(rc)) as f32
    };
    let h = ((f64::from(h) / 6.0 + 1.0) % 1.0) as f32;
    [(f64::from(h) * 255.0) as u8, (f64::from(saturation) * 255.0) as u8, max]
}

fn from_hsv([h, s, v]: [u8; 3]) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let sixth = f32::from(h) * 6.0 / 255.0;
    let f = sixth - sixth.floor();
    let fs = f32::from(s) / 255.0;
    let value = f32::from(v);
    let p = (value * (1.0 - fs)).round() as u8;
    let q = (value * (1.0 - fs * f)).round() as u8;
    let t = (value * (1.0 - fs * (1.0 - f))).round() as u8;
    match sixth as u32 % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}
