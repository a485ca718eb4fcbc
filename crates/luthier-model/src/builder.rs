//! Building a network names its parameters.

use std::fmt::Display;
use std::sync::Arc;

use luthier_plan::Role;
use luthier_torch::TorchError;
use tch::{Device, Kind, Tensor};

use crate::lora::{Site, Sites, Slot};
use crate::switches::Switches;
use crate::{Entry, ModelError, ParamStore};

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Normal with variance 2 / fan-out, for layers before a ReLU (He et al. 2015, torchvision's choice). Fan-out is
    /// counted as PyTorch does, over all output channels also where the convolution has groups
    KaimingNormal,
    /// Normal with this deviation
    Normal(f64),
    /// Uniform in ±bound
    Uniform(f64),
    /// The same number everywhere
    Constant(f64),
    /// A random matrix whose rows, or columns where those are fewer, are orthonormal (Saxe et al. 2014), as
    /// `torch.nn.init.orthogonal_`; a kernel is a matrix of one row per output channel
    Orthogonal,
}

/// A place in a [`ParamStore`] below which a layer puts its parameters.
#[derive(Debug)]
pub struct Builder<'a> {
    store: &'a mut ParamStore,
    prefix: String,
    device: Device,
    draw: bool,
    switches: Arc<Switches>,
    sites: Arc<Sites>,
}

impl<'a> Builder<'a> {
    /// The root of a store. Values are drawn from libtorch's CPU generator, so they are the same on every device.
    pub fn new(store: &'a mut ParamStore, device: Device) -> Self {
        Self {
            store,
            prefix: String::new(),
            device,
            draw: true,
            switches: Arc::default(),
            sites: Arc::default(),
        }
    }

    /// The root of a store whose values do not matter: memory is reserved and never touched.
    pub(crate) fn shapes_only(store: &'a mut ParamStore) -> Self {
        Self { draw: false, ..Self::new(store, Device::Cpu) }
    }

    /// The place `name` below this one.
    pub fn at(&mut self, name: impl Display) -> Builder<'_> {
        let prefix = self.full(&name);
        let (device, draw, switches) = (self.device, self.draw, self.switches());
        let sites = self.sites();
        Builder { store: self.store, prefix, device, draw, switches, sites }
    }

    /// What can be switched while the model is in use.
    pub(crate) fn switches(&self) -> Arc<Switches> {
        Arc::clone(&self.switches)
    }

    /// The linear layers that were built.
    pub(crate) fn sites(&self) -> Arc<Sites> {
        Arc::clone(&self.sites)
    }

    /// Makes a linear layer known at this place, and gives the slot that LoRA may fill.
    pub(crate) fn site(&self, weight: &Tensor, transposed: bool) -> Slot {
        let (slot, weight) = (Slot::default(), weight.shallow_clone());
        self.sites.add(Site { name: self.prefix.clone(), weight, transposed, slot: slot.clone() });
        slot
    }

    /// The name of this place.
    pub fn path(&self) -> &str {
        &self.prefix
    }

    /// A parameter of this place, fp32, which wants a gradient.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn parameter(
        &mut self,
        name: &str,
        shape: &[i64],
        role: Role,
        init: Init,
    ) -> Result<Tensor, ModelError> {
        let mut tensor = self.drawn(shape, Kind::Float, init)?;
        let _ = tensor.f_requires_grad_(true)?;
        Ok(self.put(name, tensor, role))
    }

    /// A buffer of this place: state that no gradient moves.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn buffer(
        &mut self,
        name: &str,
        shape: &[i64],
        kind: Kind,
        value: f64,
    ) -> Result<Tensor, ModelError> {
        let tensor = self.drawn(shape, kind, Init::Constant(value))?;
        Ok(self.put(name, tensor, Role::Buffer))
    }

    fn put(&mut self, name: &str, tensor: Tensor, role: Role) -> Tensor {
        let handle = tensor.shallow_clone();
        self.store.push(Entry { name: self.full(&name), tensor, role });
        handle
    }

    fn full(&self, name: &dyn Display) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }

    fn drawn(&self, shape: &[i64], kind: Kind, init: Init) -> Result<Tensor, TorchError> {
        let mut tensor = Tensor::f_empty(shape, (kind, Device::Cpu))?;
        if !self.draw {
            return Ok(tensor);
        }
        let tensor = match init {
            Init::KaimingNormal => {
                let area: i64 = shape.iter().skip(2).product();
                let fan_out = shape.first().copied().unwrap_or(1) * area;
                #[expect(clippy::cast_precision_loss, reason = "fans are far below 2^53")]
                let deviation = (2.0 / fan_out as f64).sqrt();
                tensor.f_normal_(0.0, deviation)?
            }
            Init::Normal(deviation) => tensor.f_normal_(0.0, deviation)?,
            Init::Uniform(bound) => tensor.f_uniform_(-bound, bound)?,
            Init::Constant(value) => tensor.f_fill_(value)?,
            Init::Orthogonal => orthogonal(shape)?,
        };
        Ok(tensor.f_to_device(self.device)?)
    }
}

/// Q of the decomposition of a normal matrix, its signs such that it is distributed evenly.
fn orthogonal(shape: &[i64]) -> Result<Tensor, TorchError> {
    let rows = shape.first().copied().unwrap_or(1);
    let columns: i64 = shape.iter().skip(1).product();
    let tall = rows >= columns;
    let size = if tall { [rows, columns] } else { [columns, rows] };
    let normal = Tensor::f_empty(size, (Kind::Float, Device::Cpu))?.f_normal_(0.0, 1.0)?;
    let (q, r) = Tensor::f_linalg_qr(&normal, "reduced")?;
    let q = q.f_mul(&r.f_diag(0)?.f_sign()?)?;
    let q = if tall { q } else { q.f_transpose(0, 1)? };
    Ok(q.f_contiguous()?.f_view(shape)?)
}
