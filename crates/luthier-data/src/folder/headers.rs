//! Every file's header is read while listing: what is broken is named before the run begins.

use std::path::Path;

use luthier_recipe::OnError;
use rayon::prelude::*;

use super::{
    FolderError, FolderOptions, Listing,
    placeholder::{looks_like_placeholder, name_says_placeholder},
};
use crate::picture::{self, Header, Limits, PictureError};

/// Files whose headers are held at a time: what is known of a file is ten times its place in the list.
const AT_ONCE: usize = 4096;

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
    let mut listing = Listing {
        root: root.to_owned(),
        classes: classes.to_vec(),
        samples: Vec::with_capacity(found.len()),
        sizes: Vec::with_capacity(found.len()),
        skipped: Vec::new(),
        notes: Vec::new(),
    };
    let (mut found, mut broken) = (found.into_iter(), None);
    loop {
        let some: Vec<(String, u32)> = found.by_ref().take(AT_ONCE).collect();
        if some.is_empty() {
            break;
        }
        let checked: Vec<Checked> =
            some.par_iter().map(|(path, _)| look(root, path, options.limits)).collect();
        for ((path, label), Checked { header, note }) in some.into_iter().zip(checked) {
            match header {
                Ok(header) => {
                    listing.samples.push((path, label));
                    listing.sizes.push((header.width, header.height));
                    listing.notes.extend(note);
                }
                Err(source) if options.on_error == OnError::Fail => {
                    broken.get_or_insert((path, source, 0)).2 += 1;
                }
                Err(why) => listing.skipped.push((path, why.to_string())),
            }
        }
    }
    if let Some((path, source, all)) = broken {
        return Err(FolderError::Broken { path: root.join(path), source, more: all - 1 });
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
