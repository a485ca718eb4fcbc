//! JPEG in four inks (CMYK, YCCK) by `zune-jpeg`: `libjpeg-turbo-rs` 0.9 fails where the inks differ in resolution, as
//! they do in files from image editors.

use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{Format, Picture, PictureError};

/// Decodes a file whose header and size were looked at before.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let rgb = decoder.decode().map_err(explain)?;
    let (width, height) = decoder.dimensions().ok_or_else(truncated)?;
    if rgb.len() != width * height * 3 {
        return Err(truncated());
    }
    Ok(Picture { width: width as u32, height: height as u32, rgb })
}

fn explain(error: DecodeErrors) -> PictureError {
    match error {
        DecodeErrors::ExhaustedData | DecodeErrors::IoErrors(_) => truncated(),
        DecodeErrors::Unsupported(scheme) => {
            PictureError::Unsupported { format: format!("JPEG ({scheme:?})") }
        }
        other => PictureError::Corrupt { format: Format::Jpeg, reason: one_line(&other.to_string()) },
    }
}

fn truncated() -> PictureError {
    PictureError::Truncated { format: Format::Jpeg }
}

/// The decoder's own words, made to fit into a sentence.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches(['"', '.']).to_owned()
}
