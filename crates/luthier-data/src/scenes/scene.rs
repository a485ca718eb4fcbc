//! What a picture shows, drawn from (seed, number).

use super::attributes::{ATTRIBUTES, Bins, bins_of};
use super::background::Background;
use super::chance::{Chance, Purpose};
use super::layout::Fixed;
use super::shapes::Shape;
use super::texture::Texture;

/// All that decides a picture: its class, the continuous values of its eight attributes, and the keys of what no
/// attribute tells (place, colours of the surroundings, gloss, occlusion).
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The class.
    pub shape: Shape,
    /// Degrees, [0, 360).
    pub yaw: f32,
    /// Degrees, [-40, 40).
    pub pitch: f32,
    /// Degrees, [-120, 120).
    pub light_azimuth: f32,
    /// Degrees, [15, 75).
    pub light_elevation: f32,
    /// Degrees of the OKLCH circle, [0, 360).
    pub hue: f32,
    /// Diameter of the ball around the solid as a share of the picture's side, [0.42, 0.82).
    pub scale: f32,
    /// The pattern of the paint.
    pub texture: Texture,
    /// The kind of the surroundings.
    pub background: Background,
    /// Seed of the data set; with [`Scene::index`] it decides what no attribute tells.
    pub seed: u64,
    /// Number of the picture.
    pub index: u64,
}

impl Scene {
    /// Picture number `index` of the data set with this seed. Depends on nothing else.
    pub fn draw(seed: u64, index: u64) -> Scene {
        let chance = |purpose| Chance::new(seed, index, purpose);
        let steps = |column: usize, purpose| match ATTRIBUTES[column].bins {
            Bins::Steps { low, high, .. } => chance(purpose).between(low, high),
            Bins::Names(names) => chance(purpose).below(names.len()) as f32,
        };
        Scene {
            shape: shape(seed, index),
            yaw: steps(0, Purpose::Yaw),
            pitch: steps(1, Purpose::Pitch),
            light_azimuth: steps(2, Purpose::LightAzimuth),
            light_elevation: steps(3, Purpose::LightElevation),
            hue: steps(4, Purpose::Hue),
            scale: steps(5, Purpose::Scale),
            texture: Texture::ALL[chance(Purpose::Texture).below(Texture::ALL.len())],
            background: Background::ALL[chance(Purpose::Background).below(Background::ALL.len())],
            seed,
            index,
        }
    }

    /// The same scene with one attribute moved into a bin. A continuous quantity keeps its place between the bin's edges.
    pub fn fixed(mut self, fixed: Fixed) -> Scene {
        let Fixed { attribute, bin } = fixed;
        if let Bins::Steps { low, high, count, .. } = ATTRIBUTES[attribute].bins {
            let value = match attribute {
                0 => &mut self.yaw,
                1 => &mut self.pitch,
                2 => &mut self.light_azimuth,
                3 => &mut self.light_elevation,
                4 => &mut self.hue,
                _ => &mut self.scale,
            };
            // a hair inside the edges, where rounding does not move it into the next bin
            let within = ((*value - low) / (high - low)).clamp(1e-3, 1.0 - 1e-3);
            *value = low + (high - low) / count as f32 * (bin as f32 + within);
        } else if attribute == 6 {
            self.texture = Texture::ALL[bin as usize];
        } else {
            self.background = Background::ALL[bin as usize];
        }
        self
    }

    /// The bins of the eight attributes, in the order of [`ATTRIBUTES`].
    pub fn attributes(&self) -> [u32; 8] {
        bins_of(self)
    }

    pub(super) fn chance(&self, purpose: Purpose) -> Chance {
        Chance::new(self.seed, self.index, purpose)
    }
}

/// Every run of eight pictures holds each shape once, in an order of its own: the classes stay balanced, and the
/// number of a picture does not tell its shape.
fn shape(seed: u64, index: u64) -> Shape {
    let kinds = Shape::ALL.len() as u64;
    let mut order = Shape::ALL;
    let mut chance = Chance::new(seed, index / kinds, Purpose::Shape);
    for last in (1..order.len()).rev() {
        order.swap(last, chance.below(last + 1));
    }
    order[(index % kinds) as usize]
}
