//! Pictures of every kind decode to what Pillow decodes them to; everything else is a clear error.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use std::path::{Path, PathBuf};

use libjpeg_turbo_rs::{Encoder, PixelFormat, Subsampling};
use luthier_data::picture::{self, CropBox, Format, Limits, Part, Picture, PictureError};
use proptest::prelude::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pictures")
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

fn decode(name: &str) -> Result<Picture, PictureError> {
    picture::decode_file(&fixtures().join(name), Limits::default())
}

#[derive(serde::Deserialize)]
struct Expected {
    file: String,
    mode: String,
    width: u32,
    height: u32,
}

fn expected() -> Vec<Expected> {
    serde_json::from_slice(&bytes("expected.json")).unwrap()
}

/// Mean and largest absolute difference, in levels of 255.
fn difference(ours: &Picture, theirs: &Picture) -> (f64, u8) {
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height));
    let diffs: Vec<u8> = ours.rgb.iter().zip(&theirs.rgb).map(|(a, b)| a.abs_diff(*b)).collect();
    let mean = diffs.iter().map(|d| f64::from(*d)).sum::<f64>() / diffs.len() as f64;
    (mean, diffs.into_iter().max().unwrap_or(0))
}

#[test]
fn every_format_decodes_as_pillow_decodes_it() {
    for row in expected() {
        let ours = decode(&row.file).unwrap_or_else(|e| panic!("{}: {e}", row.file));
        let theirs = decode(&format!("rgb/{}.png", row.file)).unwrap();
        let (mean, max) = difference(&ours, &theirs);
        // the decoder for inks rounds the inverse cosine transform and the interpolation of colours in its own way
        let inks = row.mode == "CMYK";
        assert!(if inks { mean < 1.0 && max < 6 } else { max == 0 }, "{}: mean {mean}, max {max}", row.file);
    }
}

#[test]
fn headers_say_size_and_mode_before_a_pixel_is_decoded() {
    for row in expected() {
        let header = picture::header_file(&fixtures().join(&row.file), Limits::default()).unwrap();
        assert_eq!((header.width, header.height), (row.width, row.height), "{}", row.file);
        if header.format == Format::Jpeg {
            assert_eq!(header.mode, row.mode, "{}", row.file);
        }
    }
}

#[test]
fn a_header_behind_a_large_thumbnail_is_found() {
    let plain = bytes("baseline-420.jpg");
    let mut padded = plain[..2].to_vec();
    for _ in 0..3 {
        padded.extend([0xFF, 0xED, 0xFF, 0xFF]);
        padded.extend(vec![7; 0xFFFF - 2]);
    }
    padded.extend(&plain[2..]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("padded.jpg");
    std::fs::write(&path, padded).unwrap();
    assert_eq!(picture::header_file(&path, Limits::default()).unwrap().width, 61);
    assert_eq!(picture::decode_file(&path, Limits::default()).unwrap(), decode("baseline-420.jpg").unwrap());
}

#[test]
fn bytes_that_are_no_picture_are_named_as_what_they_are() {
    let limits = Limits::default();
    let say = |bytes: &[u8]| picture::decode(bytes, limits).unwrap_err().to_string();
    assert_eq!(say(b""), "is empty (0 bytes)");
    assert_eq!(say(b"<!DOCTYPE html>"), "is not a picture: it begins with `<!DOCTYPE ht`");
    assert_eq!(say(b"II*\0rest of a TIFF"), "is a TIFF picture, which can't be read");
    let missing = picture::decode_file(Path::new("nowhere/at/all.png"), limits).unwrap_err();
    assert!(matches!(missing, PictureError::Read(_)), "{missing:?}");
    let folder = picture::decode_file(&fixtures(), limits).unwrap_err();
    assert_eq!(folder, PictureError::NotAFile);
}

#[test]
fn a_picture_cut_short_is_an_error_and_never_half_a_picture() {
    for row in expected() {
        let whole = bytes(&row.file);
        for keep in [whole.len() / 3, whole.len() / 2, whole.len() * 9 / 10] {
            // the first frame is the picture, and it may be whole
            if row.file.starts_with("animated") && keep > whole.len() / 3 {
                continue;
            }
            let result = picture::decode(&whole[..keep], Limits::default());
            assert!(result.is_err(), "{} cut to {keep} of {} bytes decoded", row.file, whole.len());
        }
    }
    let jpeg = bytes("baseline-420.jpg");
    let cut = picture::decode(&jpeg[..jpeg.len() - 2], Limits::default()).unwrap_err();
    assert_eq!(cut, PictureError::Truncated { format: Format::Jpeg });
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    // a JPEG frame header is at most 65,535 a side; the other formats reach 2^31
    let mut jpeg = bytes("baseline-420.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
    let mut png = bytes("rgb.png");
    png[16..24].copy_from_slice(&[0x00, 0x01, 0, 0, 0x00, 0x01, 0, 0]);
    // the checksum of the changed header
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut gif = bytes("still.gif");
    gif[6..10].copy_from_slice(&[0xFF; 4]);
    let mut bmp = bytes("rgb.bmp");
    bmp[18..26].copy_from_slice(&[0x00, 0xF0, 0, 0, 0x00, 0xF0, 0, 0]);
    for (name, bomb) in [("jpeg", jpeg), ("png", png), ("gif", gif), ("bmp", bmp)] {
        let error = picture::decode(&bomb, Limits::default()).unwrap_err();
        assert!(matches!(error, PictureError::TooManyPixels { .. }), "{name}: {error:?}");
        assert_eq!(picture::header(&bomb, Limits::default()).unwrap_err(), error, "{name}");
    }
    let small = Limits { max_megapixels: 0.002 };
    assert_eq!(
        picture::decode(&bytes("rgb.png"), small).unwrap_err().to_string(),
        "is too large: 61 × 43 pixels are more than `max_megapixels` = 0.002"
    );
}

/// A box in a picture of a width and height, from four numbers.
fn box_in((width, height): (u32, u32), at: [prop::sample::Index; 4]) -> CropBox {
    let [left, top] = [at[0].index(width as usize) as u32, at[1].index(height as usize) as u32];
    CropBox {
        left,
        top,
        width: 1 + at[2].index((width - left) as usize) as u32,
        height: 1 + at[3].index((height - top) as usize) as u32,
    }
}

/// The first pixel of a box where a part is not what the whole is, or lies outside the part.
fn first_difference(whole: &Picture, part: &Part, inside: CropBox) -> Option<(u32, u32)> {
    let at = |picture: &Picture, x: u32, y: u32| {
        let start = (y as usize * picture.width as usize + x as usize) * 3;
        (x < picture.width && y < picture.height).then(|| picture.rgb[start..start + 3].to_vec())
    };
    let columns = inside.left..inside.left + inside.width;
    let mut places =
        (inside.top..inside.top + inside.height).flat_map(|y| columns.clone().map(move |x| (x, y)));
    places.find(|(x, y)| {
        let moved = x.checked_sub(part.left).zip(y.checked_sub(part.top));
        moved.and_then(|(x, y)| at(&part.picture, x, y)) != at(whole, *x, *y)
    })
}

#[test]
fn only_what_is_wanted_of_a_jpeg_is_decoded() {
    let wanted = CropBox { left: 40, top: 10, width: 9, height: 8 };
    let part =
        picture::decode_part(bytes("baseline-444.jpg"), Limits::default(), None, |_| Some(wanted)).unwrap();
    assert_eq!((part.left, part.top, part.whole), (40, 10, (61, 43)));
    assert_eq!((part.picture.width, part.picture.height), (9, 8));
    // the lines below are not even read
    let mut broken = bytes("baseline-444.jpg");
    let tail = broken.len() - 40;
    broken[tail..tail + 30].fill(0xFE);
    assert!(picture::decode(&broken, Limits::default()).is_err());
    assert_eq!(picture::decode_part(broken, Limits::default(), None, |_| Some(wanted)).unwrap(), part);
    // nor is a picture without its end taken for one
    let mut cut = bytes("baseline-444.jpg");
    cut.truncate(cut.len() - 2);
    let error = picture::decode_part(cut, Limits::default(), None, |_| Some(wanted)).unwrap_err();
    assert_eq!(error, PictureError::Truncated { format: Format::Jpeg });
}

/// A photo-like JPEG of 400 × 96 pixels.
fn waves() -> Vec<u8> {
    let wave = |x: usize, y: usize, c: usize| 128.0 + 90.0 * ((x * (c + 1) + y * y) as f32 / 37.0).sin();
    let places = (0..96).flat_map(|y| (0..400).map(move |x| (x, y)));
    let pixels: Vec<u8> = places.flat_map(|(x, y)| [0, 1, 2].map(|c| wave(x, y, c) as u8)).collect();
    let encoder = Encoder::new(&pixels, 400, 96, PixelFormat::Rgb).quality(95);
    encoder.subsampling(Subsampling::S444).encode().unwrap()
}

#[test]
fn with_an_index_only_the_pieces_that_hold_the_part_are_decoded() {
    let (jpeg, limits) = (waves(), Limits::default());
    let whole = picture::decode(&jpeg, limits).unwrap();
    let index = picture::index(&jpeg, limits).unwrap();
    let wanted = CropBox { left: 150, top: 37, width: 100, height: 30 };
    let part = picture::decode_part(jpeg, limits, Some(&index), |_| Some(wanted)).unwrap();
    // pieces are 64 wide and 8 high
    assert_eq!((part.left, part.top, part.whole), (128, 32, (400, 96)));
    assert_eq!((part.picture.width, part.picture.height), (128, 40));
    let pieces = CropBox { left: 128, top: 32, width: 128, height: 40 };
    assert_eq!(first_difference(&whole, &part, pieces), None);
}

#[test]
fn an_index_of_other_bytes_is_not_used() {
    let (jpeg, limits) = (waves(), Limits::default());
    let index = picture::index(&jpeg, limits).unwrap();
    let wanted = CropBox { left: 150, top: 37, width: 100, height: 30 };
    let mut other = jpeg.clone();
    let late = other.len() - 9;
    other[late] ^= 1;
    let with = picture::decode_part(other.clone(), limits, Some(&index), |_| Some(wanted)).unwrap();
    assert_eq!(with, picture::decode_part(other, limits, None, |_| Some(wanted)).unwrap());
    assert_ne!(with, picture::decode_part(jpeg, limits, Some(&index), |_| Some(wanted)).unwrap());
}

#[test]
fn there_is_no_index_of_what_is_broken_or_no_jpeg() {
    let limits = Limits::default();
    let mut cut = waves();
    cut.truncate(cut.len() / 2);
    cut.extend([0xFF, 0xD9]);
    assert!(picture::index(&cut, limits).is_none());
    assert!(picture::index(&bytes("rgb.png"), limits).is_none());
    assert!(picture::index(&waves(), Limits { max_megapixels: 0.01 }).is_none());
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is done to a file, decoding ends in a picture or an error, and a picture has all its pixels.
    #[test]
    fn no_bytes_make_it_panic(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        part in any::<[prop::sample::Index; 4]>(),
    ) {
        let rows = expected();
        let mut file = bytes(&which.get(&rows).file);
        for (at, value) in flips {
            let at = at.index(file.len());
            file[at] = value;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let limits = Limits { max_megapixels: 1.0 };
        if let Ok(picture) = picture::decode(&file, limits) {
            prop_assert_eq!(picture.rgb.len(), picture.width as usize * picture.height as usize * 3);
        }
        let _ = picture::header(&file, limits);
        let index = picture::index(&file, limits);
        for index in [None, index.as_ref()] {
            let part = picture::decode_part(file.clone(), limits, index, |size| Some(box_in(size, part)));
            // once it was read through, whether it is sound does not depend on the part
            prop_assert!(index.is_none() || part.is_ok() == picture::decode(&file, limits).is_ok());
            if let Ok(Part { picture: Picture { width, height, rgb }, .. }) = part {
                prop_assert_eq!(rgb.len(), width as usize * height as usize * 3);
            }
        }
    }

    /// A part of any fixture has the pixels of the whole.
    #[test]
    fn a_part_is_cut_from_the_whole(
        which in any::<prop::sample::Index>(),
        part in any::<[prop::sample::Index; 4]>(),
    ) {
        let rows = expected();
        let name = &which.get(&rows).file;
        let whole = decode(name).unwrap();
        let inside = box_in((whole.width, whole.height), part);
        let index = picture::index(&bytes(name), Limits::default());
        for index in [None, index.as_ref()] {
            let part = picture::decode_part(bytes(name), Limits::default(), index, |_| Some(inside)).unwrap();
            prop_assert_eq!(part.whole, (whole.width, whole.height));
            prop_assert_eq!(first_difference(&whole, &part, inside), None, "{} {:?}", name, inside);
        }
    }

    /// The same for JPEGs of every size, colour resolution and order of data.
    #[test]
    fn a_part_of_any_jpeg_is_cut_from_the_whole(
        (width, height) in prop_oneof![(1usize..90, 1usize..90), (1usize..400, 1usize..60)],
        (quality, optimized) in (1u8..=100, any::<bool>()),
        noise in any::<u32>(),
        subsampling in prop::sample::select(vec![
            Subsampling::S444, Subsampling::S422, Subsampling::S420,
            Subsampling::S440, Subsampling::S411, Subsampling::S441,
        ]),
        (grey, progressive, arithmetic, restart) in (any::<bool>(), any::<bool>(), any::<bool>(), 0u16..5),
        part in any::<[prop::sample::Index; 4]>(),
    ) {
        let mut state = noise;
        let pixels: Vec<u8> = (0..width * height * if grey { 1 } else { 3 })
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let format = if grey { PixelFormat::Grayscale } else { PixelFormat::Rgb };
        let jpeg = Encoder::new(&pixels, width, height, format)
            .quality(quality)
            .optimize_huffman(optimized)
            .subsampling(subsampling)
            .progressive(progressive)
            .arithmetic(arithmetic)
            .restart_blocks(restart)
            .encode()
            .unwrap();
        let whole = picture::decode(&jpeg, Limits::default()).unwrap();
        let inside = box_in((whole.width, whole.height), part);
        let index = picture::index(&jpeg, Limits::default());
        let one_pass = !progressive && !arithmetic && restart == 0;
        // a lone component that says it is sampled otherwise than 1 × 1 is left alone
        let usual = !grey || matches!(subsampling, Subsampling::S444);
        prop_assert_eq!(index.is_some(), one_pass && usual);
        for index in [None, index.as_ref()] {
            let part = picture::decode_part(jpeg.clone(), Limits::default(), index, |_| Some(inside)).unwrap();
            prop_assert_eq!(first_difference(&whole, &part, inside), None, "{:?}", inside);
        }
    }
}
