//! Pictures that stand for a picture that could not be had, as photo sites serve them.

use std::{collections::BTreeSet, path::Path};

use crate::picture::{self, Limits, Picture};

const WORDS: [&str; 7] =
    ["notfound", "placeholder", "notavailable", "unavailable", "noimage", "nophoto", "imagemissing"];

/// A drawing has few colours; a photo of any size has hundreds.
const FEW_COLOURS: usize = 64;

/// Whether the file's name says that it stands for something else.
pub(crate) fn name_says_placeholder(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    WORDS.iter().any(|word| plain.contains(word))
}

/// Whether the file holds a picture with too few colours to be a photo.
pub(super) fn looks_like_placeholder(file: &Path, limits: Limits) -> bool {
    picture::decode_file(file, limits).is_ok_and(|picture| few_colours(&picture))
}

/// Whether the picture has so few colours that it can't be a photo.
pub(crate) fn few_colours(picture: &Picture) -> bool {
    colours_up_to(&picture.rgb, FEW_COLOURS + 1) <= FEW_COLOURS
}

fn colours_up_to(rgb: &[u8], most: usize) -> usize {
    let mut seen = BTreeSet::new();
    for pixel in rgb.chunks_exact(3) {
        seen.insert(pixel);
        if seen.len() >= most {
            break;
        }
    }
    seen.len()
}
