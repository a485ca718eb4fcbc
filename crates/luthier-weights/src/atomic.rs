//! Saving a file whole or not at all.

use crate::error::WeightsError;
use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Write},
    path::Path,
};

/// Writes the file at `path` with `fill`: into a temporary file beside it, brought to the disk, and renamed
/// only then. Killed or failing at any moment, `path` is what it was before or what it is to be; what was
/// mapped of the file before stays as it was.
///
/// # Errors
/// [`WeightsError::Write`]: no such folder, no permission, no space left, or what `fill` says.
pub fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WeightsError> {
    whole(path, fill).map_err(|error| explain(path, error))
}

fn whole(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the path names no file"));
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    // as readable as any new file of the user's, where a temporary file would be private
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder)?;

    let mut buffer = BufWriter::with_capacity(1 << 20, temporary.as_file());
    fill(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    // the name lives in the folder: without this a power cut may undo the renaming
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn explain(path: &Path, source: io::Error) -> WeightsError {
    let parent = path.parent().unwrap_or(Path::new("")).display();
    let (why, help) = match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            "the disk is full".to_owned(),
            "free some space or save elsewhere; nothing half-written was left".to_owned(),
        ),
        ErrorKind::FileTooLarge => (
            "files may not become this large here".to_owned(),
            "raise the limit (`ulimit -f`) or save elsewhere; nothing half-written was left".to_owned(),
        ),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => (
            "there is no permission to".to_owned(),
            format!("make the folder `{parent}` writable, or save elsewhere"),
        ),
        ErrorKind::NotFound => {
            (format!("there is no folder `{parent}`"), "create it, or save elsewhere".to_owned())
        }
        ErrorKind::NotADirectory => {
            (format!("`{parent}` is a file, not a folder"), "save elsewhere".to_owned())
        }
        ErrorKind::IsADirectory => {
            ("there is a folder of that name".to_owned(), "choose another name".to_owned())
        }
        ErrorKind::InvalidInput => (source.to_string(), "choose another name".to_owned()),
        _ => (
            source.to_string(),
            "check the disk, or save elsewhere; nothing half-written was left".to_owned(),
        ),
    };
    WeightsError::Write { path: path.to_owned(), why, help, source: Some(source) }
}
