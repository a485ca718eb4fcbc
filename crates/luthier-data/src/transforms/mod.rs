//! The transform chain: torchvision's names, arguments and meaning (v1 transforms on Pillow pictures).
//!
//! A chain is parsed once into steps. For each sample the random ones draw their numbers into [`Step`]s, which are then
//! carried out: a step with its numbers given is the same function whoever drew them, so that each can be compared
//! with torchvision's.

mod colour;
mod draw;
mod error;
mod gaussian;
mod geometry;
mod run;
mod to_floats;

use luthier_recipe::{Size, Transform};

pub use crate::picture::CropBox;
pub use error::TransformError;
pub use run::Scratch;

use crate::{
    picture::{Part, Picture},
    random,
};
use to_floats::ToFloats;

/// One step with all its numbers decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Scale so that the shorter side has this many pixels, ratio kept
    ResizeShorter(u32),
    /// Scale to height, width
    Resize([u32; 2]),
    /// Cut the middle of height, width; pad with black where the picture is smaller
    CenterCrop([u32; 2]),
    /// Cut this box and scale it to height, width
    ResizedCrop(CropBox, [u32; 2]),
    /// Mirror left and right
    Flip,
    /// Multiply towards black by a factor, as `adjust_brightness`
    Brightness(f64),
    /// Blend with the mean grey by a factor, as `adjust_contrast`
    Contrast(f64),
    /// Blend with the grey picture by a factor, as `adjust_saturation`
    Saturation(f64),
    /// Turn the colour circle by a share in [−0.5, 0.5], as `adjust_hue`
    Hue(f64),
    /// Three equal channels of the luma
    Grayscale,
    /// Blur with a Gaussian of this many pixels and this standard deviation
    Blur(u32, f64),
}

/// What the random numbers of a sample are keyed by. Nothing else decides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleKey {
    /// The run's seed
    pub seed: u64,
    /// The epoch, from 0
    pub epoch: u64,
    /// The sample's index in the data set
    pub index: u64,
    /// Which of several views of the sample; 0 where there is one
    pub view: u32,
}

/// A chain of transforms, checked and ready.
#[derive(Debug, Clone)]
pub struct Chain {
    ops: Vec<Transform>,
    floats: ToFloats,
}

impl Chain {
    /// Checks the arguments.
    ///
    /// # Errors
    /// An argument that is impossible, or `Normalize` anywhere but at the end.
    pub fn new(transforms: &[Transform]) -> Result<Chain, TransformError> {
        for op in transforms {
            error::check(op)?;
        }
        let (ops, floats) = match transforms.split_last() {
            Some((Transform::Normalize { mean, std }, ops)) => (ops, ToFloats::new(*mean, *std)),
            _ => (transforms, ToFloats::new([0.0; 3], [1.0; 3])),
        };
        if ops.iter().any(|op| matches!(op, Transform::Normalize { .. })) {
            return Err(TransformError::NormalizeNotLast);
        }
        Ok(Chain { ops: ops.to_vec(), floats })
    }

    /// Height and width of every result.
    ///
    /// # Errors
    /// When the size depends on the picture, so that results can't be put into one batch.
    pub fn output_size(&self) -> Result<(u32, u32), TransformError> {
        self.ops
            .iter()
            .fold(None, |size, op| geometry::size_after(op, size))
            .ok_or(TransformError::SizeVaries)
    }

    /// Whether a picture always gives the same result, whatever the key.
    pub fn deterministic(&self) -> bool {
        self.fixed_steps() == self.ops.len()
    }

    /// How many leading transforms are not random: their result can be kept.
    pub(crate) fn fixed_steps(&self) -> usize {
        self.ops.iter().take_while(|op| !draw::is_random(op)).count()
    }

    /// The result of the leading transforms that are not random.
    pub(crate) fn fixed_part(&self, picture: Picture, scratch: &mut Scratch) -> Picture {
        let size = (picture.width, picture.height);
        let steps =
            self.draw(size, 0..self.fixed_steps(), SampleKey { seed: 0, epoch: 0, index: 0, view: 0 });
        if steps.is_empty() { picture } else { scratch.run(&picture, &steps) }
    }

    /// The steps that the chain takes for one picture of a width and height.
    pub fn steps(&self, size: (u32, u32), key: SampleKey) -> Vec<Step> {
        self.draw(size, 0..self.ops.len(), key)
    }

    fn draw(&self, size: (u32, u32), ops: std::ops::Range<usize>, key: SampleKey) -> Vec<Step> {
        let mut rng = random::rng(key.seed, key.epoch, key.index, random::Purpose::View(key.view));
        let mut size = size;
        let mut steps = Vec::new();
        for op in self.ops.get(ops).unwrap_or_default() {
            draw::steps(op, size, &mut rng, &mut steps);
            size = geometry::picture_size_after(op, size);
        }
        steps
    }

    /// Runs the whole chain: `height × width × 3` floats, row by row, channels last, into `out`.
    ///
    /// # Errors
    /// When `out` has not exactly the length of the result.
    pub fn apply(
        &self,
        picture: &Picture,
        key: SampleKey,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), TransformError> {
        let steps = self.steps((picture.width, picture.height), key);
        self.apply_steps(picture, &steps, scratch, out)
    }

    /// Runs what is left of the chain after [`Chain::fixed_part`].
    pub(crate) fn apply_rest(
        &self,
        picture: &Picture,
        key: SampleKey,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), TransformError> {
        let steps = self.draw((picture.width, picture.height), self.fixed_steps()..self.ops.len(), key);
        self.apply_steps(picture, &steps, scratch, out)
    }

    /// The box that the chain cuts out of a picture of a width and height before anything else. Nothing outside it is
    /// ever looked at.
    pub(crate) fn first_box(&self, size: (u32, u32), key: SampleKey) -> Option<CropBox> {
        match self.steps(size, key).first() {
            Some(Step::ResizedCrop(part, _)) => Some(*part),
            _ => None,
        }
    }

    /// Whether there is a [`Chain::first_box`] in every picture.
    pub(crate) fn cuts_first(&self) -> bool {
        matches!(self.ops.first(), Some(Transform::RandomResizedCrop { .. }))
    }

    /// Runs the whole chain on a part that holds at least its [`Chain::first_box`].
    pub(crate) fn apply_to_part(
        &self,
        part: &Part,
        key: SampleKey,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), TransformError> {
        let mut steps = self.steps(part.whole, key);
        if let Some(Step::ResizedCrop(place, _)) = steps.first_mut() {
            place.left -= part.left;
            place.top -= part.top;
        }
        self.apply_steps(&part.picture, &steps, scratch, out)
    }

    /// Runs given steps, then the chain's `Normalize`.
    ///
    /// # Errors
    /// When `out` has not exactly the length of the result.
    pub fn apply_steps(
        &self,
        picture: &Picture,
        steps: &[Step],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), TransformError> {
        // a flip at the end costs nothing when it is done while floats are written
        let (steps, flip) = match steps.split_last() {
            Some((Step::Flip, before)) => (before, true),
            _ => (steps, false),
        };
        if steps.is_empty() {
            return self.floats.write(picture, flip, out);
        }
        let result = scratch.run(picture, steps);
        let written = self.floats.write(&result, flip, out);
        scratch.recycle(result);
        written
    }

    /// The first transform that cuts out more than a picture has, and the first such picture, as indices: torchvision
    /// pads it with black, which nobody wants and few notice.
    pub fn first_padded(&self, sizes: &[(u32, u32)]) -> Option<(usize, usize)> {
        let mut current = sizes.to_vec();
        for (at, op) in self.ops.iter().enumerate() {
            if let Transform::CenterCrop { size } = op {
                let [height, width] = both(*size);
                if let Some(small) = current.iter().position(|(w, h)| *w < width || *h < height) {
                    return Some((at, small));
                }
            }
            for size in &mut current {
                *size = geometry::picture_size_after(op, *size);
            }
        }
        None
    }

    /// One sentence for each thing that pictures of these widths and heights make worth knowing.
    pub fn notes(&self, sizes: &[(u32, u32)]) -> Vec<String> {
        let mut notes = Vec::new();
        let mut current = sizes.to_vec();
        for op in &self.ops {
            if let Some(note) = geometry::note(op, &current) {
                notes.push(note);
            }
            for size in &mut current {
                *size = geometry::picture_size_after(op, *size);
            }
        }
        notes
    }
}

/// Height and width of a [`Size`] whose single number stands for both.
fn both(size: Size) -> [u32; 2] {
    match size {
        Size::One(side) => [side, side],
        Size::Pair(pair) => pair,
    }
}
