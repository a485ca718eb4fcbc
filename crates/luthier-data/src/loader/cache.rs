use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::kept::Kept;
use crate::picture::{McuIndex, Picture};

/// Memory for indices of JPEGs, whatever the limit for pictures is: enough for some ten thousand photos.
const MOST_INDEX_BYTES: usize = 64 << 20;

/// Decoded pictures, kept until the room for them is used up.
///
/// Nothing is ever thrown out: an epoch uses each sample once, so whatever would be thrown out for a newcomer is as
/// likely to be needed, and sooner.
pub(super) struct Cache {
    kept: Kept,
    /// Samples that were decoded without an error
    sound: Vec<AtomicBool>,
    bytes: AtomicUsize,
    limit: usize,
    /// Whether a picture found no room
    full: AtomicBool,
    /// Where the pieces of files begin, for pictures that are not kept; made when one is first asked for
    indices: OnceLock<Vec<OnceLock<Option<Box<McuIndex>>>>>,
    index_bytes: AtomicUsize,
}

impl Cache {
    pub(super) fn new(samples: usize, limit: usize) -> Cache {
        let slots = if limit == 0 { 0 } else { samples };
        Cache::of(samples, limit, Kept::in_memory(slots))
    }

    /// As [`Cache::new`], the pictures in a file below `folder`.
    pub(super) fn in_file(samples: usize, limit: usize, folder: &Path) -> Cache {
        let slots = if limit == 0 { 0 } else { samples };
        Cache::of(samples, limit, Kept::in_file(slots, folder))
    }

    fn of(samples: usize, limit: usize, kept: Kept) -> Cache {
        Cache {
            kept,
            sound: (0..samples).map(|_| AtomicBool::new(false)).collect(),
            bytes: AtomicUsize::new(0),
            limit,
            full: AtomicBool::new(limit == 0),
            indices: OnceLock::new(),
            index_bytes: AtomicUsize::new(0),
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<Arc<Picture>> {
        self.kept.get(index as usize)
    }

    /// Notes that the sample was decoded without an error.
    pub(super) fn found_sound(&self, index: u32) {
        if let Some(sound) = self.sound.get(index as usize) {
            sound.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the sample was decoded without an error before.
    pub(super) fn is_sound(&self, index: u32) -> bool {
        self.sound.get(index as usize).is_some_and(|sound| sound.load(Ordering::Relaxed))
    }

    pub(super) fn keep(&self, index: u32, picture: &Arc<Picture>) {
        self.found_sound(index);
        let (slot, size) = (index as usize, picture.bytes());
        if !self.kept.is_free(slot) {
            return;
        }
        let reserved = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(size).filter(|total| *total <= self.limit)
        });
        let Ok(before) = reserved else { return self.full.store(true, Ordering::Relaxed) };
        if self.kept.put(slot, picture, before) {
            return;
        }
        if self.kept.is_free(slot) {
            // the disk takes no more
            self.full.store(true, Ordering::Relaxed);
        } else if self.kept.gives_back() {
            // another thread kept it in the meantime
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
    }

    /// Whether a picture that is decoded whole may be kept.
    pub(super) fn has_room(&self) -> bool {
        !self.full.load(Ordering::Relaxed)
    }

    /// The index of a sample's file, made when it is first asked for. None where there can't be one, or no room.
    pub(super) fn index(&self, sample: u32, make: impl FnOnce() -> Option<McuIndex>) -> Option<&McuIndex> {
        let indices = self.indices.get_or_init(|| self.sound.iter().map(|_| OnceLock::new()).collect());
        let slot = indices.get(sample as usize)?;
        if slot.get().is_none() && self.index_bytes.load(Ordering::Relaxed) >= MOST_INDEX_BYTES {
            return None;
        }
        let made = slot.get_or_init(|| {
            let index = make()?;
            self.index_bytes.fetch_add(index.bytes(), Ordering::Relaxed);
            Some(Box::new(index))
        });
        made.as_deref()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}
