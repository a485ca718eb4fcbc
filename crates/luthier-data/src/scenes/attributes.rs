//! The eight attributes of a picture and their bins.

use serde_json::{Value, json};

use super::background::Background;
use super::scene::Scene;
use super::texture::Texture;

/// The values an attribute takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bins {
    /// Equal steps of a continuous quantity: bin k holds [low + k w, low + (k + 1) w) with w = (high - low) / count.
    Steps {
        /// Lowest value.
        low: f32,
        /// Above the highest value.
        high: f32,
        /// Number of bins.
        count: u32,
        /// Unit of the edges.
        unit: &'static str,
        /// Whether the last bin borders on the first.
        circular: bool,
    },
    /// Kinds by name; bin k is the k-th name.
    Names(&'static [&'static str]),
}

/// One column of `attributes.csv`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attribute {
    /// Column name.
    pub name: &'static str,
    /// What it measures.
    pub meaning: &'static str,
    /// Its values.
    pub bins: Bins,
}

const fn degrees(low: f32, high: f32, count: u32, circular: bool) -> Bins {
    Bins::Steps { low, high, count, unit: "degrees", circular }
}

/// The attributes, in the order of their columns.
///
/// | name            | bins | edges                                              |
/// |-----------------|------|----------------------------------------------------|
/// | yaw             | 8    | 0, 45, … 360 degrees, circular                     |
/// | pitch           | 4    | -40, -20, 0, 20, 40 degrees                        |
/// | light_azimuth   | 6    | -120, -80, … 120 degrees                           |
/// | light_elevation | 4    | 15, 30, 45, 60, 75 degrees                         |
/// | hue             | 8    | 0, 45, … 360 degrees of the OKLCH circle, circular |
/// | scale           | 4    | 0.42, 0.52, 0.62, 0.72, 0.82 of the picture        |
/// | texture         | 6    | plain, stripes, checker, dots, marble, noise       |
/// | background      | 6    | flat, gradient, clouds, bokeh, floor, tiles        |
pub const ATTRIBUTES: [Attribute; 8] = [
    Attribute {
        name: "yaw",
        meaning: "turn of the solid about its own axis; 0 shows its strongly coloured front, 90 has the front \
                  at the picture's right",
        bins: degrees(0.0, 360.0, 8, true),
    },
    Attribute {
        name: "pitch",
        meaning: "lean of the solid's axis from the upright; positive towards the camera",
        bins: degrees(-40.0, 40.0, 4, false),
    },
    Attribute {
        name: "light_azimuth",
        meaning: "where the lamp stands around the solid; 0 is the camera's side, positive the picture's right",
        bins: degrees(-120.0, 120.0, 6, false),
    },
    Attribute {
        name: "light_elevation",
        meaning: "height of the lamp above the horizontal",
        bins: degrees(15.0, 75.0, 4, false),
    },
    Attribute {
        name: "hue",
        meaning: "hue of the paint, on the OKLCH circle",
        bins: degrees(0.0, 360.0, 8, true),
    },
    Attribute {
        name: "scale",
        meaning: "diameter of the ball around the solid",
        bins: Bins::Steps {
            low: 0.42,
            high: 0.82,
            count: 4,
            unit: "share of the picture's side",
            circular: false,
        },
    },
    Attribute { name: "texture", meaning: "pattern of the paint", bins: Bins::Names(&Texture::NAMES) },
    Attribute {
        name: "background",
        meaning: "kind of the surroundings",
        bins: Bins::Names(&Background::NAMES),
    },
];

impl Bins {
    /// Number of bins.
    pub fn count(&self) -> u32 {
        match self {
            Bins::Steps { count, .. } => *count,
            Bins::Names(names) => names.len() as u32,
        }
    }

    /// The edges of bin `k`; `None` for kinds, or beyond the last bin.
    pub fn edges(&self, k: u32) -> Option<(f32, f32)> {
        match *self {
            Bins::Steps { low, high, count, .. } if k < count => {
                let width = (high - low) / count as f32;
                Some((low + width * k as f32, low + width * (k + 1) as f32))
            }
            _ => None,
        }
    }

    /// The bin that holds `value`; values beyond the ends belong to the first or the last bin.
    pub(super) fn of(&self, value: f32) -> u32 {
        match *self {
            Bins::Steps { low, high, count, .. } => {
                let k = ((value - low) / (high - low) * count as f32).floor();
                (k.max(0.0) as u32).min(count - 1)
            }
            Bins::Names(names) => (value as u32).min(names.len() as u32 - 1),
        }
    }
}

/// The bins of a scene, in the order of [`ATTRIBUTES`].
pub(super) fn bins_of(scene: &Scene) -> [u32; 8] {
    let values = [
        scene.yaw,
        scene.pitch,
        scene.light_azimuth,
        scene.light_elevation,
        scene.hue,
        scene.scale,
        scene.texture as u32 as f32,
        scene.background as u32 as f32,
    ];
    std::array::from_fn(|i| ATTRIBUTES[i].bins.of(values[i]))
}

/// [`ATTRIBUTES`] as `attributes.json` tells them.
pub(super) fn described() -> Value {
    let columns = ATTRIBUTES.iter().map(|attribute| {
        let bins = &attribute.bins;
        let mut column =
            json!({ "name": attribute.name, "meaning": attribute.meaning, "classes": bins.count() });
        match bins {
            Bins::Names(names) => column["names"] = json!(names),
            Bins::Steps { low, high, count, unit, circular } => {
                // in f64 and rounded: 0.52, not 0.5199999809
                let edge = |k: u32| {
                    let (low, high) = (f64::from(*low), f64::from(*high));
                    ((low + (high - low) * f64::from(k) / f64::from(*count)) * 1e4).round() / 1e4
                };
                let edges: Vec<f64> = (0..=*count).map(edge).collect();
                column["names"] =
                    edges.windows(2).map(|pair| json!(format!("{}..{}", pair[0], pair[1]))).collect();
                column["edges"] = json!(edges);
                column["unit"] = json!(unit);
                column["circular"] = json!(circular);
            }
        }
        column
    });
    Value::Array(columns.collect())
}
