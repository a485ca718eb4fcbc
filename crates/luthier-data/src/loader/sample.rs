//! How one sample is made.

use std::sync::Arc;

use super::{DataError, Shared};
use crate::{
    picture::{self, Picture, PictureError},
    transforms::{SampleKey, Scratch},
};

impl Shared {
    /// Makes one view of one sample: `height × width × 3` floats into `out`.
    pub(super) fn load(
        &self,
        index: u32,
        epoch: u64,
        view: u32,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let key = SampleKey { seed: self.seed, epoch, index: u64::from(index), view };
        if let Some(picture) = self.cache.get(index) {
            return Ok(self.chain.apply_rest(&picture, key, scratch, out)?);
        }
        if self.cache.is_sound(index) || !self.cache.has_room() {
            return self.load_part(index, key, scratch, out);
        }
        let picture = Arc::new(self.decode(index, scratch)?);
        self.cache.keep(index, &picture);
        Ok(self.chain.apply_rest(&picture, key, scratch, out)?)
    }

    pub(super) fn label(&self, index: u32) -> i64 {
        self.source.samples.sample(index as usize).map_or(-1, |(_, label)| i64::from(label))
    }

    /// The sample after the part of the chain that is the same in every epoch.
    fn decode(&self, index: u32, scratch: &mut Scratch) -> Result<Picture, DataError> {
        let bytes = self.read(index)?;
        let decoded = picture::decode(&bytes, self.source.limits).map_err(|e| self.unreadable(index, e))?;
        Ok(self.chain.fixed_part(decoded, scratch))
    }

    /// Makes a sample without decoding what its chain never looks at.
    fn load_part(
        &self,
        index: u32,
        key: SampleKey,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let (bytes, limits) = (self.read(index)?, self.source.limits);
        let read_through = || picture::index(&bytes, limits);
        let places = if self.chain.cuts_first() { self.cache.index(index, read_through) } else { None };
        // every picture is read or decoded whole once: whether it is broken must not depend on the box that is drawn
        if places.is_none() && !self.cache.is_sound(index) {
            let decoded = picture::decode(&bytes, limits).map_err(|e| self.unreadable(index, e))?;
            self.cache.found_sound(index);
            return Ok(self.chain.apply(&decoded, key, scratch, out)?);
        }
        let wanted = |size| self.chain.first_box(size, key);
        let part =
            picture::decode_part(bytes, limits, places, wanted).map_err(|e| self.unreadable(index, e))?;
        Ok(self.chain.apply_to_part(&part, key, scratch, out)?)
    }

    fn read(&self, index: u32) -> Result<Vec<u8>, DataError> {
        let (path, _) =
            self.source.samples.sample(index as usize).ok_or(DataError::NoSuchSample { index })?;
        let path = self.source.root.join(path);
        picture::read_file(&path, self.source.limits).map_err(|e| self.unreadable(index, e))
    }

    fn unreadable(&self, index: u32, source: PictureError) -> DataError {
        let path = self.source.samples.sample(index as usize).map(|(path, _)| path.to_owned());
        DataError::Picture { path: path.unwrap_or_default(), source }
    }
}
