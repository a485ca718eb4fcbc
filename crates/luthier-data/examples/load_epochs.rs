//! Loads epochs of an image folder and prints the seconds of each, one a line: the Luthier half of
//! `benches/peers/loader.py`.
//!
//!     load_epochs FOLDER THREADS EPOCHS CACHE_MIB EXCLUDE…
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::{error::Error, path::Path, sync::Arc, time::Instant};

use luthier_data::{
    Chain, EpochOptions, FolderOptions, Limits, Loader, LoaderOptions, Source, epoch_order, image_folder,
};
use luthier_recipe::{OnError, Size, Transform};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, threads, epochs, cache_mib, exclude @ ..] = args.as_slice() else {
        return Err("FOLDER THREADS EPOCHS CACHE_MIB EXCLUDE…".into());
    };
    let limits = Limits::default();
    let listing =
        image_folder(Path::new(folder), &FolderOptions { exclude, on_error: OnError::Fail, limits })?;
    let chain = Chain::new(&[
        Transform::RandomResizedCrop { size: Size::One(224), scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] },
        Transform::RandomHorizontalFlip { p: 0.5 },
        Transform::Normalize { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    ])?;
    let count = listing.samples.len();
    let source = Arc::new(Source { root: listing.root, samples: Box::new(listing.samples), limits });
    let options = LoaderOptions {
        threads: threads.parse()?,
        cache_bytes: cache_mib.parse::<usize>()? << 20,
        ..LoaderOptions::default()
    };
    let loader = Loader::new(source, chain, options)?;
    for epoch in 0..epochs.parse()? {
        let began = Instant::now();
        let mut seen = 0;
        let options = EpochOptions { epoch, batch_size: 32, skip_batches: 0, drop_last: false, views: 1 };
        for batch in loader.epoch(epoch_order(count, 0, epoch, true), options) {
            seen += batch?.len();
        }
        println!("{:.6} {seen}", began.elapsed().as_secs_f64());
    }
    Ok(())
}
