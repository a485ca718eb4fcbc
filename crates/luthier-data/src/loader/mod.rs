//! Batches of pictures, made ahead of time by threads.
//!
//! One thread per epoch goes through the batches in order; a pool of workers decodes and transforms the samples of one
//! batch in parallel, each straight into its place. What a sample becomes depends on its key alone, so that neither
//! the number of threads nor the cache can change a bit.

mod batch;
mod cache;
mod epoch;
mod error;
mod kept;
mod sample;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use luthier_recipe::OnError;
use rayon::{ThreadPool, ThreadPoolBuilder};

pub use batch::{Batch, Pixels};
pub use epoch::Epoch;
pub use error::DataError;

use crate::{picture::Limits, transforms::Chain};
use batch::Buffers;
use cache::Cache;

/// A list of samples, kept by whoever has it already: loaders share it.
pub trait Listed: Send + Sync {
    /// How many
    fn count(&self) -> usize;
    /// Path below the root, and label; `None` beyond the last
    fn sample(&self, index: usize) -> Option<(&str, u32)>;
}

impl Listed for Vec<(String, u32)> {
    fn count(&self) -> usize {
        self.len()
    }

    fn sample(&self, index: usize) -> Option<(&str, u32)> {
        self.get(index).map(|(path, label)| (path.as_str(), *label))
    }
}

/// The samples a loader draws from.
pub struct Source {
    /// The folder that paths are below
    pub root: PathBuf,
    /// What is below it
    pub samples: Box<dyn Listed>,
    /// What is refused before it is decoded
    pub limits: Limits,
}

/// How a loader works. None of it changes what is in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Worker threads; 0 = one per core
    pub threads: usize,
    /// Batches made ahead of the one in use, at least 1
    pub prefetch_batches: usize,
    /// Room for decoded pictures that are used again, in bytes; 0 switches it off. Beside it up to 64 MiB of memory hold
    /// where the pieces of JPEGs begin, if they are cropped at random and decoded anew
    pub cache_bytes: usize,
    /// The run's seed: decides the random transforms
    pub seed: u64,
    /// What to do with a sample that can't be read
    pub on_error: OnError,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        LoaderOptions {
            threads: 0,
            prefetch_batches: 2,
            cache_bytes: 1 << 30,
            seed: 0,
            on_error: OnError::Fail,
        }
    }
}

/// Which batches of an epoch are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochOptions {
    /// The epoch, from 0: decides the random transforms
    pub epoch: u64,
    /// Samples per batch
    pub batch_size: usize,
    /// Batches at the beginning that are not made: where a resumed run goes on
    pub skip_batches: usize,
    /// Leave out the last batch when it is not full
    pub drop_last: bool,
    /// Views of each sample, at least 1: each is transformed by random numbers of its own
    pub views: u32,
}

/// Makes batches of one source through one chain. Threads and cache live as long as the loader.
pub struct Loader {
    shared: Arc<Shared>,
    pool: Arc<ThreadPool>,
    prefetch_batches: usize,
}

struct Shared {
    source: Arc<Source>,
    chain: Chain,
    height: u32,
    width: u32,
    seed: u64,
    on_error: OnError,
    cache: Cache,
    buffers: Arc<Buffers>,
}

impl Loader {
    /// Starts the threads. Decoded pictures are kept in memory.
    ///
    /// # Errors
    /// When the chain leaves pictures of different sizes, or the system refuses threads.
    pub fn new(source: Arc<Source>, chain: Chain, options: LoaderOptions) -> Result<Loader, DataError> {
        Loader::start(source, chain, options, Cache::new)
    }

    /// As [`Loader::new`], with decoded pictures in a file without a name below `folder`: memory is the same for any
    /// number of them. Where nothing can be written there, or no more, pictures are decoded anew.
    ///
    /// # Errors
    /// As [`Loader::new`].
    pub fn keeping_in(
        folder: &Path,
        source: Arc<Source>,
        chain: Chain,
        options: LoaderOptions,
    ) -> Result<Loader, DataError> {
        Loader::start(source, chain, options, |samples, limit| Cache::in_file(samples, limit, folder))
    }

    fn start(
        source: Arc<Source>,
        chain: Chain,
        options: LoaderOptions,
        cache: impl FnOnce(usize, usize) -> Cache,
    ) -> Result<Loader, DataError> {
        let (height, width) = chain.output_size()?;
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.threads)
            .thread_name(|i| format!("loader-{i}"))
            .build()
            .map_err(|e| DataError::Threads { reason: e.to_string() })?;
        let shared = Shared {
            cache: cache(source.samples.count(), options.cache_bytes),
            source,
            chain,
            height,
            width,
            seed: options.seed,
            on_error: options.on_error,
            buffers: Arc::default(),
        };
        Ok(Loader {
            shared: Arc::new(shared),
            pool: Arc::new(pool),
            prefetch_batches: options.prefetch_batches.max(1),
        })
    }

    /// The batches of one epoch. `order` holds indices into the source's samples, in the order they are used (see
    /// [`crate::epoch_order`]). Dropping the iterator early stops the work.
    pub fn epoch(&self, order: Vec<u32>, options: EpochOptions) -> Epoch {
        Epoch::start(Arc::clone(&self.shared), Arc::clone(&self.pool), order, options, self.prefetch_batches)
    }

    /// Height and width of every picture in a batch.
    pub fn picture_size(&self) -> (u32, u32) {
        (self.shared.height, self.shared.width)
    }

    /// Bytes of decoded pictures that are kept.
    pub fn cached_bytes(&self) -> usize {
        self.shared.cache.bytes()
    }
}
