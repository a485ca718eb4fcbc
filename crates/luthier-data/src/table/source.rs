//! A file that is hashed while it is read.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use xxhash_rust::xxh3::Xxh3;

use super::TableError;

/// The bytes of a table, after a byte order mark if there is one.
pub(super) struct Source {
    file: File,
    hash: Xxh3,
    /// What was read to look for a byte order mark and is still to be given
    begin: Vec<u8>,
}

impl Source {
    /// Opens a table that is text.
    pub(super) fn text(path: &Path) -> Result<Self, TableError> {
        let mut source = Self { file: open(path)?, hash: Xxh3::new(), begin: Vec::new() };
        let mut begin = Vec::with_capacity(3);
        (&mut source.file).take(3).read_to_end(&mut begin).map_err(|e| unreadable(path, &e))?;
        source.hash.update(&begin);
        match begin.as_slice() {
            [] => return Err(TableError::Empty { path: path.to_owned() }),
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return Err(TableError::Utf16 { path: path.to_owned() }),
            [0xEF, 0xBB, 0xBF] => {}
            _ => source.begin = begin,
        }
        Ok(source)
    }

    /// XXH3 of what was read.
    pub(super) fn hash(&self) -> u128 {
        self.hash.digest128()
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.begin.is_empty() {
            let n = self.begin.len().min(into.len());
            into[..n].copy_from_slice(&self.begin[..n]);
            self.begin.drain(..n);
            return Ok(n);
        }
        let n = self.file.read(into)?;
        self.hash.update(&into[..n]);
        Ok(n)
    }
}

/// XXH3 of a whole file.
pub(super) fn hash_of(path: &Path, mut file: &File) -> Result<u128, TableError> {
    let mut hash = Xxh3::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block).map_err(|e| unreadable(path, &e))? {
            0 => return Ok(hash.digest128()),
            n => hash.update(&block[..n]),
        }
    }
}

/// Opens a file, and says so if there is none.
pub(super) fn open(path: &Path) -> Result<File, TableError> {
    if path.is_dir() {
        return Err(TableError::Folder { path: path.to_owned() });
    }
    File::open(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => TableError::Missing { path: path.to_owned() },
        _ => unreadable(path, &e),
    })
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> TableError {
    TableError::Read { path: path.to_owned(), reason: error.to_string() }
}
