//! Vectors of three `f32`.
//!
//! Home-made on purpose: a picture's bytes must be the same on every machine, so the renderer keeps to
//! `+ - * /`, `sqrt`, `floor` and comparisons, which IEEE 754 rounds exactly. Nothing here fuses a multiply with an
//! add or calls the platform's maths library.

use std::ops::{Add, Mul, Neg, Sub};

/// A point, a direction or a linear RGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct V3 {
    /// Right, or red.
    pub x: f32,
    /// Up, or green.
    pub y: f32,
    /// Towards the camera, or blue.
    pub z: f32,
}

/// `V3 { x, y, z }`, shorter.
pub const fn v3(x: f32, y: f32, z: f32) -> V3 {
    V3 { x, y, z }
}

impl V3 {
    pub(super) fn dot(self, o: V3) -> f32 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }

    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Unit length; the vector must not be null.
    pub(super) fn unit(self) -> V3 {
        self * (1.0 / self.length())
    }

    /// Component by component: a colour seen through a filter.
    pub(super) fn tint(self, o: V3) -> V3 {
        v3(self.x * o.x, self.y * o.y, self.z * o.z)
    }

    pub(super) fn mix(self, o: V3, t: f32) -> V3 {
        self * (1.0 - t) + o * t
    }
}

impl Add for V3 {
    type Output = V3;
    fn add(self, o: V3) -> V3 {
        v3(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}

impl Sub for V3 {
    type Output = V3;
    fn sub(self, o: V3) -> V3 {
        v3(self.x - o.x, self.y - o.y, self.z - o.z)
    }
}

impl Mul<f32> for V3 {
    type Output = V3;
    fn mul(self, s: f32) -> V3 {
        v3(self.x * s, self.y * s, self.z * s)
    }
}

impl Neg for V3 {
    type Output = V3;
    fn neg(self) -> V3 {
        v3(-self.x, -self.y, -self.z)
    }
}

/// 0 below `low`, 1 above `high`, a cubic with flat ends between.
pub(super) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The whole number at or below `x`, for small `x`. `f32::floor` is a call into a library on older processors.
pub(super) fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

/// Sine and cosine of an angle in degrees, from the pure Rust `libm`: the platform's own differ in the last bit.
pub(super) fn sin_cos(degrees: f32) -> (f32, f32) {
    let (sin, cos) = libm::sincos(f64::from(degrees).to_radians());
    (sin as f32, cos as f32)
}
