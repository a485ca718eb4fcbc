//! A whole data set: who is drawn where, by how many threads, and the tables beside it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::attributes::{ATTRIBUTES, described};
use super::error::ScenesError;
use super::folder::{DESCRIPTION, FORMAT, Staged};
use super::scene::Scene;
use super::shapes::Shape;

/// Sizes that make sense, in pixels.
pub(super) const SIZES: RangeInclusive<u32> = 16..=2048;
/// The table's name.
const TABLE: &str = "attributes.csv";
/// The explanation's name.
const README: &str = "README.md";

/// What to render.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneOptions {
    /// Number of pictures.
    pub count: usize,
    /// Seed: pictures with the same seed and number are the same, whatever the other options but `size`.
    pub seed: u64,
    /// Side of the square pictures, in pixels.
    pub size: u32,
    /// Threads that draw; 0 takes as many as there are cores.
    pub threads: usize,
    /// Share of every shape's pictures that goes to `valid/` and leaves the others in `train/`, in [0, 1). At 0 the
    /// shapes' folders stand in the target itself.
    pub valid: f64,
    /// Replace an earlier render in the target.
    pub force: bool,
}

impl Default for SceneOptions {
    fn default() -> Self {
        SceneOptions { count: 2000, seed: 0, size: 128, threads: 0, valid: 0.0, force: false }
    }
}

/// What was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Pictures in all.
    pub pictures: usize,
    /// Of these, set aside in `valid/`.
    pub valid: usize,
    /// Pictures of each shape, in class order.
    pub shapes: Vec<(&'static str, usize)>,
    /// Size of all pictures' files, in bytes.
    pub bytes: u64,
}

/// Where picture `index` stands: its scene, its path from the target and whether it is set aside.
struct Entry {
    scene: Scene,
    file: String,
    valid: bool,
}

impl Entry {
    fn new(options: &SceneOptions, index: usize) -> Entry {
        let scene = Scene::draw(options.seed, index as u64);
        let shape = scene.shape.name();
        // each run of eight pictures holds this shape once, so this is its how-manieth
        let valid = set_aside(index / Shape::ALL.len(), options.valid);
        let split = match (options.valid > 0.0, valid) {
            (false, _) => "",
            (true, false) => "train/",
            (true, true) => "valid/",
        };
        Entry { file: format!("{split}{shape}/{index:06}.png"), valid, scene }
    }
}

/// Whether the n-th of a kind is set aside: they lie evenly, the first one is not among them.
fn set_aside(n: usize, share: f64) -> bool {
    let before = |n: usize| (n as f64 * share).floor();
    before(n + 1) > before(n)
}

/// Renders a data set of lit solids into the folder `out`.
///
/// Writes PNG pictures in ImageFolder layout by shape (`cube/000012.png`, below `train/` and `valid/` if
/// [`SceneOptions::valid`] is above 0), `attributes.csv` with a row per picture and a column per attribute,
/// `attributes.json` with the bins' names and edges, and a `README.md`. The same options give the same bytes, whatever
/// the machine and the number of threads.
///
/// All is made in a temporary folder beside `out` and moved in one step: a render that fails leaves `out` as it was.
///
/// `progress` is told (pictures done, pictures in all) after each picture, by several threads, not always in order.
///
/// # Errors
///
/// See [`ScenesError`]: bad options, a target that is not empty, a disk that refuses.
pub fn render(
    out: &Path,
    options: &SceneOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Summary, ScenesError> {
    check(options)?;
    let staged = Staged::open(out, options.force)?;
    let root = staged.path();
    let folders: &[&str] = if options.valid > 0.0 { &["train", "valid"] } else { &[""] };
    // fewer than eight pictures do not hold every shape, and a class folder must not be empty
    for index in 0..options.count.min(Shape::ALL.len()) {
        let shape = Scene::draw(options.seed, index as u64).shape;
        for split in folders {
            let folder = root.join(split).join(shape.name());
            fs::create_dir_all(&folder).map_err(ScenesError::disk("create", folder))?;
        }
    }

    let bytes = draw_all(&root, options, progress)?;

    let mut summary = Summary {
        pictures: options.count,
        valid: 0,
        shapes: Shape::ALL.iter().map(|shape| (shape.name(), 0)).collect(),
        bytes,
    };
    let mut table = String::from("file,shape");
    for attribute in &ATTRIBUTES {
        table.push(',');
        table.push_str(attribute.name);
    }
    table.push('\n');
    for index in 0..options.count {
        let Entry { scene, file, valid } = Entry::new(options, index);
        table.push_str(&file);
        table.push(',');
        table.push_str(scene.shape.name());
        for bin in scene.attributes() {
            // writing into a string cannot fail
            let _ = write!(table, ",{bin}");
        }
        table.push('\n');
        summary.valid += usize::from(valid);
        summary.shapes[scene.shape as usize].1 += 1;
    }
    let mut description = serde_json::to_string_pretty(&json!({
        "format": FORMAT,
        "version": 1,
        "count": options.count,
        "seed": options.seed,
        "size": options.size,
        "valid": options.valid,
        "shapes": Shape::ALL.map(Shape::name),
        "attributes": described(),
    }))
    .map_err(io::Error::from)
    .map_err(ScenesError::disk("write", root.join(DESCRIPTION)))?;
    description.push('\n');
    for (name, text) in [(TABLE, &*table), (DESCRIPTION, &description), (README, include_str!("README.md"))] {
        fs::write(root.join(name), text).map_err(ScenesError::disk("write", root.join(name)))?;
    }
    staged.publish()?;
    Ok(summary)
}

fn check(options: &SceneOptions) -> Result<(), ScenesError> {
    let &SceneOptions { count, size, valid, .. } = options;
    if count == 0 {
        return Err(ScenesError::NoPictures);
    }
    if !SIZES.contains(&size) {
        return Err(ScenesError::Size { size });
    }
    if !(0.0..1.0).contains(&valid) {
        return Err(ScenesError::Share { valid });
    }
    if valid > 0.0 {
        // the first run of eight that is set aside must be whole; the rounding of 1 / valid may put it one later
        let runs = (1.0 / valid).ceil() as usize;
        let runs = if set_aside(runs - 1, valid) { runs } else { runs.saturating_add(1) };
        let least = runs.saturating_mul(Shape::ALL.len());
        if count < least {
            return Err(ScenesError::TooFew { count, valid, least });
        }
    }
    Ok(())
}

/// Draws and writes every picture; returns the size of their files.
fn draw_all(
    root: &Path,
    options: &SceneOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<u64, ScenesError> {
    let threads = match options.threads {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    };
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut bytes = 0;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= options.count {
                return Ok(bytes);
            }
            let entry = Entry::new(options, index);
            let path = root.join(&entry.file);
            let pixels = entry.scene.paint(options.size);
            bytes += write_png(&path, options.size, &pixels).map_err(|source| {
                // the other threads find nothing left to do
                next.store(options.count, Ordering::Relaxed);
                ScenesError::Disk { doing: "write", path, source }
            })?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, options.count);
        }
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads.min(options.count)).map(|_| scope.spawn(work)).collect();
        let own = work();
        helpers.into_iter().fold(own, |sum, helper| {
            let bytes = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok(sum? + bytes?)
        })
    })
}

/// An 8-bit RGB PNG, by a fixed filter and an encoder without settings: the same bytes from the same pixels.
fn write_png(path: &Path, size: u32, pixels: &[u8]) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(pixels.len());
    let mut encoder = png::Encoder::new(&mut bytes, size, size);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_deflate_compression(png::DeflateCompression::FdeflateUltraFast);
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    let mut file = BufWriter::new(fs::File::create_new(path)?);
    file.write_all(&bytes)?;
    file.flush()?;
    Ok(bytes.len() as u64)
}
