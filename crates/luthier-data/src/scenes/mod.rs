//! Rendered scenes: a picture data set that needs no download.
//!
//! [`render`] draws lit 3-D solids and writes them in ImageFolder layout by shape, with eight discretised attributes
//! per picture in `attributes.csv` ([`ATTRIBUTES`] names them and their bins). A [`Scene`] is one picture as numbers:
//! [`Scene::draw`] chooses it from (seed, number), [`Scene::paint`] turns it into pixels.
//!
//! The solids are distance functions found by sphere tracing, one ray per pixel and eight more where neighbours differ.

mod attributes;
mod background;
mod camera;
mod chance;
mod colour;
mod error;
mod export;
mod folder;
mod layout;
mod light;
mod occluder;
mod paint;
mod scene;
mod shapes;
mod texture;
mod vec3;

pub use attributes::{ATTRIBUTES, Attribute, Bins};
pub use background::Background;
pub use error::ScenesError;
use export::SIZES;
pub use export::{SceneOptions, Summary, render};
pub use layout::{By, Fixed};
pub use scene::Scene;
pub use shapes::Shape;
pub use texture::Texture;
