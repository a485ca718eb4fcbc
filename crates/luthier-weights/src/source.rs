//! A file's bytes, mapped rather than copied.

use crate::error::WeightsError;
use bytes::Bytes;
use std::{fs::File, path::Path};

/// The bytes of the file at `path`.
///
/// # Errors
/// [`WeightsError::Missing`] and [`WeightsError::Io`].
pub(crate) fn open(path: &Path) -> Result<Bytes, WeightsError> {
    let failed = |source| WeightsError::io(path, source);
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    // a pipe or a device can neither be mapped nor measured
    if !about.is_file() {
        let what = "it is no regular file".to_owned();
        return Err(WeightsError::NotWeights { origin: path.display().to_string(), what });
    }
    if about.len() == 0 {
        return Ok(Bytes::new());
    }
    #[expect(
        unsafe_code,
        reason = "every mapping is: the file must not be shortened or rewritten in place meanwhile. Luthier \
                  itself only ever replaces whole files by renaming, which leaves a mapping as it was"
    )]
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(failed)?;
    Ok(Bytes::from_owner(map))
}
