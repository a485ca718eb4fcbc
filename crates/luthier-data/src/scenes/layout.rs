//! Which attribute names the folders, and which ones are held still.

use std::str::FromStr;

use super::attributes::{ATTRIBUTES, Attribute, Bins};
use super::error::ScenesError;
use super::scene::Scene;
use super::shapes::Shape;

/// What the folders are named after, and so what the class of a picture is. As text: `shape`, or an attribute's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The eight shapes.
    #[default]
    Shape,
    /// A column of `attributes.csv`, by its place in [`ATTRIBUTES`].
    Attribute(usize),
}

/// An attribute that has the same bin in every picture. As text: `background=flat` or `yaw=0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// Its place in [`ATTRIBUTES`].
    pub attribute: usize,
    /// The bin; a continuous quantity still varies within it.
    pub bin: u32,
}

impl By {
    /// `shape`, or the attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            By::Shape => "shape",
            By::Attribute(at) => ATTRIBUTES[at].name,
        }
    }

    /// Name of each class's folder: a kind's name (`flat`), or the attribute's with the number of the bin (`yaw-3`).
    pub fn folders(self) -> Vec<String> {
        match self {
            By::Shape => Shape::ALL.iter().map(|shape| shape.name().to_owned()).collect(),
            By::Attribute(at) => {
                let Attribute { name, bins, .. } = ATTRIBUTES[at];
                match bins {
                    Bins::Names(names) => names.iter().map(|&kind| kind.to_owned()).collect(),
                    Bins::Steps { count, .. } => (0..count).map(|bin| format!("{name}-{bin}")).collect(),
                }
            }
        }
    }

    /// The class of a scene, as a place in [`By::folders`].
    pub fn of(self, scene: &Scene) -> usize {
        match self {
            By::Shape => scene.shape as usize,
            By::Attribute(at) => scene.attributes()[at] as usize,
        }
    }
}

impl FromStr for By {
    type Err = ScenesError;

    fn from_str(text: &str) -> Result<By, ScenesError> {
        if text == "shape" { Ok(By::Shape) } else { named(text).map(By::Attribute) }
    }
}

impl FromStr for Fixed {
    type Err = ScenesError;

    fn from_str(text: &str) -> Result<Fixed, ScenesError> {
        let (name, value) =
            text.split_once('=').ok_or_else(|| ScenesError::NoBin { text: text.to_owned() })?;
        let attribute = named(name.trim())?;
        let (Attribute { name, bins, .. }, value) = (ATTRIBUTES[attribute], value.trim());
        let by_name = match bins {
            Bins::Names(names) => names.iter().position(|kind| *kind == value).map(|bin| bin as u32),
            Bins::Steps { .. } => None,
        };
        let by_number = || value.parse().ok().filter(|bin| *bin < bins.count());
        match by_name.or_else(by_number) {
            Some(bin) => Ok(Fixed { attribute, bin }),
            None => Err(ScenesError::Bin { name, value: value.to_owned(), choices: choices(bins) }),
        }
    }
}

fn named(name: &str) -> Result<usize, ScenesError> {
    ATTRIBUTES
        .iter()
        .position(|attribute| attribute.name == name)
        .ok_or_else(|| ScenesError::Attribute { name: name.to_owned() })
}

fn choices(bins: Bins) -> String {
    match bins {
        Bins::Names(names) => names.join(", "),
        Bins::Steps { count, .. } => format!("the numbers from 0 to {}", count - 1),
    }
}
