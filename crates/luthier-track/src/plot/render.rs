//! One SVG, three files.

use std::sync::{Arc, OnceLock};

use resvg::{tiny_skia, usvg};

use crate::TrackError;

/// Inter, the letters of European languages (SIL Open Font License 1.1, `assets/Inter-LICENSE.txt`).
const FONT: &[u8] = include_bytes!("../../assets/Inter-subset.otf");
/// Pixels of a PNG per pixel of the SVG: 288 dots per inch.
const ZOOM: f32 = 3.0;
/// A picture wider than this is drawn smaller.
const WIDEST: f32 = 6000.0;

/// The picture as PNG.
pub fn png(plot: &str, svg: &str) -> Result<Vec<u8>, TrackError> {
    let failed = |why: String| TrackError::Picture { plot: plot.to_owned(), to: "PNG", why };
    let tree = parse(svg).map_err(|error| failed(error.to_string()))?;
    let size = tree.size();
    let zoom = ZOOM.min(WIDEST / size.width().max(size.height()));
    let (width, height) = ((size.width() * zoom).ceil() as u32, (size.height() * zoom).ceil() as u32);
    let mut pixels =
        tiny_skia::Pixmap::new(width, height).ok_or_else(|| failed("it has no area".to_owned()))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(zoom, zoom), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

/// The picture as PDF, all vectors. Letters are outlines: no journal's font check has anything to find, and no font
/// needs to be embedded.
pub fn pdf(plot: &str, svg: &str) -> Result<Vec<u8>, TrackError> {
    let failed = |why: String| TrackError::Picture { plot: plot.to_owned(), to: "PDF", why };
    let tree = parse(svg).map_err(|error| failed(error.to_string()))?;
    let outlines = tree.to_string(&usvg::WriteOptions::default());
    let tree = usvg::Tree::from_str(&outlines, &usvg::Options::default())
        .map_err(|error| failed(error.to_string()))?;
    let page = svg2pdf::PageOptions { dpi: 96.0 };
    svg2pdf::to_pdf(&tree, svg2pdf::ConversionOptions::default(), page)
        .map_err(|error| failed(error.to_string()))
}

fn parse(svg: &str) -> Result<usvg::Tree, usvg::Error> {
    let fontdb =
        if svg.chars().all(|letter| (letter as u32) < 0x500 || ('\u{2000}'..'\u{2270}').contains(&letter)) {
            bundled()
        } else {
            with_system_fonts()
        };
    let options = usvg::Options { fontdb, font_family: "Inter".to_owned(), ..usvg::Options::default() };
    usvg::Tree::from_str(svg, &options)
}

/// The bundled font alone: the same picture on every machine.
fn bundled() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// For class names in scripts that the bundled font lacks.
fn with_system_fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = (*bundled()).clone();
        fonts.load_system_fonts();
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}
