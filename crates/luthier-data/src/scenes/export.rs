//! A whole data set: who is drawn where, by how many threads, and the tables beside it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::attributes::{ATTRIBUTES, described};
use super::error::ScenesError;
use super::folder::{DESCRIPTION, FORMAT, Staged};
use super::layout::{By, Fixed};
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
    /// Seed: pictures with the same seed and number are the same, whatever the other options but `size` and `fixed`.
    pub seed: u64,
    /// Side of the square pictures, in pixels.
    pub size: u32,
    /// Threads that draw; 0 takes as many as there are cores.
    pub threads: usize,
    /// Share of every shape's pictures that goes to `valid/` and leaves the others in `train/`, in [0, 1). At 0 the
    /// classes' folders stand in the target itself.
    pub valid: f64,
    /// What the folders are named after.
    pub by: By,
    /// Attributes that are the same in every picture.
    pub fixed: Vec<Fixed>,
    /// Replace an earlier render in the target.
    pub force: bool,
}

impl Default for SceneOptions {
    fn default() -> Self {
        SceneOptions {
            count: 2000,
            seed: 0,
            size: 128,
            threads: 0,
            valid: 0.0,
            by: By::default(),
            fixed: Vec::new(),
            force: false,
        }
    }
}

/// What was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Pictures in all.
    pub pictures: usize,
    /// Of these, set aside in `valid/`.
    pub valid: usize,
    /// Pictures of each class, in the order of [`By::folders`].
    pub classes: Vec<(String, usize)>,
    /// Size of all pictures' files, in bytes.
    pub bytes: u64,
}

/// Where picture `index` stands: its scene, its path from the target and whether it is set aside.
struct Entry {
    scene: Scene,
    class: usize,
    file: String,
    valid: bool,
}

impl Entry {
    fn new(options: &SceneOptions, folders: &[String], index: usize) -> Entry {
        let drawn = Scene::draw(options.seed, index as u64);
        let scene = options.fixed.iter().fold(drawn, |scene, fixed| scene.fixed(*fixed));
        let class = options.by.of(&scene);
        // each run of eight pictures holds this shape once, so this is its how-manieth
        let valid = set_aside(index / Shape::ALL.len(), options.valid);
        let split = match (options.valid > 0.0, valid) {
            (false, _) => "",
            (true, false) => "train/",
            (true, true) => "valid/",
        };
        Entry { file: format!("{split}{}/{index:06}.png", folders[class]), class, valid, scene }
    }
}

/// Whether the n-th of a kind is set aside: they lie evenly, the first one is not among them.
fn set_aside(n: usize, share: f64) -> bool {
    let before = |n: usize| (n as f64 * share).floor();
    before(n + 1) > before(n)
}

/// Renders a data set of lit solids into the folder `out`.
///
/// Writes PNG pictures in ImageFolder layout by shape or by another attribute (`cube/000012.png`, below `train/` and
/// `valid/` if [`SceneOptions::valid`] is above 0), `attributes.csv` with a row per picture and a column per attribute,
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
    let classes = class_folders(options)?;
    let staged = Staged::open(out, options.force)?;
    let root = staged.path();
    let folders = options.by.folders();
    for class in classes {
        let folder = root.join(class);
        fs::create_dir_all(&folder).map_err(ScenesError::disk("create", folder))?;
    }

    let bytes = draw_all(&root, options, &folders, progress)?;

    let mut summary = Summary {
        pictures: options.count,
        valid: 0,
        classes: folders.iter().map(|name| (name.clone(), 0)).collect(),
        bytes,
    };
    let mut table = String::from("file,shape");
    for attribute in &ATTRIBUTES {
        table.push(',');
        table.push_str(attribute.name);
    }
    table.push('\n');
    for index in 0..options.count {
        let Entry { scene, class, file, valid } = Entry::new(options, &folders, index);
        table.push_str(&file);
        table.push(',');
        table.push_str(scene.shape.name());
        for bin in scene.attributes() {
            // writing into a string cannot fail
            let _ = write!(table, ",{bin}");
        }
        table.push('\n');
        summary.valid += usize::from(valid);
        summary.classes[class].1 += 1;
    }
    let mut description = json!({
        "format": FORMAT,
        "version": 1,
        "count": options.count,
        "seed": options.seed,
        "size": options.size,
        "valid": options.valid,
        "shapes": Shape::ALL.map(Shape::name),
        "attributes": described(),
    });
    // a plain render says nothing of either, so that its bytes stay what they were before there was a choice
    if options.by != By::default() {
        description["folders"] = json!(options.by.name());
    }
    if !options.fixed.is_empty() {
        description["fixed"] =
            options.fixed.iter().map(|fixed| (fixed.name().to_owned(), json!(fixed.bin))).collect();
    }
    let mut description = serde_json::to_string_pretty(&description)
        .map_err(io::Error::from)
        .map_err(ScenesError::disk("write", root.join(DESCRIPTION)))?;
    description.push('\n');
    let mut readme = String::from(include_str!("README.md"));
    if !options.fixed.is_empty() {
        let held: Vec<&str> = options.fixed.iter().map(|fixed| fixed.name()).collect();
        let _ = writeln!(
            readme,
            "\nHeld still in this set, as `attributes.json` says under `fixed`: {}.",
            held.join(", ")
        );
    }
    for (name, text) in [(TABLE, &*table), (DESCRIPTION, &description), (README, &readme)] {
        fs::write(root.join(name), text).map_err(ScenesError::disk("write", root.join(name)))?;
    }
    staged.publish()?;
    Ok(summary)
}

/// The folders of the classes, from the target; no class is without a picture in any of the splits.
fn class_folders(options: &SceneOptions) -> Result<BTreeSet<PathBuf>, ScenesError> {
    let folders = options.by.folders();
    let splits: &[&str] = if options.valid > 0.0 { &["train", "valid"] } else { &[""] };
    let filled: BTreeSet<PathBuf> = (0..options.count)
        .filter_map(|index| {
            Path::new(&Entry::new(options, &folders, index).file).parent().map(Path::to_path_buf)
        })
        .collect();
    // fewer than eight pictures do not hold every shape; of no shape there is then no folder at all
    if options.by != By::default() {
        let mut all =
            splits.iter().flat_map(|split| folders.iter().map(|class| Path::new(split).join(class)));
        if let Some(folder) = all.find(|folder| !filled.contains(folder)) {
            return Err(ScenesError::EmptyClass { count: options.count, folder });
        }
    }
    Ok(filled)
}

fn check(options: &SceneOptions) -> Result<(), ScenesError> {
    let &SceneOptions { count, size, valid, by, ref fixed, .. } = options;
    for (at, held) in fixed.iter().enumerate() {
        if fixed[..at].iter().any(|earlier| earlier.attribute == held.attribute) {
            return Err(ScenesError::FixedTwice { name: held.name() });
        }
        if by.is(held.attribute) {
            return Err(ScenesError::OneClass { name: held.name() });
        }
    }
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
    folders: &[String],
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
            let entry = Entry::new(options, folders, index);
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
