//! Which attribute names the folders, and which ones are held still.

use std::str::FromStr;

use super::attributes::{ATTRIBUTES, Attribute, Bins};
use super::error::ScenesError;
use super::scene::Scene;
use super::shapes::Shape;

/// What the folders are named after, and so what the class of a picture is. From text: `shape`, which is what there is
/// without, or an attribute's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct By(
    /// A column of `attributes.csv`, by its place in [`ATTRIBUTES`]; none is the shape
    Option<usize>,
);

/// An attribute that has the same bin in every picture; a continuous quantity still varies within it. From text:
/// `background=flat` or `yaw=0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// Its place in [`ATTRIBUTES`]
    pub(super) attribute: usize,
    /// A bin that it has
    pub(super) bin: u32,
}

impl By {
    /// `shape`, or the attribute's name.
    pub fn name(self) -> &'static str {
        self.0.map_or("shape", |at| ATTRIBUTES[at].name)
    }

    /// Whether it is this attribute.
    pub(super) fn is(self, attribute: usize) -> bool {
        self.0 == Some(attribute)
    }

    /// Name of each class's folder: a kind's name (`flat`), or the attribute's with the number of the bin (`yaw-3`).
    pub fn folders(self) -> Vec<String> {
        // a place in `ATTRIBUTES` comes from `named` alone
        match self.0.map(|at| ATTRIBUTES[at]) {
            None => Shape::ALL.iter().map(|shape| shape.name().to_owned()).collect(),
            Some(Attribute { name, bins, .. }) => match bins {
                Bins::Names(names) => names.iter().map(|&kind| kind.to_owned()).collect(),
                Bins::Steps { count, .. } => (0..count).map(|bin| format!("{name}-{bin}")).collect(),
            },
        }
    }

    /// The class of a scene, as a place in [`By::folders`].
    pub fn of(self, scene: &Scene) -> usize {
        self.0.map_or(scene.shape as usize, |at| scene.attributes()[at] as usize)
    }
}

impl Fixed {
    /// The attribute's name.
    pub(super) fn name(self) -> &'static str {
        ATTRIBUTES[self.attribute].name
    }
}

impl FromStr for By {
    type Err = ScenesError;

    fn from_str(text: &str) -> Result<By, ScenesError> {
        if text == "shape" { Ok(By(None)) } else { named(text).map(|at| By(Some(at))) }
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
