use std::{
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// One batch of samples.
#[derive(Debug)]
pub struct Batch {
    /// `views × len × height × width × 3` floats: views, samples, rows, columns, channels. The first view of all samples
    /// comes first
    pub pixels: Pixels,
    /// Rows of each picture
    pub height: u32,
    /// Columns of each picture
    pub width: u32,
    /// Label of each sample
    pub labels: Vec<i64>,
    /// Index of each sample in the source
    pub indices: Vec<u32>,
    /// Samples that should be here but can't be read, and why
    pub skipped: Vec<(u32, String)>,
    /// How long the caller waited for this batch
    pub wait: Duration,
}

impl Batch {
    /// Number of samples, the skipped ones not counted.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether every sample of the batch was skipped.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Floats whose memory goes back to the loader when they are dropped: a batch is tens of megabytes, and asking the
/// system for it anew each time costs as much as filling it.
#[derive(Debug)]
pub struct Pixels {
    floats: Vec<f32>,
    home: Arc<Buffers>,
}

impl Pixels {
    pub(super) fn new(length: usize, home: &Arc<Buffers>) -> Pixels {
        let mut floats = home.take();
        // what an earlier batch left is overwritten; only growth is filled
        floats.resize(length, 0.0);
        Pixels { floats, home: Arc::clone(home) }
    }

    pub(super) fn as_mut(&mut self) -> &mut Vec<f32> {
        &mut self.floats
    }
}

impl Deref for Pixels {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.floats
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        self.home.give(std::mem::take(&mut self.floats));
    }
}

/// Memory of batches that are no longer used.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    spare: Mutex<Vec<Vec<f32>>>,
}

impl Buffers {
    /// More than a loader has in flight is never worth keeping.
    const MOST: usize = 8;

    fn take(&self) -> Vec<f32> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, floats: Vec<f32>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < Self::MOST {
            spare.push(floats);
        }
    }
}
