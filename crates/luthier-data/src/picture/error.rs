use miette::Diagnostic;
use thiserror::Error;

/// Why a picture can't be had from a file. The file is named by whoever knows its path.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum PictureError {
    /// The file can't be read
    #[error("can't be read: {0}")]
    #[diagnostic(help("check that the file exists and that you may read it"))]
    Read(String),
    /// It is a folder, a pipe or a device
    #[error("is not a regular file")]
    NotAFile,
    /// Zero bytes
    #[error("is empty (0 bytes)")]
    #[diagnostic(help("the download or copy was probably cut off; fetch it again or delete it"))]
    Empty,
    /// No known magic bytes
    #[error("is not a picture: it begins with `{begins}`")]
    #[diagnostic(help(
        "JPEG, PNG, WebP, GIF, BMP and PNM are read; leave other files out with `data.exclude`"
    ))]
    NotAPicture {
        /// The first bytes, printable
        begins: String,
    },
    /// A known format that is not decoded
    #[error("is a {format} picture, which can't be read")]
    #[diagnostic(help("convert it to PNG or JPEG; JPEG, PNG, WebP, GIF, BMP and PNM are read"))]
    Unsupported {
        /// Its format
        format: String,
    },
    /// More pixels than allowed, said by the header
    #[error("is too large: {width} × {height} pixels are more than `max_megapixels` = {max_megapixels}")]
    #[diagnostic(help("if the picture is meant to be that large, raise `data.max_megapixels`"))]
    TooManyPixels {
        /// Width the header claims
        width: u32,
        /// Height the header claims
        height: u32,
        /// The limit
        max_megapixels: f64,
    },
    /// More bytes than any picture within the limit needs
    #[error("is too large: {bytes} bytes hold more than `max_megapixels` = {max_megapixels}")]
    #[diagnostic(help("if the picture is meant to be that large, raise `data.max_megapixels`"))]
    TooManyBytes {
        /// Length of the file
        bytes: u64,
        /// The limit
        max_megapixels: f64,
    },
    /// A side of zero pixels
    #[error("has no pixels: its header says {width} × {height}")]
    NoPixels {
        /// Width the header claims
        width: u32,
        /// Height the header claims
        height: u32,
    },
    /// The data stops before the picture does
    #[error("is truncated: the {format} data ends before the picture does")]
    #[diagnostic(help("the download or copy was probably cut off; fetch it again or delete it"))]
    Truncated {
        /// Its format
        format: super::Format,
    },
    /// Data that makes no sense
    #[error("is corrupt: {format}: {reason}")]
    Corrupt {
        /// Its format
        format: super::Format,
        /// What the decoder says
        reason: String,
    },
}
