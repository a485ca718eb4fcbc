//! Something close to the camera, out of focus, that hides a part of the solid in some pictures.

use super::chance::Chance;
use super::colour::oklch;
use super::vec3::{V3, smoothstep};

/// A post or a blurred blob across the picture's plane.
#[derive(Debug, Clone)]
pub(super) struct Occluder {
    x: f32,
    y: f32,
    /// Unit vector across a post; nothing for a blob.
    across: Option<(f32, f32)>,
    half: f32,
    blur: f32,
    colour: V3,
}

impl Occluder {
    /// One that covers a part of the disc about (x, y), never its middle.
    pub(super) fn draw(chance: &mut Chance, x: f32, y: f32, radius: f32) -> Occluder {
        // a direction by rejection: no angle, so no sine
        let (dx, dy) = loop {
            let (a, b) = (chance.between(-1.0, 1.0), chance.between(-1.0, 1.0));
            let length = (a * a + b * b).sqrt();
            if (0.1..=1.0).contains(&length) {
                break (a / length, b / length);
            }
        };
        let post = chance.happens(0.6);
        let half = if post { chance.between(0.10, 0.20) } else { chance.between(0.35, 0.6) };
        let inner = radius * chance.between(0.30, 0.55);
        let colour =
            oklch(chance.between(0.30, 0.75), chance.between(0.01, 0.09), chance.between(0.0, 360.0));
        Occluder {
            x: x + dx * (inner + half),
            y: y + dy * (inner + half),
            across: post.then_some((dx, dy)),
            half,
            blur: chance.between(0.03, 0.09),
            colour,
        }
    }

    /// `behind` with the occluder over it; `light` is the direction to the lamp.
    pub(super) fn over(&self, behind: V3, x: f32, y: f32, light: V3) -> V3 {
        let (dx, dy) = (x - self.x, y - self.y);
        let (u, v) = match self.across {
            Some((ax, ay)) => {
                let along = dx * ax + dy * ay;
                (ax * along, ay * along)
            }
            None => (dx, dy),
        };
        let from_middle = (u * u + v * v).sqrt();
        if from_middle >= self.half + self.blur {
            return behind;
        }
        // as round as a post or a ball: its normal leans outwards with the distance from the middle
        let facing = (u * light.x + v * light.y) / (self.half + self.blur);
        let own = self.colour * (0.62 + 0.45 * facing);
        own.mix(behind, smoothstep(self.half - self.blur, self.half + self.blur, from_middle))
    }
}
