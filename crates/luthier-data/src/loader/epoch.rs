use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use luthier_recipe::OnError;
use rayon::{ThreadPool, prelude::*};

use super::{Batch, DataError, EpochOptions, Pixels, Shared};
use crate::transforms::Scratch;

thread_local! {
    /// Working memory of a worker: resizing needs the same again for the next sample.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The batches of one epoch, in order.
pub struct Epoch {
    // an option, so that dropping the iterator can hang up before it waits for the thread
    batches: Option<Receiver<Result<Batch, DataError>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Epoch {
    pub(super) fn start(
        shared: Arc<Shared>,
        pool: Arc<ThreadPool>,
        order: Vec<u32>,
        options: EpochOptions,
        prefetch: usize,
    ) -> Epoch {
        // one batch waits in the thread's hands while the channel is full
        let (send, receive) = sync_channel(prefetch - 1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(move || produce(&shared, &pool, &order, options, &send, &stopped))
            .ok();
        Epoch { batches: Some(receive), stop, thread }
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.thread.is_none() {
            let reason = "the system refuses another thread".to_owned();
            return self.batches.take().map(|_| Err(DataError::Threads { reason }));
        }
        let began = Instant::now();
        match self.batches.as_ref()?.recv() {
            Ok(Ok(batch)) => Some(Ok(Batch { wait: began.elapsed(), ..batch })),
            Ok(Err(error)) => {
                self.batches = None;
                Some(Err(error))
            }
            Err(_) => {
                self.batches = None;
                // an epoch cut short must not pass for a whole one
                let panicked = self.thread.take().is_some_and(|thread| thread.join().is_err());
                panicked.then_some(Err(DataError::Panicked))
            }
        }
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // it ends after the samples in work; a panic there has been reported by the panic hook
            let _ = thread.join();
        }
    }
}

fn produce(
    shared: &Shared,
    pool: &ThreadPool,
    order: &[u32],
    options: EpochOptions,
    send: &SyncSender<Result<Batch, DataError>>,
    stop: &AtomicBool,
) {
    let size = options.batch_size.max(1);
    for indices in order.chunks(size).skip(options.skip_batches) {
        if options.drop_last && indices.len() < size {
            return;
        }
        let batch = pool.install(|| make(shared, indices, options.epoch, stop));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let last = batch.is_err();
        if send.send(batch).is_err() || last {
            return;
        }
    }
}

fn make(shared: &Shared, indices: &[u32], epoch: u64, stop: &AtomicBool) -> Result<Batch, DataError> {
    let length = shared.height as usize * shared.width as usize * 3;
    let mut pixels = Pixels::new(indices.len() * length, &shared.buffers);
    let results: Vec<Result<(), DataError>> = pixels
        .as_mut()
        .par_chunks_exact_mut(length)
        .zip(indices)
        .with_max_len(1)
        .map(|(out, index)| {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            SCRATCH.with_borrow_mut(|scratch| shared.load(*index, epoch, scratch, out))
        })
        .collect();
    let mut batch = Batch {
        pixels,
        height: shared.height,
        width: shared.width,
        labels: Vec::with_capacity(indices.len()),
        indices: Vec::with_capacity(indices.len()),
        skipped: Vec::new(),
        wait: Duration::ZERO,
    };
    for (place, (index, result)) in indices.iter().zip(results).enumerate() {
        match result {
            Ok(()) => {
                // samples after a skipped one move up
                let kept = batch.labels.len();
                if kept < place {
                    batch.pixels.as_mut().copy_within(place * length..(place + 1) * length, kept * length);
                }
                batch.labels.push(shared.label(*index));
                batch.indices.push(*index);
            }
            Err(DataError::Picture { path, source }) if shared.on_error == OnError::Skip => {
                batch.skipped.push((*index, format!("`{path}` {source}")));
            }
            Err(error) => return Err(error),
        }
    }
    let kept = batch.labels.len() * length;
    batch.pixels.as_mut().truncate(kept);
    Ok(batch)
}
