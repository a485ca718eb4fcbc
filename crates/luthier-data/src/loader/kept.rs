//! Where decoded pictures wait until they are used again.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crate::picture::Picture;

/// Where decoded pictures wait until they are used again, each in a slot of its own.
pub(super) enum Kept {
    Memory(Vec<OnceLock<Arc<Picture>>>),
    File(Pictures),
}

/// Pixels in a file without a name, one picture behind the other. They are read and not mapped: what the system keeps of
/// the file in memory is its own to take back.
pub(super) struct Pictures {
    folder: PathBuf,
    /// Made for the first picture; none where the folder refuses it
    file: OnceLock<Option<File>>,
    places: Vec<OnceLock<Place>>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    width: u32,
    height: u32,
}

impl Kept {
    pub(super) fn in_memory(samples: usize) -> Kept {
        Kept::Memory((0..samples).map(|_| OnceLock::new()).collect())
    }

    pub(super) fn in_file(samples: usize, folder: &Path) -> Kept {
        let places = (0..samples).map(|_| OnceLock::new()).collect();
        Kept::File(Pictures { folder: folder.to_owned(), file: OnceLock::new(), places })
    }

    /// The picture in that slot, if there is one and it can be read.
    pub(super) fn get(&self, slot: usize) -> Option<Arc<Picture>> {
        match self {
            Kept::Memory(slots) => slots.get(slot)?.get().cloned(),
            Kept::File(pictures) => pictures.read(slot).map(Arc::new),
        }
    }

    /// Puts a picture into its slot; into a file where `offset` bytes of pictures come before it. Says whether it is kept:
    /// another thread may have been faster, and a disk may be full.
    pub(super) fn put(&self, slot: usize, picture: &Arc<Picture>, offset: usize) -> bool {
        match self {
            Kept::Memory(slots) => slots.get(slot).is_some_and(|slot| slot.set(Arc::clone(picture)).is_ok()),
            Kept::File(pictures) => pictures.write(slot, picture, offset as u64).is_some(),
        }
    }

    /// Whether room that a picture did not need after all can be given to another.
    pub(super) fn gives_back(&self) -> bool {
        matches!(self, Kept::Memory(_))
    }

    /// Whether there is a slot of that number, and nothing in it yet.
    pub(super) fn is_free(&self, slot: usize) -> bool {
        match self {
            Kept::Memory(slots) => slots.get(slot).is_some_and(|slot| slot.get().is_none()),
            Kept::File(pictures) => pictures.places.get(slot).is_some_and(|place| place.get().is_none()),
        }
    }
}

impl Pictures {
    fn read(&self, slot: usize) -> Option<Picture> {
        let Place { offset, width, height } = *self.places.get(slot)?.get()?;
        let mut picture = Picture::black(width, height);
        self.file.get()?.as_ref()?.read_exact_at(&mut picture.rgb, offset).ok()?;
        Some(picture)
    }

    fn write(&self, slot: usize, picture: &Picture, offset: u64) -> Option<()> {
        let place = self.places.get(slot)?;
        self.file.get_or_init(|| self.create()).as_ref()?.write_all_at(&picture.rgb, offset).ok()?;
        place.set(Place { offset, width: picture.width, height: picture.height }).ok()
    }

    fn create(&self) -> Option<File> {
        fs::create_dir_all(&self.folder).ok()?;
        tempfile::tempfile_in(&self.folder).ok()
    }
}
