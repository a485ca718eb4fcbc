//! The paint of a solid.
//!
//! Yaw and pitch must show on a plain ball too, so every solid wears two marks whatever its texture. It has a strong
//! tone on its front half and a pale tone of the same hue on its back half: how much of each is seen, and on which
//! side, tells the yaw all the way round. And it wears one dark ring above its waist: how that ring opens tells the
//! pitch, and its sign. The texture darkens both tones and lies over the whole solid.

use super::chance::{cloud, noise};
use super::colour::oklch;
use super::vec3::{V3, floor, smoothstep, v3};

/// The pattern on the solid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texture {
    /// None.
    Plain,
    /// Slanted bands.
    Stripes,
    /// Cubes of alternating tone.
    Checker,
    /// Dots on a lattice.
    Dots,
    /// Thin crooked veins.
    Marble,
    /// Speckles of irregular size.
    Noise,
}

impl Texture {
    /// All textures, in the order of their bins.
    pub const ALL: [Texture; 6] =
        [Texture::Plain, Texture::Stripes, Texture::Checker, Texture::Dots, Texture::Marble, Texture::Noise];
    /// Their names, in the same order.
    pub const NAMES: [&'static str; 6] = ["plain", "stripes", "checker", "dots", "marble", "noise"];

    /// How much of the pattern's tone is seen at `p`, in the solid's frame: 0 none, 1 all. Edges are as soft as
    /// `width`, the size of a pixel there.
    fn pattern(self, p: V3, width: f32, key: u32) -> f32 {
        match self {
            Texture::Plain => 0.0,
            Texture::Stripes => {
                let phase = p.dot(v3(0.40, 0.85, 0.34)) * 3.1 + 0.25;
                band(phase, 0.25, width * 3.1)
            }
            Texture::Checker => {
                let wave = |x: f32| {
                    let cell = floor(x * 2.3);
                    let inside = 0.5 - (x * 2.3 - 0.5 - cell).abs();
                    let sign = if cell as i32 & 1 == 0 { 1.0 } else { -1.0 };
                    sign * smoothstep(0.0, width * 2.3, inside)
                };
                // off the origin, so that no face of the cube lies in a plane where the tone flips
                0.5 - 0.5 * wave(p.x + 0.2) * wave(p.y + 0.13) * wave(p.z + 0.2)
            }
            Texture::Dots => {
                // a body-centred lattice: two cubic ones, half a cell apart
                let q = p * 2.6 + v3(0.5, 0.35, 0.5);
                let near = |q: V3| {
                    v3(q.x - floor(q.x + 0.5), q.y - floor(q.y + 0.5), q.z - floor(q.z + 0.5)).length()
                };
                let gap = near(q).min(near(q + v3(0.5, 0.5, 0.5)));
                1.0 - smoothstep(0.31 - width * 2.6, 0.31 + width * 2.6, gap)
            }
            Texture::Marble => {
                let bent = p.y * 1.1 + p.x * 0.9 + (cloud(p * 2.1, key) - 0.5) * 3.4;
                band(bent, 0.085, width * 2.5)
            }
            Texture::Noise => {
                let level = 0.7 * noise(p * 6.5, key) + 0.3 * noise(p * 13.0, key ^ 0x33);
                let soft = 0.05 + width * 3.0;
                smoothstep(0.52 - soft, 0.52 + soft, level)
            }
        }
    }
}

/// 1 within `half` of a whole number, else 0, softened over `soft`.
fn band(x: f32, half: f32, soft: f32) -> f32 {
    let gap = (x - floor(x + 0.5)).abs();
    1.0 - smoothstep(half - soft, half + soft, gap)
}

/// The colours of one solid and where they go.
#[derive(Debug, Clone)]
pub(super) struct Paint {
    texture: Texture,
    key: u32,
    front: [V3; 2],
    back: [V3; 2],
    ring: V3,
}

impl Paint {
    /// `hue` in degrees of the OKLCH circle (0 is a pinkish red, 90 yellow, 145 green, 260 blue).
    pub(super) fn new(texture: Texture, hue: f32, key: u32) -> Paint {
        Paint {
            texture,
            key,
            front: [oklch(0.66, 0.17, hue), oklch(0.42, 0.12, hue)],
            back: [oklch(0.89, 0.065, hue), oklch(0.66, 0.085, hue)],
            ring: oklch(0.27, 0.02, hue),
        }
    }

    /// The colour at `p` in the solid's frame, with edges as soft as `width`.
    pub(super) fn at(&self, p: V3, width: f32) -> V3 {
        let pattern = self.texture.pattern(p, width, self.key);
        let front = self.front[0].mix(self.front[1], pattern);
        let back = self.back[0].mix(self.back[1], pattern);
        let tone = back.mix(front, smoothstep(-width, width, p.z));
        let from_ring = (p.y - 0.30).abs();
        self.ring.mix(tone, smoothstep(0.05 - width, 0.05 + width, from_ring))
    }
}
