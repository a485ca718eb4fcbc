//! A warm lamp far away, and the soft light of the room.

use super::vec3::{V3, sin_cos, v3};

/// What a point of a surface does to light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surface {
    /// Colour, in linear RGB.
    pub(super) albedo: V3,
    /// Outward, of unit length.
    pub(super) normal: V3,
    /// Strength of the highlight; 0 is matt.
    pub(super) gloss: f32,
}

/// All light of a scene.
#[derive(Debug, Clone)]
pub(super) struct Light {
    /// Towards the lamp, of unit length.
    pub(super) direction: V3,
    lamp: V3,
    sky: V3,
    ground: V3,
}

impl Light {
    /// `azimuth` in degrees: 0 shines from the camera's side, 90 from the picture's right; `elevation` in degrees
    /// above the horizontal; `room` is the colour the surroundings throw back.
    pub(super) fn new(azimuth: f32, elevation: f32, room: V3) -> Light {
        let ((sa, ca), (se, ce)) = (sin_cos(azimuth), sin_cos(elevation));
        Light {
            direction: v3(sa * ce, se, ca * ce),
            lamp: v3(1.34, 1.27, 1.14),
            sky: v3(0.30, 0.33, 0.38).mix(room, 0.18),
            ground: v3(0.10, 0.09, 0.09).mix(room, 0.12),
        }
    }

    /// Diffuse and ambient light, a Blinn-Phong highlight and a faint rim. `towards` is the unit direction to the eye;
    /// `lit` the share of the lamp that arrives; `open` the share of the room that does.
    pub(super) fn shade(&self, surface: &Surface, towards: V3, lit: f32, open: f32) -> V3 {
        let n = surface.normal;
        let facing = n.dot(self.direction).max(0.0) * lit;
        let room = self.ground.mix(self.sky, 0.5 + 0.5 * n.y) * open;
        let diffuse = surface.albedo.tint(self.lamp * facing + room);

        let half = (self.direction + towards).unit();
        let mut shine = n.dot(half).max(0.0);
        // to the power of 32
        for _ in 0..5 {
            shine *= shine;
        }
        let highlight = if facing > 0.0 { shine * lit * surface.gloss } else { 0.0 };
        let edge = 1.0 - n.dot(towards).max(0.0);
        let rim = edge * edge * edge * edge * (0.15 + 0.5 * surface.gloss);
        diffuse + self.lamp * highlight + room * rim
    }
}
