//! What stands behind the solid: a painted wall, or a floor that runs up into one.

use super::chance::{Chance, cloud};
use super::colour::oklch;
use super::vec3::{V3, floor, smoothstep, v3};

/// The kind of the surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// One colour.
    Flat,
    /// Two colours, one running into the other.
    Gradient,
    /// Soft noise between two colours.
    Clouds,
    /// Out-of-focus lights on a dark wall.
    Bokeh,
    /// A plain floor that holds the solid and its shadow.
    Floor,
    /// A tiled floor that does.
    Tiles,
}

impl Background {
    /// All backgrounds, in the order of their bins.
    pub const ALL: [Background; 6] = [
        Background::Flat,
        Background::Gradient,
        Background::Clouds,
        Background::Bokeh,
        Background::Floor,
        Background::Tiles,
    ];
    /// Their names, in the same order.
    pub const NAMES: [&'static str; 6] = ["flat", "gradient", "clouds", "bokeh", "floor", "tiles"];
}

/// A disc of light.
#[derive(Debug, Clone)]
struct Disc {
    x: f32,
    y: f32,
    radius: f32,
    glow: V3,
}

/// The surroundings of one picture.
#[derive(Debug, Clone)]
pub(super) struct Backdrop {
    kind: Background,
    key: u32,
    wall: [V3; 2],
    /// Direction in which the gradient runs.
    slope: (f32, f32),
    discs: Vec<Disc>,
    floor: [V3; 2],
    tile: f32,
}

impl Backdrop {
    pub(super) fn new(kind: Background, chance: &mut Chance) -> Backdrop {
        let key = chance.next() as u32;
        let hue = chance.between(0.0, 360.0);
        let (lightness, chroma) = (chance.between(0.42, 0.90), chance.between(0.012, 0.06));
        let second = hue + chance.between(30.0, 110.0);
        let step = if lightness > 0.66 { -chance.between(0.16, 0.30) } else { chance.between(0.16, 0.30) };
        let wall = match kind {
            Background::Bokeh => [oklch(0.26, 0.045, hue), oklch(0.40, 0.06, second)],
            _ => [oklch(lightness, chroma, hue), oklch(lightness + step, chroma * 1.3, second)],
        };
        let (x, y) = (chance.between(-1.0, 1.0), chance.between(0.35, 1.0));
        let discs = (0..if kind == Background::Bokeh { 16 } else { 0 })
            .map(|_| Disc {
                x: chance.between(-1.15, 1.15),
                y: chance.between(-1.15, 1.15),
                radius: chance.between(0.08, 0.24),
                glow: oklch(
                    chance.between(0.62, 0.85),
                    chance.between(0.06, 0.13),
                    chance.between(0.0, 360.0),
                ) * chance.between(0.12, 0.42),
            })
            .collect();
        let ground = chance.between(0.50, 0.86);
        let floor = [oklch(ground, chroma, hue), oklch(ground - 0.17, chroma, hue + 20.0)];
        let tile = chance.between(1.4, 2.2);
        let length = (x * x + y * y).sqrt();
        Backdrop { kind, key, wall, slope: (x / length, y / length), discs, floor, tile }
    }

    /// Whether there is a floor to stand on.
    pub(super) fn has_floor(&self) -> bool {
        matches!(self.kind, Background::Floor | Background::Tiles)
    }

    /// The colour the surroundings throw back at the solid.
    pub(super) fn room(&self) -> V3 {
        self.wall[0].mix(self.wall[1], 0.5)
    }

    /// The wall at a point of the picture.
    pub(super) fn wall(&self, x: f32, y: f32) -> V3 {
        match self.kind {
            Background::Flat => self.wall[0],
            Background::Gradient => {
                let along = x * self.slope.0 + y * self.slope.1;
                self.wall[0].mix(self.wall[1], smoothstep(-1.1, 1.1, along))
            }
            Background::Clouds => {
                let level = cloud(v3(x * 1.9 + 7.0, y * 1.9 + 3.0, 0.5), self.key);
                self.wall[0].mix(self.wall[1], smoothstep(0.22, 0.78, level))
            }
            Background::Bokeh => {
                let base = self.wall[0].mix(self.wall[1], smoothstep(-1.2, 1.2, y));
                self.discs.iter().fold(base, |sum, disc| {
                    let (dx, dy) = (x - disc.x, y - disc.y);
                    let share = (dx * dx + dy * dy).sqrt() / disc.radius;
                    if share >= 1.0 {
                        return sum;
                    }
                    // a lens draws its blur circles a little brighter at the rim
                    sum + disc.glow * ((1.0 - smoothstep(0.86, 1.0, share)) * (0.7 + 0.3 * share * share))
                })
            }
            Background::Floor | Background::Tiles => {
                self.floor[0].mix(self.wall[0], 0.55) * (1.08 - 0.10 * y)
            }
        }
    }

    /// The floor's colour at (x, z); `width` is the size of a pixel there.
    pub(super) fn floor(&self, x: f32, z: f32, width: f32) -> V3 {
        if self.kind != Background::Tiles {
            return self.floor[0];
        }
        // turned by about 30 degrees, so that no joint runs straight at the camera
        let (u, v) = (0.866 * x - 0.5 * z, 0.5 * x + 0.866 * z);
        let wave = |t: f32| {
            let (t, soft) = (t * self.tile, width * self.tile);
            let cell = floor(t);
            let inside = 0.5 - (t - 0.5 - cell).abs();
            let sign = if cell as i32 & 1 == 0 { 1.0 } else { -1.0 };
            sign * smoothstep(0.0, soft, inside)
        };
        self.floor[0].mix(self.floor[1], 0.5 - 0.5 * wave(u) * wave(v))
    }
}
