use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::TrackError;

/// How long written bytes may stay in memory: what a crash can cost, and how far a watching reader lags.
const LAG: Duration = Duration::from_secs(1);

/// A file that only grows, knows its length, and can be cut back to an earlier length when a run is resumed.
#[derive(Debug)]
pub(crate) struct AppendFile {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    flushed: Instant,
}

impl AppendFile {
    /// Begins an empty file; one that is there is emptied.
    pub fn create(path: PathBuf) -> Result<Self, TrackError> {
        let file = File::create(&path).map_err(|source| TrackError::io("create", &path, source))?;
        Ok(AppendFile { path, file: BufWriter::new(file), length: 0, flushed: Instant::now() })
    }

    /// Opens a file and forgets what came after its first `length` bytes.
    pub fn resume(path: PathBuf, length: u64) -> Result<Self, TrackError> {
        let failed = |source| TrackError::io("open", &path, source);
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        if found < length {
            return Err(TrackError::Shorter { path, found, expected: length });
        }
        file.set_len(length).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(AppendFile { path, file: BufWriter::new(file), length, flushed: Instant::now() })
    }

    /// Adds bytes; they reach the file within a second, or at the next [`AppendFile::flush`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), TrackError> {
        self.file.write_all(bytes).map_err(|source| TrackError::io("write", &self.path, source))?;
        self.length += bytes.len() as u64;
        if self.flushed.elapsed() >= LAG { self.flush() } else { Ok(()) }
    }

    /// Hands all bytes to the operating system.
    pub fn flush(&mut self) -> Result<(), TrackError> {
        self.flushed = Instant::now();
        self.file.flush().map_err(|source| TrackError::io("write", &self.path, source))
    }

    /// Makes all bytes survive a power cut, and says how many there are.
    pub fn sync(&mut self) -> Result<u64, TrackError> {
        self.flush()?;
        self.file.get_ref().sync_all().map_err(|source| TrackError::io("write", &self.path, source))?;
        Ok(self.length)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
