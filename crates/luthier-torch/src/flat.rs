//! All parameters of a group in one tensor, all their gradients in another.

use tch::{Device, Kind, Tensor};

use crate::{MemoryFormat, TorchError, grad, set_data, set_grad, view_at};

/// Elements that a parameter's offset is a multiple of: 64 bytes, one cache line and one AVX-512 register. The gaps
/// hold zeros, which no sum, norm or decay notices.
const ALIGNMENT: i64 = 16;

/// Where one parameter lies in a flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// First element
    pub offset: i64,
    /// Shape of the parameter
    pub shape: Vec<i64>,
    /// How it lies there
    pub format: MemoryFormat,
}

impl Slot {
    /// Elements of the parameter.
    pub fn len(&self) -> i64 {
        self.shape.iter().product()
    }

    /// Whether the parameter has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One contiguous fp32 tensor that holds the values of a list of parameters, and one that holds their gradients.
///
/// The parameters stay what they are, leaves of the graph with their own shapes, but stand on views of these tensors;
/// so do their `.grad`s, and a backward pass adds to them in place. An update, a norm, an average or an all-reduce of
/// the whole group is then one vector operation.
///
/// Whoever clears a parameter's `.grad` instead of calling [`FlatBuffer::zero_grad`] takes it off the buffer
/// ([`FlatBuffer::is_attached`] tells).
#[derive(Debug)]
pub struct FlatBuffer {
    data: Tensor,
    grad: Tensor,
    slots: Vec<Slot>,
    params: Vec<Tensor>,
}

impl FlatBuffer {
    /// Moves the parameters, leaves that want a gradient, onto a new buffer. Their values stay; gradients they have
    /// are dropped for zeros. 4-D ones are laid out in `format`.
    ///
    /// # Errors
    /// A parameter is not an fp32 leaf that wants a gradient, is on another device than the first, or is given twice.
    pub fn new(params: &[Tensor], format: MemoryFormat) -> Result<Self, TorchError> {
        let device = params.first().map_or(Device::Cpu, Tensor::device);
        let mut slots = Vec::with_capacity(params.len());
        let mut length = 0;
        for (index, param) in params.iter().enumerate() {
            check(param, device, &params[..index]).map_err(|why| TorchError::NotFlat { index, why })?;
            let slot = Slot { offset: length, shape: param.size(), format };
            length += (slot.len() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            slots.push(slot);
        }
        let data = Tensor::f_zeros([length], (Kind::Float, device))?;
        let grad = Tensor::f_zeros([length], (Kind::Float, device))?;
        for (param, slot) in params.iter().zip(&slots) {
            let mut value = view_at(&data, slot.offset, &slot.shape, slot.format)?;
            value.f_copy_(&param.f_detach()?)?;
            set_data(param, &value)?;
            set_grad(param, &view_at(&grad, slot.offset, &slot.shape, slot.format)?)?;
        }
        let params = params.iter().map(Tensor::shallow_clone).collect();
        Ok(Self { data, grad, slots, params })
    }

    /// Values of all parameters, in order, with zeros in the gaps. Writing to it writes the parameters.
    pub fn data(&self) -> &Tensor {
        &self.data
    }

    /// Gradients of all parameters, laid out as the values.
    pub fn grad(&self) -> &Tensor {
        &self.grad
    }

    /// Where each parameter lies, in the order they were given.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Sets all gradients to zero, in one fill.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn zero_grad(&self) -> Result<(), TorchError> {
        let _ = self.grad.shallow_clone().f_zero_()?;
        Ok(())
    }

    /// One view per parameter of a tensor that is laid out as [`FlatBuffer::data`]: optimizer state, say, or averaged
    /// weights.
    ///
    /// # Errors
    /// The tensor is shorter than the buffer.
    pub fn views(&self, flat: &Tensor) -> Result<Vec<Tensor>, TorchError> {
        self.slots.iter().map(|slot| view_at(flat, slot.offset, &slot.shape, slot.format)).collect()
    }

    /// Whether every parameter and every `.grad` still stands on this buffer.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn is_attached(&self) -> Result<bool, TorchError> {
        for ((param, data), grads) in
            self.params.iter().zip(self.views(&self.data)?).zip(self.views(&self.grad)?)
        {
            let Some(grad) = grad(param)? else { return Ok(false) };
            if param.data_ptr() != data.data_ptr() || grad.data_ptr() != grads.data_ptr() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Why a tensor cannot live in a flat buffer.
fn check(param: &Tensor, device: Device, others: &[Tensor]) -> Result<(), String> {
    if param.kind() != Kind::Float {
        return Err(format!("it is {:?}, not 32-bit floats", param.kind()));
    }
    if !param.requires_grad() || !param.f_is_leaf().map_err(|error| TorchError::from(error).to_string())? {
        return Err("it is not a leaf that wants a gradient".to_owned());
    }
    if param.device() != device {
        return Err(format!("it is on {:?}, the first one on {device:?}", param.device()));
    }
    if param.numel() > 0 && others.iter().any(|other| other.data_ptr() == param.data_ptr()) {
        return Err("it is in the list already".to_owned());
    }
    Ok(())
}
