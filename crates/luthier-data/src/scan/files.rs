use std::path::Path;

use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::layout::Split;
use crate::{
    folder::{few_colours, name_says_placeholder},
    picture::{self, Format, Limits, PictureError},
};

/// One file named as a picture.
pub(super) struct File {
    pub path: String,
    pub split: usize,
    pub class: usize,
    pub class_name: String,
    /// Of its bytes; none where it can't be read or is empty
    pub hash: Option<u128>,
    pub seen: Result<Seen, PictureError>,
}

/// What decoding it showed.
pub(super) struct Seen {
    pub width: u32,
    pub height: u32,
    pub format: Format,
    pub mode: &'static str,
    pub placeholder: bool,
}

pub(super) fn look_at(root: &Path, tree: &[Split], limits: Limits) -> Vec<File> {
    let all: Vec<(usize, usize, &str, &String)> = tree
        .iter()
        .enumerate()
        .flat_map(|(split, s)| s.classes.iter().enumerate().map(move |(class, c)| (split, class, c)))
        .flat_map(|(split, class, c)| c.files.iter().map(move |f| (split, class, c.name.as_str(), f)))
        .collect();
    all.into_par_iter()
        .map(|(split, class, name, path)| {
            let bytes = picture::read_file(&root.join(path), limits);
            let hash = bytes.as_ref().ok().filter(|b| !b.is_empty()).map(|b| xxh3_128(b));
            let seen = bytes.and_then(|bytes| see(path, &bytes, limits));
            File { path: path.clone(), split, class, class_name: name.to_owned(), hash, seen }
        })
        .collect()
}

fn see(path: &str, bytes: &[u8], limits: Limits) -> Result<Seen, PictureError> {
    let header = picture::header(bytes, limits)?;
    let decoded = picture::decode(bytes, limits)?;
    Ok(Seen {
        width: decoded.width,
        height: decoded.height,
        format: header.format,
        mode: header.mode,
        placeholder: name_says_placeholder(path) && few_colours(&decoded),
    })
}
