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
        let batch = pool.install(|| make(shared, indices, options, stop));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let last = batch.is_err();
        if send.send(batch).is_err() || last {
            return;
        }
    }
}

fn make(
    shared: &Shared,
    indices: &[u32],
    options: EpochOptions,
    stop: &AtomicBool,
) -> Result<Batch, DataError> {
    let length = shared.height as usize * shared.width as usize * 3;
    let (count, views) = (indices.len(), options.views.max(1) as usize);
    let mut pixels = Pixels::new(views * count * length, &shared.buffers);
    let results: Vec<Result<(), DataError>> = pixels
        .as_mut()
        .par_chunks_exact_mut(length)
        .enumerate()
        .with_max_len(1)
        .map(|(place, out)| {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let (index, view) = (indices[place % count], (place / count) as u32);
            SCRATCH.with_borrow_mut(|scratch| shared.load(index, options.epoch, view, scratch, out))
        })
        .collect();
    let mut batch = Batch {
        pixels,
        height: shared.height,
        width: shared.width,
        labels: Vec::with_capacity(count),
        indices: Vec::with_capacity(count),
        skipped: Vec::new(),
        wait: Duration::ZERO,
    };
    // whether a sample can be read does not depend on the view; the first fault of it is told
    let mut faults: Vec<Option<String>> = vec![None; count];
    for (place, result) in results.into_iter().enumerate() {
        match result {
            Ok(()) => {}
            Err(DataError::Picture { path, source }) if shared.on_error == OnError::Skip => {
                faults[place % count].get_or_insert_with(|| format!("`{path}` {source}"));
            }
            Err(error) => return Err(error),
        }
    }
    let mut kept = Vec::with_capacity(count);
    for (place, (index, fault)) in indices.iter().zip(faults).enumerate() {
        match fault {
            Some(why) => batch.skipped.push((*index, why)),
            None => {
                kept.push(place);
                batch.labels.push(shared.label(*index));
                batch.indices.push(*index);
            }
        }
    }
    // samples after a skipped one move up: no place is written to before it has been read
    let places = (0..views).flat_map(|view| kept.iter().map(move |place| view * count + place));
    for (to, from) in places.enumerate().filter(|(to, from)| to < from) {
        batch.pixels.as_mut().copy_within(from * length..(from + 1) * length, to * length);
    }
    batch.pixels.as_mut().truncate(views * kept.len() * length);
    Ok(batch)
}
