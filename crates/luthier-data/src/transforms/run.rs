//! Carries out steps on 8-bit pictures, with working memory that is used again.

use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedCroppedImage, TypedImage, TypedImageRef},
    pixels::U8x3,
};

use super::{CropBox, Step, colour, gaussian, geometry};
use crate::picture::Picture;

/// Working memory of one thread.
#[derive(Default)]
pub struct Scratch {
    resizer: Resizer,
    spare: Vec<Vec<u8>>,
}

impl Scratch {
    /// Carries out steps in order.
    pub fn run(&mut self, picture: &Picture, steps: &[Step]) -> Picture {
        let mut current: Option<Picture> = None;
        for step in steps {
            let next = match current.take() {
                None if reshapes(step) => self.reshape(picture, step),
                None => changed(self.copy(picture), step),
                Some(owned) if reshapes(step) => {
                    let next = self.reshape(&owned, step);
                    self.recycle(owned);
                    next
                }
                Some(owned) => changed(owned, step),
            };
            current = Some(next);
        }
        current.unwrap_or_else(|| picture.clone())
    }

    /// Takes the memory of a picture that is no longer needed.
    pub fn recycle(&mut self, picture: Picture) {
        // two are in use at once at most: the source and the result of a step
        if self.spare.len() < 2 {
            self.spare.push(picture.rgb);
        }
    }

    fn blank(&mut self, width: u32, height: u32) -> Picture {
        let mut rgb = self.spare.pop().unwrap_or_default();
        rgb.clear();
        rgb.resize(width as usize * height as usize * 3, 0);
        Picture { width, height, rgb }
    }

    fn copy(&mut self, picture: &Picture) -> Picture {
        let mut copy = self.blank(0, 0);
        copy.rgb.extend_from_slice(&picture.rgb);
        Picture { width: picture.width, height: picture.height, rgb: copy.rgb }
    }

    /// The steps that make a picture of another size.
    fn reshape(&mut self, picture: &Picture, step: &Step) -> Picture {
        let whole = CropBox { top: 0, left: 0, height: picture.height, width: picture.width };
        match step {
            Step::ResizeShorter(side) => {
                let (width, height) = geometry::shorter_side_to((picture.width, picture.height), *side);
                self.resize(picture, whole, width, height)
            }
            Step::Resize([height, width]) => self.resize(picture, whole, *width, *height),
            Step::ResizedCrop(part, [height, width]) => self.resize(picture, *part, *width, *height),
            Step::CenterCrop(size) => self.centre_crop(picture, *size),
            _ => self.copy(picture),
        }
    }

    /// Bilinear with the support widened by the scale, which is what Pillow's `BILINEAR` does. The part is seen as a
    /// picture of its own: what lies beside it doesn't bleed in.
    fn resize(&mut self, picture: &Picture, part: CropBox, width: u32, height: u32) -> Picture {
        let part = within(part, picture);
        let mut result = self.blank(width, height);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let source = TypedImageRef::<U8x3>::from_buffer(picture.width, picture.height, &picture.rgb).ok();
        let dest = TypedImage::<U8x3>::from_buffer(width, height, &mut result.rgb).ok();
        let done = source.zip(dest).and_then(|(source, mut dest)| {
            let part = TypedCroppedImage::new(source, part.left, part.top, part.width, part.height).ok()?;
            self.resizer.resize_typed(&part, &mut dest, &options).ok()
        });
        debug_assert!(done.is_some(), "a box inside the picture and buffers of the right length always fit");
        result
    }

    fn centre_crop(&mut self, picture: &Picture, size: [u32; 2]) -> Picture {
        let place = geometry::centre((picture.width, picture.height), size);
        let mut result = self.blank(size[1], size[0]);
        let bytes = place.source.width as usize * 3;
        let (from_stride, to_stride) = (picture.width as usize * 3, size[1] as usize * 3);
        let from = picture.rgb.chunks_exact(from_stride.max(1)).skip(place.source.top as usize);
        let to = result.rgb.chunks_exact_mut(to_stride.max(1)).skip(place.dest.1 as usize);
        let (from_at, to_at) = (place.source.left as usize * 3, place.dest.0 as usize * 3);
        for (from, to) in from.zip(to).take(place.source.height as usize) {
            to[to_at..to_at + bytes].copy_from_slice(&from[from_at..from_at + bytes]);
        }
        result
    }
}

/// A box cut to the picture, at least one pixel large: steps may come from a caller.
fn within(part: CropBox, picture: &Picture) -> CropBox {
    let left = part.left.min(picture.width.saturating_sub(1));
    let top = part.top.min(picture.height.saturating_sub(1));
    CropBox {
        top,
        left,
        height: part.height.clamp(1, picture.height - top),
        width: part.width.clamp(1, picture.width - left),
    }
}

/// Whether a step makes a picture of another size.
fn reshapes(step: &Step) -> bool {
    matches!(step, Step::ResizeShorter(_) | Step::Resize(_) | Step::ResizedCrop(..) | Step::CenterCrop(_))
}

/// Carries out a step that changes pixels where they are.
fn changed(mut picture: Picture, step: &Step) -> Picture {
    match *step {
        Step::Flip => flip(&mut picture),
        Step::Brightness(factor) => colour::brightness(&mut picture, factor),
        Step::Contrast(factor) => colour::contrast(&mut picture, factor),
        Step::Saturation(factor) => colour::saturation(&mut picture, factor),
        Step::Hue(shift) => colour::hue(&mut picture, shift),
        Step::Grayscale => colour::grayscale(&mut picture),
        Step::Blur(kernel_size, sigma) => gaussian::blur(&mut picture, kernel_size, sigma),
        Step::ResizeShorter(_) | Step::Resize(_) | Step::ResizedCrop(..) | Step::CenterCrop(_) => {}
    }
    picture
}

fn flip(picture: &mut Picture) {
    for row in picture.rgb.chunks_exact_mut((picture.width as usize * 3).max(1)) {
        let (pixels, _) = row.as_chunks_mut::<3>();
        pixels.reverse();
    }
}
