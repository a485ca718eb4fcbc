use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::picture::Picture;

/// Decoded pictures, kept until the memory for them is used up.
///
/// Nothing is ever thrown out: an epoch uses each sample once, so whatever would be thrown out for a newcomer is as
/// likely to be needed, and sooner.
pub(super) struct Cache {
    slots: Vec<OnceLock<Arc<Picture>>>,
    /// Samples that were decoded without an error
    sound: Vec<AtomicBool>,
    bytes: AtomicUsize,
    limit: usize,
}

impl Cache {
    pub(super) fn new(samples: usize, limit: usize) -> Cache {
        let slots = if limit == 0 { 0 } else { samples };
        Cache {
            slots: (0..slots).map(|_| OnceLock::new()).collect(),
            sound: (0..samples).map(|_| AtomicBool::new(false)).collect(),
            bytes: AtomicUsize::new(0),
            limit,
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<Arc<Picture>> {
        self.slots.get(index as usize)?.get().cloned()
    }

    /// Whether the sample was offered to [`Cache::keep`] before.
    pub(super) fn is_sound(&self, index: u32) -> bool {
        self.sound.get(index as usize).is_some_and(|sound| sound.load(Ordering::Relaxed))
    }

    pub(super) fn keep(&self, index: u32, picture: &Arc<Picture>) {
        if let Some(sound) = self.sound.get(index as usize) {
            sound.store(true, Ordering::Relaxed);
        }
        let Some(slot) = self.slots.get(index as usize) else { return };
        let size = picture.bytes();
        let reserved = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(size).filter(|total| *total <= self.limit)
        });
        if reserved.is_ok() && slot.set(Arc::clone(picture)).is_err() {
            // another thread kept it in the meantime
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}
