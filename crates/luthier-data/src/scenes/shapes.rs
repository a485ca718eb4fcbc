//! The eight solids, as signed distance bounds in their own frame, and a solid placed in the world.
//!
//! Every solid fits the unit ball, has `y` for its axis and a slightly rounded edge that catches the light. The
//! functions never overestimate the distance, so a ray that advances by what they return cannot jump over the surface
//! (J. C. Hart, "Sphere tracing", 1996).

use super::vec3::{V3, sin_cos, v3};

/// The class of a picture. Folders bear these names; sorted by name, as ImageFolder numbers its classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A cylinder with half balls for ends.
    Capsule,
    /// A circular cone.
    Cone,
    /// A cube.
    Cube,
    /// A circular cylinder.
    Cylinder,
    /// A regular octahedron.
    Octahedron,
    /// A pyramid on a square.
    Pyramid,
    /// A ball.
    Sphere,
    /// A ring, leaning so that its hole faces forward and up.
    Torus,
}

impl Shape {
    /// All shapes, in class order.
    pub const ALL: [Shape; 8] = [
        Shape::Capsule,
        Shape::Cone,
        Shape::Cube,
        Shape::Cylinder,
        Shape::Octahedron,
        Shape::Pyramid,
        Shape::Sphere,
        Shape::Torus,
    ];

    /// The folder's name.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Capsule => "capsule",
            Shape::Cone => "cone",
            Shape::Cube => "cube",
            Shape::Cylinder => "cylinder",
            Shape::Octahedron => "octahedron",
            Shape::Pyramid => "pyramid",
            Shape::Sphere => "sphere",
            Shape::Torus => "torus",
        }
    }

    /// A lower bound of the distance from `p` to the surface, negative inside.
    fn distance(self, p: V3) -> f32 {
        match self {
            Shape::Sphere => p.length() - 0.86,
            Shape::Cube => {
                let q = v3(p.x.abs() - 0.53, p.y.abs() - 0.53, p.z.abs() - 0.53);
                let outside = v3(q.x.max(0.0), q.y.max(0.0), q.z.max(0.0)).length();
                outside + q.x.max(q.y).max(q.z).min(0.0) - 0.05
            }
            Shape::Capsule => {
                let y = (p.y.abs() - 0.52).max(0.0);
                (p.x * p.x + y * y + p.z * p.z).sqrt() - 0.46
            }
            Shape::Cylinder => {
                let (r, y) = ((p.x * p.x + p.z * p.z).sqrt() - 0.58, p.y.abs() - 0.64);
                let (a, b) = (r.max(0.0), y.max(0.0));
                (a * a + b * b).sqrt() + r.max(y).min(0.0) - 0.05
            }
            // flank through the apex (0, 0.98) and the rim (0.74, -0.62)
            Shape::Cone => {
                let r = (p.x * p.x + p.z * p.z + 0.0015).sqrt();
                rounded_max(0.9076 * r + 0.4198 * p.y - 0.4114, -p.y - 0.62, 0.07)
            }
            Shape::Pyramid => {
                let r = rounded_max(rounded_abs(p.x), rounded_abs(p.z), 0.05);
                rounded_max(0.9302 * r + 0.3671 * p.y - 0.3598, -p.y - 0.58, 0.07)
            }
            // 1 / sqrt 3 makes the sum of the three coordinates a distance
            Shape::Octahedron => {
                (rounded_abs(p.x) + rounded_abs(p.y) + rounded_abs(p.z) - 1.04) * 0.577_350_26
            }
            Shape::Torus => {
                let along = p.dot(TORUS_AXIS);
                let across = (p.dot(p) - along * along).max(0.0).sqrt() - 0.66;
                (across * across + along * along).sqrt() - 0.27
            }
        }
    }

    /// How far the solid reaches in the unit direction `d`, from its centre.
    fn reach(self, d: V3) -> f32 {
        let round = (d.x * d.x + d.z * d.z).sqrt();
        match self {
            Shape::Sphere => 0.86,
            Shape::Cube => 0.53 * (d.x.abs() + d.y.abs() + d.z.abs()) + 0.05,
            Shape::Capsule => 0.52 * d.y.abs() + 0.46,
            Shape::Cylinder => 0.58 * round + 0.64 * d.y.abs() + 0.05,
            Shape::Cone => (0.88 * d.y).max(0.70 * round - 0.61 * d.y),
            Shape::Pyramid => (0.86 * d.y).max(0.56 * (d.x.abs() + d.z.abs()) - 0.57 * d.y),
            Shape::Octahedron => 0.95 * d.x.abs().max(d.y.abs()).max(d.z.abs()),
            Shape::Torus => {
                let along = d.dot(TORUS_AXIS);
                0.66 * (1.0 - along * along).max(0.0).sqrt() + 0.27
            }
        }
    }

    /// Whether the distance is a convex function. Along a ray it then falls once and rises once, and no part of the
    /// solid shades another.
    fn is_convex(self) -> bool {
        self != Shape::Torus
    }
}

/// 50 degrees from the upright, in the plane of yaw 0.
const TORUS_AXIS: V3 = v3(0.0, 0.642_787_6, 0.766_044_4);

/// `max` whose corner is filled in over a width of `k`.
fn rounded_max(a: f32, b: f32, k: f32) -> f32 {
    let h = (k - (a - b).abs()).max(0.0);
    a.max(b) + h * h / (4.0 * k)
}

/// `abs` without its kink.
fn rounded_abs(x: f32) -> f32 {
    (x * x + 0.0012).sqrt()
}

/// A shape with a place, a size and a pose.
#[derive(Debug, Clone)]
pub(super) struct Solid {
    shape: Shape,
    pub(super) centre: V3,
    pub(super) radius: f32,
    /// The solid's own axes, in the world.
    axes: [V3; 3],
}

/// The ball that surely holds a unit solid.
const BOUND: f32 = 1.03;

impl Solid {
    /// Turned by `yaw` degrees about its own axis (its front to the picture's right), then leant by `pitch` degrees
    /// towards the camera.
    pub(super) fn new(shape: Shape, centre: V3, radius: f32, yaw: f32, pitch: f32) -> Solid {
        let ((sy, cy), (sp, cp)) = (sin_cos(yaw), sin_cos(pitch));
        let lean = |v: V3| v3(v.x, v.y * cp - v.z * sp, v.y * sp + v.z * cp);
        let axes = [lean(v3(cy, 0.0, -sy)), lean(v3(0.0, 1.0, 0.0)), lean(v3(sy, 0.0, cy))];
        Solid { shape, centre, radius, axes }
    }

    fn inward(&self, v: V3) -> V3 {
        v3(v.dot(self.axes[0]), v.dot(self.axes[1]), v.dot(self.axes[2]))
    }

    fn outward(&self, v: V3) -> V3 {
        self.axes[0] * v.x + self.axes[1] * v.y + self.axes[2] * v.z
    }

    /// The world's point in the solid's frame, where the solid fits the unit ball.
    pub(super) fn own(&self, p: V3) -> V3 {
        self.inward(p - self.centre) * (1.0 / self.radius)
    }

    /// Height of the lowest point.
    pub(super) fn bottom(&self) -> f32 {
        self.centre.y - self.radius * self.shape.reach(self.inward(v3(0.0, -1.0, 0.0)))
    }

    /// How near a world point is to the solid: 1 touches it, 0 is half a radius away or more.
    pub(super) fn nearness(&self, p: V3) -> f32 {
        const REACH: f32 = 0.5;
        let p = self.own(p);
        if p.dot(p) > (BOUND + REACH) * (BOUND + REACH) {
            return 0.0;
        }
        1.0 - (self.shape.distance(p) / REACH).clamp(0.0, 1.0)
    }

    /// The first hit of a ray (unit direction): the distance to it.
    pub(super) fn hit(&self, origin: V3, direction: V3) -> Option<f32> {
        let (o, d) = (self.own(origin), self.inward(direction));
        let (near, far) = ball(o, d, BOUND)?;
        let convex = self.shape.is_convex();
        let mut t = near.max(0.0);
        let (mut step, mut before) = (0.0, f32::INFINITY);
        for _ in 0..64 {
            let gap = self.shape.distance(o + d * t);
            if gap < 0.001 {
                return Some(t * self.radius);
            }
            step = if !convex || before.is_infinite() {
                gap
            } else if gap < before {
                // the line through the last two gaps lies below a convex curve ahead: where it meets zero is still
                // in front of the surface, and much nearer to it
                gap * step / (before - gap)
            } else {
                // past the closest approach
                return None;
            };
            before = gap;
            t += step;
            if t > far {
                return None;
            }
        }
        None
    }

    /// The outward normal at a world point on the surface: the gradient of the distance by four differences.
    pub(super) fn normal(&self, p: V3) -> V3 {
        const STEP: f32 = 0.002;
        let p = self.own(p);
        let corners = [v3(1.0, -1.0, -1.0), v3(-1.0, -1.0, 1.0), v3(-1.0, 1.0, -1.0), v3(1.0, 1.0, 1.0)];
        let gradient = corners
            .into_iter()
            .fold(V3::default(), |sum, corner| sum + corner * self.shape.distance(p + corner * STEP));
        self.outward(gradient).unit()
    }

    /// How much of the light from the unit direction `light` reaches a world point: 1 all, 0 none. The edge of the
    /// shadow widens with the distance from what casts it.
    pub(super) fn lit(&self, p: V3, light: V3) -> f32 {
        const SHARPNESS: f32 = 9.0;
        let (o, d) = (self.own(p), self.inward(light));
        // rays that pass beside the ball still graze the penumbra
        let Some((near, far)) = ball(o, d, 1.45) else { return 1.0 };
        let mut t = near.max(0.02);
        let convex = self.shape.is_convex();
        let (mut lit, mut before) = (1.0_f32, f32::INFINITY);
        for _ in 0..48 {
            if t >= far {
                break;
            }
            let gap = self.shape.distance(o + d * t);
            let share = SHARPNESS * gap / t.max(0.4) + 0.02;
            if share <= 0.02 {
                return 0.0;
            }
            // beside a convex solid, the share that has begun to rise falls no more
            if convex && t > 0.4 && share > before {
                break;
            }
            before = share;
            lit = lit.min(share);
            // shorter than the gap: the narrowest place must not be stepped over
            t += (0.6 * gap).clamp(0.02, 0.2);
        }
        lit * lit * (3.0 - 2.0 * lit)
    }

    /// [`Solid::lit`] for a point on the solid itself, whose normal is known.
    pub(super) fn lit_on_itself(&self, p: V3, normal: V3, light: V3) -> f32 {
        if self.shape.is_convex() || normal.dot(light) <= 0.0 {
            return 1.0;
        }
        self.lit(p + normal * (0.04 * self.radius), light)
    }
}

/// Where a ray enters and leaves a ball about the origin, unless the ball is missed or behind.
fn ball(origin: V3, direction: V3, radius: f32) -> Option<(f32, f32)> {
    let middle = -origin.dot(direction);
    let inside = radius * radius - (origin.dot(origin) - middle * middle);
    if inside <= 0.0 {
        return None;
    }
    let half = inside.sqrt();
    (middle + half > 0.0).then_some((middle - half, middle + half))
}
