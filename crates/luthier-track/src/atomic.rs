use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::TrackError;

/// Writes a whole file so that a reader, now or after a power cut, sees the old content or the new one, and never
/// a part: a temporary file in the same folder, synced, renamed over the old one, then the folder synced.
///
/// # Errors
/// Any refusal of the operating system; the old file is then untouched and the temporary one gone.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrackError> {
    write_atomic_with(path, |file| file.write_all(bytes))
}

/// As [`write_atomic`], of what `write` writes piece by piece.
pub(crate) fn write_atomic_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> Result<(), TrackError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source| TrackError::io("write", path, source);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    // a temporary file is private by default; a run directory is as open as the user's umask allows
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    let mut buffered = BufWriter::new(file.as_file_mut());
    write(&mut buffered).and_then(|()| buffered.flush()).map_err(failed)?;
    drop(buffered);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    sync_folder(folder)
}

/// Makes a new name in a folder survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), TrackError> {
    // only Unix lets a folder be opened and synced; elsewhere the rename is journalled by the file system
    if cfg!(unix) {
        let failed = |source| TrackError::io("write", folder, source);
        File::open(folder).map_err(failed)?.sync_all().map_err(failed)?;
    }
    Ok(())
}
