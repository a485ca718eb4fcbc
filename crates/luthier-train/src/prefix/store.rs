//! Rows of floats, in memory or in a file that is mapped into it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::TrainError;

/// Cache files together may take this much before the oldest are removed.
const MOST_BYTES: u64 = 32 << 30;

/// Floats that were written once and are read by slices.
pub(crate) enum Store {
    Memory(Vec<f32>),
    File(memmap2::Mmap),
}

impl Store {
    /// A slice of them.
    pub fn floats(&self, first: usize, count: usize) -> Result<&[f32], TrainError> {
        let all = match self {
            Store::Memory(floats) => floats.as_slice(),
            // a page is aligned for floats, and the length was checked: nothing is left over on either side
            Store::File(map) => bytemuck::cast_slice(map),
        };
        let end = first.checked_add(count);
        end.and_then(|end| all.get(first..end))
            .ok_or_else(|| TrainError::State("kept activations are shorter than planned".into()))
    }

    /// The file of an earlier run, if it is whole.
    pub fn open(path: &Path, floats: usize) -> Option<Store> {
        let file = File::open(path).ok()?;
        if file.metadata().ok()?.len() != floats as u64 * 4 {
            return None;
        }
        // its age is its last use
        let _ = file.set_modified(SystemTime::now());
        map(&file).ok()
    }
}

fn map(file: &File) -> std::io::Result<Store> {
    #[expect(
        unsafe_code,
        reason = "every mapping is: the file must not change meanwhile. It is written under another name and renamed, \
                  and removing it leaves a mapping as it was"
    )]
    let map = unsafe { memmap2::Mmap::map(file) }?;
    Ok(Store::File(map))
}

/// Where floats are written to, one after the other.
pub(crate) enum Sink {
    Memory(Vec<f32>),
    File { writer: BufWriter<File>, temporary: PathBuf, path: PathBuf },
}

impl Sink {
    pub fn memory(floats: usize) -> Sink {
        Sink::Memory(Vec::with_capacity(floats))
    }

    /// A file that gets its name when it is whole.
    pub fn file(path: &Path) -> Result<Sink, TrainError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&temporary);
        let file = file.map_err(|error| unwritten(&temporary, error))?;
        Ok(Sink::File { writer: BufWriter::with_capacity(1 << 20, file), temporary, path: path.into() })
    }

    pub fn push(&mut self, floats: &[f32]) -> Result<(), TrainError> {
        match self {
            Sink::Memory(all) => {
                all.extend_from_slice(floats);
                Ok(())
            }
            Sink::File { writer, temporary, .. } => {
                writer.write_all(bytemuck::cast_slice(floats)).map_err(|error| unwritten(temporary, error))
            }
        }
    }

    pub fn finish(self) -> Result<Store, TrainError> {
        match self {
            Sink::Memory(floats) => Ok(Store::Memory(floats)),
            Sink::File { writer, temporary, path } => {
                let whole = || {
                    let file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                    file.sync_all()?;
                    fs::rename(&temporary, &path)?;
                    map(&file)
                };
                let store = whole();
                if store.is_err() {
                    let _ = fs::remove_file(&temporary);
                }
                let store = store.map_err(|error| unwritten(&path, error))?;
                tidy(path.parent().unwrap_or(Path::new(".")));
                Ok(store)
            }
        }
    }
}

/// Removes the files that were not used for longest, until the rest fits.
fn tidy(folder: &Path) {
    let found = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| {
        let about = entry.as_ref().ok()?.metadata().ok()?;
        about.is_file().then_some((about.modified().ok()?, about.len(), entry.ok()?.path()))
    });
    let mut files: Vec<(SystemTime, u64, PathBuf)> = found.collect();
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.0));
    let mut sum = 0u64;
    for (_, bytes, path) in files {
        sum = sum.saturating_add(bytes);
        if sum > MOST_BYTES {
            let _ = fs::remove_file(path);
        }
    }
}

fn unwritten(path: &Path, source: std::io::Error) -> TrainError {
    let help =
        "free some space, set `XDG_CACHE_HOME`, or switch it off with `train.prefix_cache.enabled = false`";
    TrainError::File { path: path.into(), verb: "written", source, help }
}

/// The user's cache folder for kept activations.
pub(crate) fn folder() -> PathBuf {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or(home).unwrap_or_else(std::env::temp_dir).join("luthier").join("prefix")
}
