//! Small letters for a contact sheet: an 8 × 8 bitmap font, enough to tell pictures apart, and no font file to ship.

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};

/// Side of a letter in pixels.
pub(super) const LETTER: u32 = 8;

/// Draws one line with its upper left corner at `x`, `y`; what doesn't fit into `width` is cut, with `..` at the end.
pub(super) fn line(sheet: &mut RgbImage, text: &str, (x, y): (u32, u32), width: u32, ink: Rgb<u8>) {
    let room = (width / LETTER) as usize;
    let letters: Vec<char> = text.chars().collect();
    let cut = letters.len() > room;
    let shown = letters.into_iter().take(if cut { room.saturating_sub(2) } else { room });
    let tail = if cut { ".." } else { "" };
    for (at, letter) in shown.chain(tail.chars()).enumerate() {
        glyph(sheet, letter, (x + at as u32 * LETTER, y), ink);
    }
}

fn glyph(sheet: &mut RgbImage, letter: char, (x, y): (u32, u32), ink: Rgb<u8>) {
    let rows = BASIC_FONTS.get(letter).or_else(|| LATIN_FONTS.get(letter)).or_else(|| BASIC_FONTS.get('?'));
    for (dy, row) in rows.unwrap_or_default().into_iter().enumerate() {
        for dx in 0..LETTER {
            if row >> dx & 1 == 1
                && let Some(pixel) = sheet.get_pixel_mut_checked(x + dx, y + dy as u32)
            {
                *pixel = ink;
            }
        }
    }
}
