//! Every file's header is read while listing: what is broken is named before the run begins.

use std::path::Path;

use luthier_recipe::OnError;
use rayon::prelude::*;

use super::{
    FolderError, FolderOptions, Listing,
    placeholder::{looks_like_placeholder, name_says_placeholder},
};
use crate::picture::{self, Header, Limits, PictureError};

struct Checked {
    header: Result<Header, PictureError>,
    note: Option<String>,
}

pub(super) fn check(
    root: &Path,
    classes: &[String],
    found: Vec<(String, u32)>,
    options: &FolderOptions<'_>,
) -> Result<Listing, FolderError> {
    let checked: Vec<Checked> = found.par_iter().map(|(path, _)| look(root, path, options.limits)).collect();
    let broken = checked.iter().filter(|c| c.header.is_err()).count();
    let mut listing = Listing {
        root: root.to_owned(),
        classes: classes.to_vec(),
        samples: Vec::with_capacity(found.len()),
        sizes: Vec::with_capacity(found.len()),
        skipped: Vec::new(),
        notes: Vec::new(),
    };
    for ((path, label), Checked { header, note }) in found.into_iter().zip(checked) {
        match header {
            Ok(header) => {
                listing.samples.push((path, label));
                listing.sizes.push((header.width, header.height));
                listing.notes.extend(note);
            }
            Err(source) if options.on_error == OnError::Fail => {
                return Err(FolderError::Broken { path: root.join(path), source, more: broken - 1 });
            }
            Err(why) => listing.skipped.push((path, why.to_string())),
        }
    }
    whole_class_broken(root, &listing)?;
    Ok(listing)
}

fn look(root: &Path, path: &str, limits: Limits) -> Checked {
    let file = root.join(path);
    let header = picture::header_file(&file, limits);
    let note = header.as_ref().ok().and_then(|header| {
        (name_says_placeholder(path) && looks_like_placeholder(&file, limits)).then(|| {
            format!(
                "`{path}` looks like a placeholder, not a picture ({}, few colours): leave it out with `data.exclude = [\"{path}\"]`",
                header.format
            )
        })
    });
    Checked { header, note }
}

/// A class of which every file is broken must not vanish silently.
fn whole_class_broken(root: &Path, listing: &Listing) -> Result<(), FolderError> {
    let counts = listing.counts();
    for (file, reason) in &listing.skipped {
        let class = file.split('/').next().unwrap_or(file);
        let label = listing.classes.iter().position(|c| c == class);
        if label.and_then(|label| counts.get(label)) == Some(&0) {
            return Err(FolderError::AllBroken {
                root: root.to_owned(),
                class: class.to_owned(),
                file: file.clone(),
                reason: reason.clone(),
            });
        }
    }
    Ok(())
}
