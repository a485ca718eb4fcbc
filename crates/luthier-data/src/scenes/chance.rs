//! Random numbers that depend on nothing but (seed, picture, purpose), and smooth noise in space.

use super::vec3::{V3, floor, v3};

/// What a number is drawn for. Every purpose has a stream of its own, so adding a draw to one leaves the others be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Shape = 1,
    Yaw,
    Pitch,
    LightAzimuth,
    LightElevation,
    Hue,
    Scale,
    Texture,
    Background,
    Place,
    Paint,
    Set,
    Occluder,
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64, index: u64, purpose: Purpose) -> Chance {
        // each part goes through the mixer before the next joins, so that neighbours share nothing
        Chance(mix(mix(mix(seed).wrapping_add(index)).wrapping_add(purpose as u64)))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in [low, high).
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        // 24 bits, the precision of an f32: the share stays below 1
        let share = (self.next() >> 40) as f32 / 16_777_216.0;
        low + (high - low) * share
    }

    /// Uniform in 0..n.
    pub(super) fn below(&mut self, n: usize) -> usize {
        // multiply-shift; its bias is n / 2^64
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    pub(super) fn happens(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in [0, 1) for one lattice point.
fn lattice(x: i32, y: i32, z: i32, key: u32) -> f32 {
    let mut h = key
        ^ (x as u32).wrapping_mul(0x8DA6_B343)
        ^ (y as u32).wrapping_mul(0xD816_3841)
        ^ (z as u32).wrapping_mul(0xCB1A_B31F);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    (h >> 8) as f32 / 16_777_216.0
}

/// Value noise: random values on the integer lattice, blended smoothly; in [0, 1).
pub(super) fn noise(p: V3, key: u32) -> f32 {
    let cell = v3(floor(p.x), floor(p.y), floor(p.z));
    let (x, y, z) = (cell.x as i32, cell.y as i32, cell.z as i32);
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let f = p - cell;
    let (u, v, w) = (ease(f.x), ease(f.y), ease(f.z));
    let blend = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let row =
        |dy: i32, dz: i32| blend(lattice(x, y + dy, z + dz, key), lattice(x + 1, y + dy, z + dz, key), u);
    blend(blend(row(0, 0), row(1, 0), v), blend(row(0, 1), row(1, 1), v), w)
}

/// Three octaves of [`noise`], in [0, 1).
pub(super) fn cloud(p: V3, key: u32) -> f32 {
    // each octave turned by 3-4-5 triangles against the one before, or the lattice shows through
    let turned = |p: V3| {
        v3(0.8 * p.x - 0.6 * p.y, 0.48 * p.x + 0.64 * p.y - 0.6 * p.z, 0.36 * p.x + 0.48 * p.y + 0.8 * p.z)
    };
    let first = turned(p);
    let second = turned(first * 1.93);
    let third = turned(second * 2.11);
    (noise(first, key) * 4.0 + noise(second, key ^ 0x5bd1) * 2.4 + noise(third, key ^ 0xe995) * 1.2) / 7.6
}
