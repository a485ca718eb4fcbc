//! From a scene to pixels.

use super::background::Backdrop;
use super::camera::Camera;
use super::chance::Purpose;
use super::colour::{srgb_byte, tone};
use super::light::{Light, Surface};
use super::occluder::Occluder;
use super::scene::Scene;
use super::shapes::Solid;
use super::texture::Paint;
use super::vec3::{V3, smoothstep, v3};

/// Share of the pictures with something in front of the solid.
const OCCLUDED: f32 = 0.3;
/// Pixels that differ from a neighbour by more than this (in square roots of linear light, about even to the eye) are
/// sampled again.
const CONTRAST: f32 = 0.06;
/// Where a pixel is sampled again besides its centre, in pixels from it: no two in a row or a column.
const AGAIN: [(f32, f32); 5] = [(-0.4, 0.1), (-0.1, -0.4), (0.4, -0.2), (0.2, 0.4), (-0.25, 0.3)];

/// A scene, set up.
struct Stage {
    camera: Camera,
    solid: Solid,
    paint: Paint,
    gloss: f32,
    light: Light,
    backdrop: Backdrop,
    floor: Option<f32>,
    occluder: Option<Occluder>,
    /// Width of a pixel in the picture's [-1, 1].
    pixel: f32,
}

impl Stage {
    fn new(scene: &Scene, size: u32) -> Stage {
        let camera = Camera::new();
        let mut place = scene.chance(Purpose::Place);
        let room = (1.0 - scene.scale) * 0.8;
        let (x, y) = (place.between(-room, room), place.between(-room, room));
        let solid = Solid::new(scene.shape, camera.place(x, y), scene.scale, scene.yaw, scene.pitch);
        let backdrop = Backdrop::new(scene.background, &mut scene.chance(Purpose::Set));
        let light = Light::new(scene.light_azimuth, scene.light_elevation, backdrop.room());
        let mut paint = scene.chance(Purpose::Paint);
        let gloss = paint.between(0.08, 0.55);
        let paint = Paint::new(scene.texture, scene.hue, paint.next() as u32);
        let floor = backdrop.has_floor().then(|| solid.bottom());
        let mut front = scene.chance(Purpose::Occluder);
        let occluder = front.happens(OCCLUDED).then(|| Occluder::draw(&mut front, x, y, scene.scale));
        Stage { camera, solid, paint, gloss, light, backdrop, floor, occluder, pixel: 2.0 / size as f32 }
    }

    /// The colour at a point of the picture, in linear light.
    fn sample(&self, x: f32, y: f32) -> V3 {
        let ray = self.camera.through(x, y);
        let seen = match self.solid.hit(self.camera.eye, ray) {
            Some(distance) => self.surface(ray, distance),
            None => self.surroundings(ray, x, y),
        };
        let corner = x * x + y * y;
        let seen = tone(seen) * (1.0 - 0.06 * corner);
        match &self.occluder {
            Some(occluder) => occluder.over(seen, x, y, self.light.direction),
            None => seen,
        }
    }

    fn surface(&self, ray: V3, distance: f32) -> V3 {
        let point = self.camera.eye + ray * distance;
        let normal = self.solid.normal(point);
        let towards = -ray;
        // a slanted surface spreads a pixel; beyond four times, sampling again does better
        let slant = normal.dot(towards).max(0.25);
        let width = self.camera.footprint(self.pixel, distance) / (self.solid.radius * slant);
        let surface =
            Surface { albedo: self.paint.at(self.solid.own(point), width), normal, gloss: self.gloss };
        let lit = self.solid.lit_on_itself(point, normal, self.light.direction);
        let open = match self.floor {
            Some(floor) => 0.55 + 0.45 * smoothstep(0.0, 0.6, point.y - floor + 0.3 * (normal.y + 1.0)),
            None => 1.0,
        };
        self.light.shade(&surface, towards, lit, open)
    }

    fn surroundings(&self, ray: V3, x: f32, y: f32) -> V3 {
        let wall = self.backdrop.wall(x, y);
        let Some(floor) = self.floor.filter(|_| ray.y < -1e-3) else { return wall };
        let distance = (floor - self.camera.eye.y) / ray.y;
        let share = smoothstep(4.5, 11.0, distance);
        if share >= 1.0 {
            return wall;
        }
        let point = self.camera.eye + ray * distance;
        let width = self.camera.footprint(self.pixel, distance) / -ray.y.min(-0.2);
        let surface = Surface {
            albedo: self.backdrop.floor(point.x, point.z, width),
            normal: v3(0.0, 1.0, 0.0),
            gloss: 0.0,
        };
        let lit = self.solid.lit(point, self.light.direction);
        let near = self.solid.nearness(point);
        self.light.shade(&surface, -ray, lit, 1.0 - 0.6 * near * near).mix(wall, share)
    }
}

impl Scene {
    /// Draws the scene: `size` × `size` pixels of sRGB, row by row from the top, three bytes each.
    pub fn paint(&self, size: u32) -> Vec<u8> {
        let stage = Stage::new(self, size);
        let side = size as usize;
        let at = |column: usize, row: usize, (dx, dy): (f32, f32)| {
            let x = (column as f32 + 0.5 + dx) * stage.pixel - 1.0;
            let y = 1.0 - (row as f32 + 0.5 + dy) * stage.pixel;
            stage.sample(x, y)
        };
        let centres: Vec<V3> = (0..side * side).map(|i| at(i % side, i / side, (0.0, 0.0))).collect();
        let seen: Vec<V3> = centres.iter().map(|&c| even(c)).collect();
        let mut bytes = Vec::with_capacity(side * side * 3);
        for row in 0..side {
            for column in 0..side {
                let here = row * side + column;
                let rough = [
                    here - usize::from(column > 0),
                    here + usize::from(column + 1 < side),
                    if row > 0 { here - side } else { here },
                    if row + 1 < side { here + side } else { here },
                ]
                .into_iter()
                .any(|there| differ(seen[here], seen[there]));
                let mut colour = clip(centres[here]);
                if rough {
                    let sum = AGAIN.into_iter().fold(colour, |sum, d| sum + clip(at(column, row, d)));
                    colour = sum * (1.0 / (AGAIN.len() + 1) as f32);
                }
                bytes.extend([srgb_byte(colour.x), srgb_byte(colour.y), srgb_byte(colour.z)]);
            }
        }
        bytes
    }
}

fn differ(a: V3, b: V3) -> bool {
    let gap = a - b;
    gap.x.abs().max(gap.y.abs()).max(gap.z.abs()) > CONTRAST
}

/// Light on a scale whose steps look about even.
fn even(c: V3) -> V3 {
    let c = clip(c);
    v3(c.x.sqrt(), c.y.sqrt(), c.z.sqrt())
}

/// A highlight brighter than the paper must not outvote its neighbours at an edge.
fn clip(c: V3) -> V3 {
    v3(c.x.clamp(0.0, 1.0), c.y.clamp(0.0, 1.0), c.z.clamp(0.0, 1.0))
}
