//! From bytes to normalised floats: there are only 256 results per channel, so they are looked up.

use super::TransformError;
use crate::picture::Picture;

/// `ToTensor`, then `Normalize`: (x / 255 − mean) / std, in `f32` as there.
#[derive(Debug, Clone)]
pub(super) struct ToFloats {
    tables: Box<[[f32; 256]; 3]>,
}

impl ToFloats {
    pub(super) fn new(mean: [f32; 3], std: [f32; 3]) -> ToFloats {
        let table = |c: usize| std::array::from_fn(|v| (v as f32 / 255.0 - mean[c]) / std[c]);
        ToFloats { tables: Box::new([table(0), table(1), table(2)]) }
    }

    /// Writes `height × width × 3` floats; `flip` mirrors left and right.
    pub(super) fn write(&self, picture: &Picture, flip: bool, out: &mut [f32]) -> Result<(), TransformError> {
        if out.len() != picture.rgb.len() {
            let Picture { width, height, .. } = *picture;
            return Err(TransformError::Room { height, width, room: out.len() });
        }
        let row = (picture.width as usize * 3).max(1);
        for (from, to) in picture.rgb.chunks_exact(row).zip(out.chunks_exact_mut(row)) {
            let (from, to) = (from.as_chunks::<3>().0.iter(), to.as_chunks_mut::<3>().0.iter_mut());
            if flip {
                from.rev().zip(to).for_each(|(from, to)| *to = self.look_up(*from));
            } else {
                from.zip(to).for_each(|(from, to)| *to = self.look_up(*from));
            }
        }
        Ok(())
    }

    fn look_up(&self, [r, g, b]: [u8; 3]) -> [f32; 3] {
        let [red, green, blue] = &*self.tables;
        [red[usize::from(r)], green[usize::from(g)], blue[usize::from(b)]]
    }
}
