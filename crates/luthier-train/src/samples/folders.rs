//! Folders of pictures as splits.

use std::path::Path;

use luthier_data::{Chain, FolderOptions, Limits, Listing, image_folder, image_folder_like};
use luthier_plan::{DataPlan, PlanError, Skipped, SplitPlan};
use luthier_recipe::Data;

use super::{balanced_note, divided};
use crate::TrainError;

pub(super) fn splits(data: &Data, seed: u64, base: &Path) -> Result<(DataPlan, Vec<String>), TrainError> {
    let options = FolderOptions {
        exclude: &data.exclude,
        on_error: data.on_error,
        limits: Limits { max_megapixels: data.max_megapixels },
    };
    let listing = image_folder(&base.join(data.source()), &options)?;
    let root = data.source().to_string_lossy().into_owned();
    let mut notes = listing.notes.clone();
    let labels: Vec<u32> = listing.samples.iter().map(|(_, label)| *label).collect();
    let parts = divided(data, &labels, seed)?;
    notes.extend(balanced_note(data, labels.len(), &parts));
    let mut splits = Vec::new();
    // a file that is left out belongs to no part of a split: it is told once
    splits.push(split_plan("train", &root, &listing, &parts.train, true));
    let mut listed = Vec::new();
    for (name, folder, part) in [("valid", &data.valid, parts.valid), ("test", &data.test, parts.test)] {
        if let Some(folder) = folder {
            let found = image_folder_like(&base.join(folder), &listing.classes, &options)?;
            notes.extend(found.notes.clone());
            let all: Vec<u32> = (0..found.samples.len() as u32).collect();
            splits.push(split_plan(name, &folder.to_string_lossy(), &found, &all, true));
            listed.push(found);
        } else if !part.is_empty() {
            splits.push(split_plan(name, &root, &listing, &part, false));
        }
    }
    for (name, transforms) in [("train", data.train_transform()), ("eval", data.eval_transform())] {
        let chain = Chain::new(transforms)?;
        chain.output_size()?;
        refuse_padding(&chain, name, &listing)?;
        for found in listed.iter().filter(|_| name == "eval") {
            refuse_padding(&chain, name, found)?;
        }
        if name == "train" {
            notes.extend(chain.notes(&listing.sizes));
        }
    }
    Ok((DataPlan::new(listing.classes, splits), notes))
}

fn split_plan(name: &str, root: &str, listing: &Listing, indices: &[u32], skipped: bool) -> SplitPlan {
    let sample = |index: &u32| {
        let (path, label) = &listing.samples[*index as usize];
        (path, *label)
    };
    let skipped = if skipped { listing.skipped.as_slice() } else { &[] };
    let skip = |(path, why): &(String, String)| Skipped { path: path.clone(), why: why.clone() };
    SplitPlan {
        name: name.into(),
        root: root.into(),
        hash: None,
        samples: indices.iter().map(sample).collect(),
        skipped: skipped.iter().map(skip).collect(),
    }
}

/// A crop that is larger than a picture would be filled up with black.
fn refuse_padding(chain: &Chain, name: &str, listing: &Listing) -> Result<(), TrainError> {
    let Some((at, picture)) = chain.first_padded(&listing.sizes) else { return Ok(()) };
    let ((width, height), (path, _)) = (listing.sizes[picture], &listing.samples[picture]);
    let what =
        format!("`{path}` ({width} × {height}) is smaller than this crop, which would pad it with black");
    let help = "put a `Resize` before it, or crop less";
    Err(PlanError::at(format!("data.transform.{name}[{at}].size"), what).help(help).into())
}
