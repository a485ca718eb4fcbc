//! JPEG by `libjpeg-turbo-rs`: the arithmetic of the C library that Pillow reads with, to the bit, in Rust. Four inks
//! are left to [`inks`].

mod bits;
mod excerpt;
mod index;
mod skip;

use image::metadata::Orientation;
use libjpeg_turbo_rs::{ComponentInfo, DecodeLimits, Decoder, FrameHeader, JpegError, PixelFormat};

pub use index::McuIndex;

use super::{CropBox, Format, Header, Limits, Part, Picture, PictureError, inks, plain};

/// Cyan, magenta, yellow, black
const INKS: usize = 4;

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Picture, PictureError> {
    let mut decoder = open(bytes, limits)?;
    must_end(bytes)?;
    let stored = if has_inks(&decoder) { inks::decode(bytes)? } else { pixels(&mut decoder)? };
    Ok(plain::upright(stored, orientation(&decoder)))
}

/// Reads through a picture for [`decode_part`]. None where that would not spare anything.
pub(super) fn index(bytes: &[u8], limits: Limits) -> Option<McuIndex> {
    let decoder = open(bytes, limits).ok()?;
    must_end(bytes).ok()?;
    is_simple(&decoder).then(|| McuIndex::new(bytes, &decoder))?
}

/// Decodes what `wanted` chooses of a picture of a width and height, and little more. With an index nothing else is
/// read; without, the lines below are not read at all, and the lines above are read but not transformed.
pub(super) fn decode_part(
    mut bytes: Vec<u8>,
    limits: Limits,
    index: Option<&McuIndex>,
    wanted: impl Fn((u32, u32)) -> Option<CropBox>,
) -> Result<Part, PictureError> {
    if let Some(part) = index.and_then(|index| indexed(&bytes, limits, index, &wanted)) {
        return part;
    }
    let decoder = open(&bytes, limits)?;
    let whole = size(&decoder);
    let Some(wanted) = wanted(whole).filter(|_| is_simple(&decoder)) else {
        return Ok(decode(&bytes, limits)?.into());
    };
    must_end(&bytes)?;
    let area = with_neighbours(wanted, whole, reach(decoder.header()));
    // a picture whose header claims fewer lines is the upper part of that picture
    claim_lines(&mut bytes, area.top + area.height);
    let mut decoder = open(&bytes, limits)?;
    let [left, top, width, height] = [area.left, area.top, area.width, area.height].map(|n| n as usize);
    decoder.set_crop_region(left, top, width, height);
    let picture = pixels(&mut decoder)?;
    // the decoder begins at a block: it may give a few columns more than it was asked for
    let left = area.left + area.width - picture.width;
    Ok(Part { picture, left, top: area.top, whole })
}

/// Decodes no more than the pieces that hold what is wanted. None where the index is of no use.
fn indexed(
    bytes: &[u8],
    limits: Limits,
    index: &McuIndex,
    wanted: impl Fn((u32, u32)) -> Option<CropBox>,
) -> Option<Result<Part, PictureError>> {
    let whole = index.size;
    let area = with_neighbours(wanted(whole)?, whole, index.reach);
    let (jpeg, place) = index.is_of(bytes).then(|| excerpt::excerpt(bytes, index, area))??;
    let picture = open(&jpeg, limits).and_then(|mut decoder| pixels(&mut decoder));
    Some(picture.map(|picture| Part { picture, left: place.left, top: place.top, whole }))
}

/// Whether a part can be decoded alone: not where the picture is turned afterwards, and not where it is rare.
fn is_simple(decoder: &Decoder<'_>) -> bool {
    orientation(decoder) == Orientation::NoTransforms && is_common(decoder)
}

/// Whether the data is one pass over lines of 8-bit grey or colour.
fn is_common(decoder: &Decoder<'_>) -> bool {
    let frame = decoder.header();
    let one_pass = !frame.is_progressive && !decoder.has_multiple_scans();
    one_pass && !frame.is_lossless && frame.precision == 8 && !has_inks(decoder)
}

/// How far the neighbours of a pixel are that decide it, too. Where colours are stored at a lower resolution than
/// brightness, they are interpolated.
fn reach(frame: &FrameHeader) -> u32 {
    let sampling = |c: &ComponentInfo| (c.horizontal_sampling, c.vertical_sampling);
    let interpolated = frame.components.windows(2).any(|pair| sampling(&pair[0]) != sampling(&pair[1]));
    if interpolated { 8 } else { 0 }
}

/// A box and what decides its pixels.
fn with_neighbours(part: CropBox, (width, height): (u32, u32), reach: u32) -> CropBox {
    let (left, top) = (part.left.saturating_sub(reach), part.top.saturating_sub(reach));
    let right = (part.left + part.width + reach).min(width);
    let bottom = (part.top + part.height + reach).min(height);
    CropBox { left, top, width: right - left, height: bottom - top }
}

/// Writes a number of lines into the frame header. ITU-T T.81, B.2.2: length, precision, lines, samples per line.
fn claim_lines(bytes: &mut [u8], lines: u32) {
    let frame = segment(bytes, |marker| matches!(marker, 0xC0 | 0xC1));
    if let Some(place) = frame.and_then(|at| bytes.get_mut(at + 5..at + 7)) {
        place.copy_from_slice(&(lines as u16).to_be_bytes());
    }
}

pub(super) fn header(bytes: &[u8], limits: Limits) -> Result<Header, PictureError> {
    let decoder = open(bytes, limits)?;
    let (width, height) = plain::upright_size(size(&decoder), orientation(&decoder));
    let mode = match decoder.header().components.len() {
        1 => "L",
        INKS => "CMYK",
        _ => "RGB",
    };
    Ok(Header { format: Format::Jpeg, width, height, mode })
}

fn open(bytes: &[u8], limits: Limits) -> Result<Decoder<'_>, PictureError> {
    let side = usize::from(u16::MAX);
    let allowed = DecodeLimits { max_width: side, max_height: side, ..DecodeLimits::default() };
    let decoder = Decoder::new_with_limits(bytes, allowed).map_err(explain)?;
    let (width, height) = size(&decoder);
    limits.check_size(width, height)?;
    Ok(decoder)
}

fn size(decoder: &Decoder<'_>) -> (u32, u32) {
    let frame = decoder.header();
    (u32::from(frame.width), u32::from(frame.height))
}

fn pixels(decoder: &mut Decoder<'_>) -> Result<Picture, PictureError> {
    let components = decoder.header().components.len();
    if !matches!(components, 1 | 3) {
        return Err(PictureError::Unsupported { format: format!("{components}-component JPEG") });
    }
    decoder.set_output_format(PixelFormat::Rgb);
    let image = decoder.decode_image().map_err(explain)?;
    Ok(Picture { width: image.width as u32, height: image.height as u32, rgb: image.data })
}

fn has_inks(decoder: &Decoder<'_>) -> bool {
    decoder.header().components.len() == INKS
}

fn orientation(decoder: &Decoder<'_>) -> Orientation {
    decoder.exif_data().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

/// Refuses a file without an end-of-image marker after the first scan header: some cut files decode without complaint,
/// and a half picture would become a sample. In entropy-coded data `FF` is always followed by `00` or a restart marker,
/// so `FF D9` there is the end; before the scan it may belong to a thumbnail.
fn must_end(bytes: &[u8]) -> Result<(), PictureError> {
    let scans = segment(bytes, |marker| marker == 0xDA).and_then(|at| bytes.get(at..)).unwrap_or_default();
    if scans.windows(2).rev().any(|pair| pair == [0xFF, 0xD9]) {
        Ok(())
    } else {
        Err(PictureError::Truncated { format: Format::Jpeg })
    }
}

/// Where the first segment of a kind begins, no further than the first scan. ITU-T T.81, B.1.1: a segment is its
/// marker, then its length.
fn segment(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 2;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)?) {
            (0xFF, marker) if wanted(*marker) => return Some(at),
            (0xFF, 0xDA) => return None,
            // fill bytes, and markers without a length
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
                at += 2 + usize::from(length);
            }
            // stray bytes between segments, which decoders step over
            _ => at += 1,
        }
    }
}

fn explain(error: JpegError) -> PictureError {
    let format = Format::Jpeg;
    match error {
        JpegError::UnexpectedEof | JpegError::Io(_) => PictureError::Truncated { format },
        JpegError::Unsupported(what) => PictureError::Unsupported { format: format!("JPEG ({what})") },
        JpegError::CorruptData(reason) => PictureError::Corrupt { format, reason },
        other => PictureError::Corrupt { format, reason: other.to_string() },
    }
}
