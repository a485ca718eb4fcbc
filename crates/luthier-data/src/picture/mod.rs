//! A decoded picture, and how files become one.
//!
//! The pixels are those of Pillow's `ImageOps.exif_transpose(Image.open(path)).convert("RGB")`, with one deliberate
//! difference: 16-bit grey is scaled to 8 bits, where Pillow clips everything above 255 to white.

mod decode;
mod error;
mod inks;
mod jpeg;
mod plain;

pub(crate) use decode::read_file;
pub use decode::{decode, decode_file, decode_part, header, header_file, index};
pub use error::PictureError;
pub use jpeg::McuIndex;

/// A picture as 8-bit RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels
    pub width: u32,
    /// Height in pixels
    pub height: u32,
    /// `height × width × 3` bytes, row by row, red first
    pub rgb: Vec<u8>,
}

impl Picture {
    /// A black picture.
    pub fn black(width: u32, height: u32) -> Picture {
        Picture { width, height, rgb: vec![0; width as usize * height as usize * 3] }
    }

    /// Bytes the pixels take.
    pub fn bytes(&self) -> usize {
        self.rgb.len()
    }
}

/// A box inside a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// First row
    pub top: u32,
    /// First column
    pub left: u32,
    /// Rows
    pub height: u32,
    /// Columns
    pub width: u32,
}

/// A picture without some of its columns and rows on each side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What is left
    pub picture: Picture,
    /// Columns that are left out before it
    pub left: u32,
    /// Rows that are left out before it
    pub top: u32,
    /// Width and height of the whole picture
    pub whole: (u32, u32),
}

impl From<Picture> for Part {
    fn from(picture: Picture) -> Part {
        let whole = (picture.width, picture.height);
        Part { picture, left: 0, top: 0, whole }
    }
}

/// What the first bytes of a file say about the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// How it is stored
    pub format: Format,
    /// Width in pixels, EXIF orientation applied
    pub width: u32,
    /// Height in pixels, EXIF orientation applied
    pub height: u32,
    /// How its colours are stored, as Pillow would say: `RGB`, `L`, `CMYK`, `P`, `RGBA`, `I;16` …
    pub mode: &'static str,
}

/// A storage format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Format {
    /// JPEG, baseline and progressive
    #[serde(rename = "JPEG")]
    Jpeg,
    /// PNG
    #[serde(rename = "PNG")]
    Png,
    /// WebP, lossy and lossless
    WebP,
    /// GIF; the first frame is the picture
    #[serde(rename = "GIF")]
    Gif,
    /// Windows bitmap
    #[serde(rename = "BMP")]
    Bmp,
    /// PBM, PGM, PPM
    #[serde(rename = "PNM")]
    Pnm,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
            Format::Pnm => "PNM",
        })
    }
}

/// What is refused before any pixel is decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The largest picture that is decoded, in millions of pixels
    pub max_megapixels: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_megapixels: 100.0 }
    }
}

impl Limits {
    fn check_size(self, width: u32, height: u32) -> Result<(), PictureError> {
        if width == 0 || height == 0 {
            return Err(PictureError::NoPixels { width, height });
        }
        if f64::from(width) * f64::from(height) > self.max_megapixels * 1e6 {
            return Err(PictureError::TooManyPixels { width, height, max_megapixels: self.max_megapixels });
        }
        Ok(())
    }

    /// The longest file worth reading: 16-bit RGBA stored raw, and 64 MiB of metadata.
    fn max_file_bytes(self) -> u64 {
        (self.max_megapixels.max(0.0) * 8e6) as u64 + (64 << 20)
    }
}
