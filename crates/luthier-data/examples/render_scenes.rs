//! Renders a data set of scenes and says how fast: `render_scenes OUT [COUNT] [SEED] [THREADS] [SIZE]`.
//! With OUT ending in `.png`, draws the first 64 pictures as one contact sheet instead.
#![expect(clippy::print_stdout, reason = "an example talks")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use luthier_data::scenes::{Scene, SceneOptions, render};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let out = arguments.first().ok_or("usage: render_scenes OUT [COUNT] [SEED] [THREADS] [SIZE]")?;
    let (count, seed, threads, size) = (number(1, 1000)?, number(2, 0)?, number(3, 0)?, number(4, 128)?);
    if out.ends_with(".png") {
        return sheet(Path::new(out), seed, u32::try_from(size)?);
    }
    let options = SceneOptions {
        count: usize::try_from(count)?,
        seed,
        size: u32::try_from(size)?,
        threads: usize::try_from(threads)?,
        force: true,
        ..SceneOptions::default()
    };
    let start = Instant::now();
    let summary = render(Path::new(out), &options, &|_, _| {})?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} pictures, {:.1} MB, in {seconds:.2} s: {:.0} pictures a second",
        summary.pictures,
        summary.bytes as f64 / 1e6,
        summary.pictures as f64 / seconds,
    );
    Ok(())
}

/// Pictures 0 to 63 in eight rows of eight.
fn sheet(out: &Path, seed: u64, size: u32) -> Result<(), Box<dyn Error>> {
    let (side, row) = (size as usize, size as usize * 3);
    let mut pixels = vec![0; side * 8 * row * 8];
    for index in 0..64_usize {
        let picture = Scene::draw(seed, index as u64).paint(size);
        let (left, top) = (index % 8 * row, index / 8 * side);
        for (y, line) in picture.chunks_exact(row).enumerate() {
            let start = (top + y) * row * 8 + left;
            pixels[start..start + row].copy_from_slice(line);
        }
    }
    let mut encoder = png::Encoder::new(std::fs::File::create(out)?, size * 8, size * 8);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(())
}
