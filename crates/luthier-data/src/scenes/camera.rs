//! One camera for all pictures: it looks a little down, and the solid's place in the picture is chosen on the plane it
//! looks at square on.

use super::vec3::{V3, sin_cos, v3};

/// How far the plane of the solid is. That plane spans [-1, 1] in the picture, both ways.
const DISTANCE: f32 = 4.2;
/// How steeply the camera looks down, in degrees.
const DOWN: f32 = 12.0;

/// A pinhole camera.
#[derive(Debug, Clone)]
pub(super) struct Camera {
    pub(super) eye: V3,
    up: V3,
    forward: V3,
}

impl Camera {
    pub(super) fn new() -> Camera {
        let (sin, cos) = sin_cos(DOWN);
        let forward = v3(0.0, -sin, -cos);
        Camera { eye: -forward * DISTANCE, up: v3(0.0, cos, -sin), forward }
    }

    /// The unit direction through a point of the picture: (-1, -1) is its lower left corner, (1, 1) its upper right.
    pub(super) fn through(&self, x: f32, y: f32) -> V3 {
        (self.forward * DISTANCE + self.up * y + v3(x, 0.0, 0.0)).unit()
    }

    /// The world's point that shows at (x, y), on the plane the camera looks at.
    pub(super) fn place(&self, x: f32, y: f32) -> V3 {
        self.up * y + v3(x, 0.0, 0.0)
    }

    /// Width in the world of a share `pixel` of half the picture, at a distance.
    pub(super) fn footprint(&self, pixel: f32, distance: f32) -> f32 {
        pixel * distance / DISTANCE
    }
}
