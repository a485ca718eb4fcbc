//! Features of a whole set in a file, so that memory does not grow with the set.
//!
//! Layout: 64 bytes of header (`LUTHFEAT`, version, width as u32, rows and the writer's key as u64, zeros), then the
//! rows as fp32, all little-endian. The header is one cache line, so rows begin where vectors like them to.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memmap2::MmapOptions;
use tch::{Device, Kind, Tensor};

use crate::ContrastError;
use crate::checks::shaped;
use crate::error::refused;
use crate::kmeans::floats;

const MAGIC: [u8; 8] = *b"LUTHFEAT";
const VERSION: u32 = 1;
const HEADER: usize = 64;

/// Writes features batch by batch. The file gets its name when it is whole; one that was dropped before is removed.
#[derive(Debug)]
pub struct FeatureWriter {
    writer: Option<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
    width: i64,
    rows: u64,
    key: u64,
}

impl FeatureWriter {
    /// A file for rows of `width` numbers. `key` says what they are of, such as a hash of weights and samples.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn create(path: &Path, width: i64, key: u64) -> Result<Self, ContrastError> {
        if width < 1 || width > i64::from(u32::MAX) {
            return Err(refused(format!("features of {width} numbers"), "give 1 or more"));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let create = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = File::options().read(true).write(true).create(true).truncate(true).open(&temporary)?;
            let mut writer = BufWriter::with_capacity(1 << 20, file);
            writer.write_all(&[0; HEADER])?;
            Ok(writer)
        };
        let writer = Some(create().map_err(|error| unwritten(path, &error))?);
        Ok(FeatureWriter { writer, temporary, path: path.into(), width, rows: 0, key })
    }

    /// Appends the rows of a batch `[n, width]`.
    ///
    /// # Errors
    /// Rows of another width, or no space.
    pub fn push(&mut self, rows: &Tensor) -> Result<(), ContrastError> {
        shaped(rows, "features", None, self.width)?;
        let rows = rows.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
        let values = floats(&rows)?;
        if let Some(writer) = &mut self.writer {
            #[cfg(target_endian = "little")]
            let written = writer.write_all(bytemuck::cast_slice(values));
            #[cfg(target_endian = "big")]
            let written = values.iter().try_for_each(|value| writer.write_all(&value.to_le_bytes()));
            written.map_err(|error| unwritten(&self.path, &error))?;
        }
        self.rows += rows.size()[0].unsigned_abs();
        Ok(())
    }

    /// Syncs the file, gives it its name and opens it.
    ///
    /// # Errors
    /// No space.
    pub fn finish(self) -> Result<Features, ContrastError> {
        self.whole(true)
    }

    /// As [`FeatureWriter::finish`], of a file that is of no use once the program has ended: it is not waited for until the
    /// disk has it.
    ///
    /// # Errors
    /// No space.
    pub fn finish_unsynced(self) -> Result<Features, ContrastError> {
        self.whole(false)
    }

    fn whole(mut self, synced: bool) -> Result<Features, ContrastError> {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&(self.width as u32).to_le_bytes());
        header[16..24].copy_from_slice(&self.rows.to_le_bytes());
        header[24..32].copy_from_slice(&self.key.to_le_bytes());
        let writer = self.writer.take();
        let whole = || {
            if let Some(writer) = writer {
                let mut file = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&header)?;
                if synced {
                    file.sync_all()?;
                }
            }
            fs::rename(&self.temporary, &self.path)
        };
        whole().map_err(|error| unwritten(&self.path, &error))?;
        Features::open(&self.path)
    }
}

impl Drop for FeatureWriter {
    fn drop(&mut self) {
        // nothing is there any more after `finish`
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Features in a file. A block is mapped into memory for as long as it is copied.
#[derive(Debug)]
pub struct Features {
    file: File,
    path: PathBuf,
    width: i64,
    rows: i64,
    key: u64,
}

impl Features {
    /// A file that a [`FeatureWriter`] finished.
    ///
    /// # Errors
    /// It is not there, is no such file, or is cut off.
    pub fn open(path: &Path) -> Result<Self, ContrastError> {
        let unread = |why: String| ContrastError::File {
            path: path.into(),
            verb: "read",
            why,
            help: "remove it: features are computed anew where there are none",
        };
        let mut file = File::open(path).map_err(|error| unread(error.to_string()))?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header).map_err(|_| unread("it has no whole header".into()))?;
        if header[..8] != MAGIC {
            return Err(unread("it is no feature file".into()));
        }
        let four =
            |at: usize| header[at..at + 4].iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let eight = |at: usize| four(at) | four(at + 4) << 32;
        let (version, width, rows, key) = (four(8), four(12), eight(16), eight(24));
        if version != u64::from(VERSION) {
            return Err(unread(format!("it is of version {version}, and {VERSION} is what is known")));
        }
        let wanted = rows.checked_mul(width * 4).and_then(|bytes| bytes.checked_add(HEADER as u64));
        let length = file.metadata().map_err(|error| unread(error.to_string()))?.len();
        if width == 0 || wanted != Some(length) {
            return Err(unread(format!("{rows} rows of {width} numbers do not make {length} bytes")));
        }
        Ok(Features { file, path: path.into(), width: width as i64, rows: rows as i64, key })
    }

    /// How many rows
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// Numbers in each
    pub fn width(&self) -> i64 {
        self.width
    }

    /// What the writer said they are of
    pub fn key(&self) -> u64 {
        self.key
    }

    /// Rows `first .. first + count` as a tensor of their own.
    ///
    /// # Errors
    /// There are fewer, or the file cannot be mapped.
    pub fn block(&self, first: i64, count: i64) -> Result<Tensor, ContrastError> {
        if first < 0 || count < 0 || first.checked_add(count).is_none_or(|end| end > self.rows) {
            return Err(refused(
                format!("rows {first} to {first} + {count} of {} features", self.rows),
                "ask for rows that are there",
            ));
        }
        if count == 0 {
            return Ok(Tensor::f_zeros([0, self.width], (Kind::Float, Device::Cpu))?);
        }
        let row = self.width as usize * 4;
        let (offset, length) = (HEADER + first as usize * row, count as usize * row);
        #[expect(
            unsafe_code,
            reason = "every mapping is: the file must not change meanwhile. It is written under another name and \
                      renamed, and removing it leaves a mapping as it was"
        )]
        let map = unsafe { MmapOptions::new().offset(offset as u64).len(length).map(&self.file) };
        let map = map.map_err(|error| ContrastError::File {
            path: self.path.clone(),
            verb: "read",
            why: error.to_string(),
            help: "see whether the disk it lies on is still there",
        })?;
        #[cfg(target_endian = "big")]
        let map: Vec<u8> = map.chunks_exact(4).flat_map(|four| four.iter().rev().copied()).collect();
        Ok(Tensor::f_from_data_size(&map, &[count, self.width], Kind::Float)?)
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> ContrastError {
    ContrastError::File {
        path: path.into(),
        verb: "written",
        why: error.to_string(),
        help: "free some space",
    }
}
