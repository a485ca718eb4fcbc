//! All parameters of a group in one tensor.

use tch::{Device, Kind, Tensor};

use crate::{MemoryFormat, TorchError, clear_grad, grad, set_data, view_at};

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

/// One contiguous fp32 tensor that holds the values of a list of parameters.
///
/// The parameters stay what they are, leaves of the graph with their own shapes, but stand on views of it: an average or
/// a broadcast of the whole group is one vector operation. Their gradients are not kept flat: a backward pass would have
/// to add each to zeros that were written before, which for small batches costs more than the update itself; as it is,
/// it hands them over.
#[derive(Debug)]
pub struct FlatBuffer {
    data: Tensor,
    slots: Vec<Slot>,
    params: Vec<Tensor>,
}

impl FlatBuffer {
    /// Moves the parameters, leaves that want a gradient, onto a new buffer. Their values stay; gradients they have
    /// are dropped. 4-D ones are laid out in `format`.
    ///
    /// # Errors
    /// A parameter is not an fp32 leaf that wants a gradient, is on another device than the first, or is given twice.
    pub fn new(params: &[Tensor], format: MemoryFormat) -> Result<Self, TorchError> {
        let flat = Self::beside(params, format)?;
        for (param, value) in params.iter().zip(flat.views(&flat.data)?) {
            set_data(param, &value)?;
            clear_grad(param)?;
        }
        Ok(flat)
    }

    /// The same layout with a copy of the values, while the parameters stay where they are: for a second optimizer of
    /// parameters that lie in another buffer already. [`FlatBuffer::data`] does not follow them.
    ///
    /// # Errors
    /// As [`FlatBuffer::new`].
    pub fn beside(params: &[Tensor], format: MemoryFormat) -> Result<Self, TorchError> {
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
        for (param, slot) in params.iter().zip(&slots) {
            view_at(&data, slot.offset, &slot.shape, slot.format)?.f_copy_(&param.f_detach()?)?;
        }
        let params = params.iter().map(Tensor::shallow_clone).collect();
        Ok(Self { data, slots, params })
    }

    /// Values of all parameters, in order, with zeros in the gaps. Writing to it writes the parameters.
    pub fn data(&self) -> &Tensor {
        &self.data
    }

    /// The parameters, in the order they were given.
    pub fn params(&self) -> &[Tensor] {
        &self.params
    }

    /// Their gradients; `None` for one that the loss did not depend on.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn grads(&self) -> Result<Vec<Option<Tensor>>, TorchError> {
        self.params.iter().map(grad).collect()
    }

    /// Where each parameter lies, in the order they were given.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Drops all gradients: the next backward pass makes new ones.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn clear_grads(&self) -> Result<(), TorchError> {
        self.params.iter().try_for_each(clear_grad)
    }

    /// One view per parameter of a tensor that is laid out as [`FlatBuffer::data`]: optimizer state, say, or averaged
    /// weights.
    ///
    /// # Errors
    /// The tensor is shorter than the buffer.
    pub fn views(&self, flat: &Tensor) -> Result<Vec<Tensor>, TorchError> {
        self.slots.iter().map(|slot| view_at(flat, slot.offset, &slot.shape, slot.format)).collect()
    }

    /// Whether every parameter still stands on this buffer.
    ///
    /// # Errors
    /// libtorch refuses, which it has no reason to.
    pub fn is_attached(&self) -> Result<bool, TorchError> {
        let views = self.views(&self.data)?;
        Ok(self.params.iter().zip(views).all(|(param, view)| param.data_ptr() == view.data_ptr()))
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
