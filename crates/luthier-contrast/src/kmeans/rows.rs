//! Where rows come from: a tensor, or a file.

use tch::{Device, Kind, Tensor};

use crate::{ContrastError, Features};

/// A matrix that is read block by block.
pub trait Rows {
    /// How many
    fn rows(&self) -> i64;
    /// Numbers in each
    fn width(&self) -> i64;
    /// Where blocks are
    fn device(&self) -> Device;
    /// Rows `first .. first + count` as a contiguous fp32 tensor.
    ///
    /// # Errors
    /// They are not there, or cannot be read.
    fn block(&self, first: i64, count: i64) -> Result<Tensor, ContrastError>;
}

impl Rows for Tensor {
    fn rows(&self) -> i64 {
        self.size().first().copied().unwrap_or(0)
    }

    fn width(&self) -> i64 {
        self.size().get(1).copied().unwrap_or(0)
    }

    fn device(&self) -> Device {
        Tensor::device(self)
    }

    fn block(&self, first: i64, count: i64) -> Result<Tensor, ContrastError> {
        Ok(self.f_detach()?.f_narrow(0, first, count)?.f_to_kind(Kind::Float)?.f_contiguous()?)
    }
}

impl Rows for Features {
    fn rows(&self) -> i64 {
        Features::rows(self)
    }

    fn width(&self) -> i64 {
        Features::width(self)
    }

    fn device(&self) -> Device {
        Device::Cpu
    }

    fn block(&self, first: i64, count: i64) -> Result<Tensor, ContrastError> {
        Features::block(self, first, count)
    }
}
