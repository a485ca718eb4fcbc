use std::{
    fs::File,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use image::ImageFormat;

use super::{CropBox, Format, Header, Limits, McuIndex, Part, Picture, PictureError, jpeg, plain};

/// Enough for the header of nearly every picture; a JPEG with a large thumbnail or profile in front needs more.
const HEADER_BYTES: u64 = 64 << 10;

/// Decodes a picture held in memory.
///
/// # Errors
/// When the bytes are no picture, more pixels than `limits` allows, truncated or corrupt. No bytes make it panic.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Picture, PictureError> {
    let format = sniff(bytes)?;
    guard(format, || match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        other => plain::decode(other, bytes, limits),
    })
}

/// Reads and decodes a picture file.
///
/// # Errors
/// As [`decode`], and when the file can't be read.
pub fn decode_file(path: &Path, limits: Limits) -> Result<Picture, PictureError> {
    decode(&read_file(path, limits)?, limits)
}

/// Decodes at least the box that `wanted` chooses inside a picture of a width and height, or the whole picture. The
/// pixels are those that [`decode`] gives, but where only a part is decoded the rest may be broken without an error.
/// An `index` of the same bytes makes it faster and changes nothing; one of others is not used.
///
/// # Errors
/// As [`decode`].
pub fn decode_part(
    bytes: Vec<u8>,
    limits: Limits,
    index: Option<&McuIndex>,
    wanted: impl Fn((u32, u32)) -> Option<CropBox>,
) -> Result<Part, PictureError> {
    let format = sniff(&bytes)?;
    guard(format, || match format {
        Format::Jpeg => jpeg::decode_part(bytes, limits, index, wanted),
        other => Ok(plain::decode(other, &bytes, limits)?.into()),
    })
}

/// Reads through a picture so that parts of it can be decoded faster afterwards. None where that can't be.
pub fn index(bytes: &[u8], limits: Limits) -> Option<McuIndex> {
    // a picture without an index is decoded all the same, and says then what is wrong with it
    let format = sniff(bytes).ok().filter(|format| *format == Format::Jpeg)?;
    guard(format, || Ok(jpeg::index(bytes, limits))).ok()?
}

/// What the header says, without decoding pixels. `bytes` may be only the beginning of a file.
///
/// # Errors
/// When the bytes are no picture, their header is broken, or claims more pixels than `limits` allows.
pub fn header(bytes: &[u8], limits: Limits) -> Result<Header, PictureError> {
    let format = sniff(bytes)?;
    guard(format, || match format {
        Format::Jpeg => jpeg::header(bytes, limits),
        other => plain::header(other, bytes, limits),
    })
}

/// What the header of a file says, reading as little of it as possible.
///
/// # Errors
/// As [`header`], and when the file can't be read.
pub fn header_file(path: &Path, limits: Limits) -> Result<Header, PictureError> {
    let (mut file, length) = open_file(path, limits)?;
    let mut bytes = Vec::new();
    read_up_to(&mut file, HEADER_BYTES, &mut bytes)?;
    let first = header(&bytes, limits);
    let more_may_help = matches!(first, Err(PictureError::Truncated { .. } | PictureError::Corrupt { .. }));
    if !more_may_help || length <= HEADER_BYTES {
        return first;
    }
    read_up_to(&mut file, limits.max_file_bytes(), &mut bytes)?;
    header(&bytes, limits)
}

/// The bytes of a file that is no longer than any picture within the limit.
pub(crate) fn read_file(path: &Path, limits: Limits) -> Result<Vec<u8>, PictureError> {
    let (mut file, length) = open_file(path, limits)?;
    let mut bytes = Vec::with_capacity(length as usize + 1);
    read_up_to(&mut file, limits.max_file_bytes(), &mut bytes)?;
    Ok(bytes)
}

fn open_file(path: &Path, limits: Limits) -> Result<(File, u64), PictureError> {
    // looked at before it is opened: opening a pipe waits for a writer
    let meta = std::fs::metadata(path).map_err(|e| PictureError::Read(e.to_string()))?;
    if !meta.is_file() {
        return Err(PictureError::NotAFile);
    }
    if meta.len() > limits.max_file_bytes() {
        return Err(PictureError::TooManyBytes { bytes: meta.len(), max_megapixels: limits.max_megapixels });
    }
    let file = File::open(path).map_err(|e| PictureError::Read(e.to_string()))?;
    Ok((file, meta.len()))
}

fn read_up_to(file: &mut File, bytes: u64, into: &mut Vec<u8>) -> Result<(), PictureError> {
    file.take(bytes).read_to_end(into).map_err(|e| PictureError::Read(e.to_string()))?;
    Ok(())
}

/// The format by its magic bytes; the file's name is never asked.
fn sniff(bytes: &[u8]) -> Result<Format, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => Ok(Format::Jpeg),
        Ok(ImageFormat::Png) => Ok(Format::Png),
        Ok(ImageFormat::WebP) => Ok(Format::WebP),
        Ok(ImageFormat::Gif) => Ok(Format::Gif),
        Ok(ImageFormat::Bmp) => Ok(Format::Bmp),
        Ok(ImageFormat::Pnm) => Ok(Format::Pnm),
        Ok(other) => Err(PictureError::Unsupported { format: format!("{other:?}").to_uppercase() }),
        Err(_) => {
            let begins = bytes.iter().take(12).flat_map(|b| b.escape_ascii()).map(char::from).collect();
            Err(PictureError::NotAPicture { begins })
        }
    }
}

/// Turns a panic of a third-party decoder into an error: a last resort, since a picture from a stranger must never
/// stop a run. The decoders are fuzzed by their authors and none of our tests makes one panic.
fn guard<T>(format: Format, work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    // nothing outlives the closure but its result, so no half-changed state is seen afterwards
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(PictureError::Corrupt { format, reason: "the decoder gave up on it".to_owned() })
    })
}
