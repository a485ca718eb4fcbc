//! JPEG by `zune-jpeg`: pure Rust, vectorised, fuzzed.

use image::metadata::Orientation;
use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{Format, Header, Limits, Picture, PictureError, plain};

type Decoder<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<Picture, PictureError> {
    let mut decoder = open(bytes, limits)?;
    let orientation = orientation(&decoder);
    let (width, height) = size(&decoder)?;
    // the decoder fills what is missing with grey and calls it a success: a half picture would become a sample
    if !has_end(bytes) {
        return Err(PictureError::Truncated { format: Format::Jpeg });
    }
    let rgb = decoder.decode().map_err(explain)?;
    if rgb.len() != width as usize * height as usize * 3 {
        return Err(PictureError::Unsupported { format: "two-component JPEG".to_owned() });
    }
    Ok(plain::upright(Picture { width, height, rgb }, orientation))
}

pub(super) fn header(bytes: &[u8], limits: Limits) -> Result<Header, PictureError> {
    let decoder = open(bytes, limits)?;
    let (width, height) = plain::upright_size(size(&decoder)?, orientation(&decoder));
    let mode = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => "L",
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => "CMYK",
        _ => "RGB",
    };
    Ok(Header { format: Format::Jpeg, width, height, mode })
}

fn open(bytes: &[u8], limits: Limits) -> Result<Decoder<'_>, PictureError> {
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(explain)?;
    let (width, height) = size(&decoder)?;
    limits.check_size(width, height)?;
    Ok(decoder)
}

fn size(decoder: &Decoder<'_>) -> Result<(u32, u32), PictureError> {
    let info = decoder.info().ok_or(PictureError::Truncated { format: Format::Jpeg })?;
    Ok((u32::from(info.width), u32::from(info.height)))
}

fn orientation(decoder: &Decoder<'_>) -> Orientation {
    decoder.exif().and_then(|chunk| Orientation::from_exif_chunk(chunk)).unwrap_or(Orientation::NoTransforms)
}

/// Whether an end-of-image marker follows the first scan header. In entropy-coded data `FF` is always followed by
/// `00` or a restart marker, so `FF D9` there is the end; before the scan it may belong to a thumbnail.
fn has_end(bytes: &[u8]) -> bool {
    let scans = first_scan(bytes).and_then(|at| bytes.get(at..)).unwrap_or_default();
    scans.windows(2).rev().any(|pair| pair == [0xFF, 0xD9])
}

/// Where the first start-of-scan segment begins. ITU-T T.81, B.1.1: a segment is its marker, then its length.
fn first_scan(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)?) {
            (0xFF, 0xDA) => return Some(at),
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

fn explain(error: DecodeErrors) -> PictureError {
    let format = Format::Jpeg;
    match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => PictureError::Truncated { format },
        DecodeErrors::ZeroError => PictureError::NoPixels { width: 0, height: 0 },
        DecodeErrors::Unsupported(scheme) => {
            PictureError::Unsupported { format: format!("JPEG ({scheme:?})") }
        }
        other => PictureError::Corrupt { format, reason: one_line(&other.to_string()) },
    }
}

/// The decoder's own words, made to fit into a sentence.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches(['"', '.']).to_owned()
}
