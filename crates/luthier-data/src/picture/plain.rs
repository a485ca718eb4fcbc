//! Every format but JPEG, by the `image` crate.

use std::io::{Cursor, ErrorKind};

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage,
    metadata::Orientation,
};

use super::{Format, Header, Limits, Picture, PictureError};

pub(super) fn decode(format: Format, bytes: &[u8], limits: Limits) -> Result<Picture, PictureError> {
    let mut decoder = open(format, bytes, limits)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let stored = DynamicImage::from_decoder(decoder).map_err(|e| explain(format, &e))?;
    let (width, height) = (stored.width(), stored.height());
    let rgb = to_rgb(stored)
        .ok_or_else(|| PictureError::Unsupported { format: format!("floating-point {format}") })?;
    Ok(upright(Picture { width, height, rgb }, orientation))
}

pub(super) fn header(format: Format, bytes: &[u8], limits: Limits) -> Result<Header, PictureError> {
    let mut decoder = open(format, bytes, limits)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = upright_size(decoder.dimensions(), orientation);
    let mode = match decoder.original_color_type() {
        _ if format == Format::Gif => "P",
        ExtendedColorType::L1 => "1",
        ExtendedColorType::L2 | ExtendedColorType::L4 | ExtendedColorType::L8 => "L",
        ExtendedColorType::La8 => "LA",
        ExtendedColorType::L16 => "I;16",
        ExtendedColorType::Rgb16 => "RGB;16",
        ExtendedColorType::Rgba16 => "RGBA;16",
        ExtendedColorType::Rgba8 | ExtendedColorType::Bgra8 => "RGBA",
        ExtendedColorType::Unknown(_) => "P",
        _ => "RGB",
    };
    Ok(Header { format, width, height, mode })
}

fn open<'a>(
    format: Format,
    bytes: &'a [u8],
    limits: Limits,
) -> Result<impl ImageDecoder + use<'a>, PictureError> {
    let named = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        Format::Pnm => ImageFormat::Pnm,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), named);
    // 16-bit RGBA, twice for working space: what a picture within the limit can need
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some((limits.max_megapixels.max(0.0) * 16e6) as u64 + (16 << 20));
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(|e| explain(format, &e))?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    Ok(decoder)
}

/// Alpha is dropped, never blended, and of 16 bits the upper eight are kept, as Pillow does.
fn to_rgb(stored: DynamicImage) -> Option<Vec<u8>> {
    let grey = |value: u8| [value; 3];
    Some(match stored {
        DynamicImage::ImageRgb8(picture) => picture.into_raw(),
        DynamicImage::ImageRgba8(p) => p.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect(),
        DynamicImage::ImageLuma8(p) => p.pixels().flat_map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().flat_map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageLuma16(p) => p.pixels().flat_map(|p| grey(upper(p.0[0]))).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().flat_map(|p| grey(upper(p.0[0]))).collect(),
        DynamicImage::ImageRgb16(p) => p.pixels().flat_map(|p| p.0.map(upper)).collect(),
        DynamicImage::ImageRgba16(p) => {
            p.pixels().flat_map(|p| [upper(p.0[0]), upper(p.0[1]), upper(p.0[2])]).collect()
        }
        _ => return None,
    })
}

fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

/// Turns a picture the way its EXIF orientation says it was held.
pub(super) fn upright(picture: Picture, orientation: Orientation) -> Picture {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let Picture { width, height, rgb } = picture;
    let Some(stored) = RgbImage::from_raw(width, height, rgb) else { return Picture::black(width, height) };
    let mut turned = DynamicImage::ImageRgb8(stored);
    turned.apply_orientation(orientation);
    Picture { width: turned.width(), height: turned.height(), rgb: turned.into_rgb8().into_raw() }
}

pub(super) fn upright_size((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    }
}

fn explain(format: Format, error: &ImageError) -> PictureError {
    if runs_out(error) {
        return PictureError::Truncated { format };
    }
    let reason = match error {
        ImageError::Decoding(e) => {
            std::error::Error::source(e).map_or_else(|| e.to_string(), |source| source.to_string())
        }
        other => other.to_string(),
    };
    PictureError::Corrupt { format, reason: reason.trim_end_matches('.').to_owned() }
}

/// Whether any cause in the chain is an end of data. The GIF decoder has its own error for it, known by its words.
fn runs_out(error: &ImageError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = cause {
        let io = this.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::UnexpectedEof);
        if io || this.to_string().eq_ignore_ascii_case("unexpected end of file") {
            return true;
        }
        cause = this.source();
    }
    false
}
