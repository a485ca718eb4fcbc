use std::sync::Arc;

use luthier_plan::Role;
use tch::Tensor;

use super::Activation;
use super::frozen::Frozen;
use crate::lora::{Adapter, Slot};
use crate::switches::Switches;
use crate::{Builder, Init, ModelError};

/// A linear layer.
#[derive(Debug)]
pub struct Linear {
    affine: Affine,
    frozen: Frozen,
    slot: Slot,
    switches: Arc<Switches>,
}

/// Weight and bias.
#[derive(Debug)]
pub(crate) struct Affine {
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    order: Order,
}

/// Which outputs are wanted: the first of them and how many; `None` for all.
pub(crate) type Outputs = Option<(i64, i64)>;

/// How a weight lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// `[outputs, inputs]`, PyTorch's
    OutIn,
    /// `[inputs, outputs]`, GPT-2's, which came from TensorFlow
    InOut,
}

impl Linear {
    /// `weight` is `[outputs, inputs]`. Both start uniform in ±1/√inputs, PyTorch's default.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn new(place: Builder<'_>, inputs: i64, outputs: i64) -> Result<Self, ModelError> {
        // kaiming_uniform with a = √5: √(6 / ((1 + 5) · inputs))
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^53")]
        let init = Init::Uniform(1.0 / (inputs as f64).sqrt());
        Self::build(place, [outputs, inputs], Order::OutIn, init, Some(init))
    }

    /// `weight` is `[outputs, inputs]` and starts normal with this deviation; the bias starts at 0.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn normal(place: Builder<'_>, inputs: i64, outputs: i64, deviation: f64) -> Result<Self, ModelError> {
        let bias = Some(Init::Constant(0.0));
        Self::build(place, [outputs, inputs], Order::OutIn, Init::Normal(deviation), bias)
    }

    /// As [`Linear::normal`], without a bias.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn without_bias(
        place: Builder<'_>,
        inputs: i64,
        outputs: i64,
        deviation: f64,
    ) -> Result<Self, ModelError> {
        Self::build(place, [outputs, inputs], Order::OutIn, Init::Normal(deviation), None)
    }

    /// As [`Linear::normal`], with a `weight` `[inputs, outputs]`: the `Conv1D` of `transformers`. It takes `[n, inputs]`
    /// only.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn conv1d(place: Builder<'_>, inputs: i64, outputs: i64, deviation: f64) -> Result<Self, ModelError> {
        let bias = Some(Init::Constant(0.0));
        Self::build(place, [inputs, outputs], Order::InOut, Init::Normal(deviation), bias)
    }

    /// `weight` is `[outputs, inputs]`; without `bias` there is none.
    ///
    /// # Errors
    /// Memory runs out.
    pub fn started(
        place: Builder<'_>,
        inputs: i64,
        outputs: i64,
        weight: Init,
        bias: Option<Init>,
    ) -> Result<Self, ModelError> {
        Self::build(place, [outputs, inputs], Order::OutIn, weight, bias)
    }

    fn build(
        mut place: Builder<'_>,
        shape: [i64; 2],
        order: Order,
        init: Init,
        bias: Option<Init>,
    ) -> Result<Self, ModelError> {
        let outputs = if order == Order::OutIn { shape[0] } else { shape[1] };
        let weight = place.parameter("weight", &shape, Role::Weight, init)?;
        let bias = bias.map(|init| place.parameter("bias", &[outputs], Role::Bias, init)).transpose()?;
        let slot = place.site(&weight, order == Order::InOut);
        let switches = place.switches();
        let frozen = Frozen::new(Arc::clone(&switches));
        Ok(Self { affine: Affine { weight, bias, order }, frozen, slot, switches })
    }

    /// `[…, inputs]` to `[…, outputs]`.
    ///
    /// # Errors
    /// The shape of `x` does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let base = self.base(x)?;
        match self.slot.get().as_ref() {
            Some(adapter) => adapter.apply(&self.affine, x, base, None, self.switches.trains()),
            None => Ok(base),
        }
    }

    /// As [`Linear::forward`] of each layer on the same input. Where nothing is dropped, the `A x` of those that have LoRA
    /// are one product. With dropout each layer draws a mask of its own, as PEFT's do: what one mask hid from queries and
    /// values alike, neither would learn from.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub(crate) fn forward_each<const N: usize>(
        layers: [&Self; N],
        x: &Tensor,
    ) -> Result<[Tensor; N], ModelError> {
        let slots = layers.map(|layer| layer.slot.get());
        let adapters: Vec<&Adapter> = slots.iter().filter_map(|slot| slot.as_ref()).collect();
        let train = layers.iter().any(|layer| layer.switches.trains());
        let apart = |adapter: &&Adapter| adapter.magnitude.is_some() || (train && adapter.dropout > 0.0);
        if adapters.len() < 2 || adapters.iter().any(apart) {
            drop(adapters);
            drop(slots);
            return parts(layers.iter().map(|layer| layer.forward(x)).collect::<Result<_, _>>()?);
        }
        let a = Tensor::f_cat(&adapters.iter().map(|adapter| &adapter.a).collect::<Vec<_>>(), 0)?;
        let low = x.f_linear(&a, None::<&Tensor>)?;
        let count = i64::try_from(adapters.len()).unwrap_or(i64::MAX);
        let mut lows = low.f_chunk(count, -1)?.into_iter();
        let mut outputs = Vec::with_capacity(N);
        for (layer, slot) in layers.iter().zip(&slots) {
            let base = layer.base(x)?;
            outputs.push(match slot.as_ref().zip(slot.as_ref().and_then(|_| lows.next())) {
                Some((adapter, low)) => adapter.add(&base, &low, None)?,
                None => base,
            });
        }
        parts(outputs)
    }

    /// Without LoRA.
    fn base(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        match self.frozen.forward(&self.affine, x, None, None)? {
            Some(y) => Ok(y),
            None => self.affine.forward(x),
        }
    }

    /// As [`Linear::forward`], then the activation.
    ///
    /// # Errors
    /// As [`Linear::forward`].
    pub fn forward_then(&self, x: &Tensor, activation: Activation) -> Result<Tensor, ModelError> {
        if self.slot.get().is_some() {
            return activation.forward(&self.forward(x)?);
        }
        match self.frozen.forward(&self.affine, x, None, Some(activation))? {
            Some(y) => Ok(activation.seen(y)),
            None => activation.forward(&self.affine.forward(x)?),
        }
    }

    /// The layer's first `first` outputs of `a`, and the others of `b`.
    ///
    /// # Errors
    /// As [`Linear::forward`], or there are fewer outputs.
    pub fn forward_split(&self, a: &Tensor, b: &Tensor, first: i64) -> Result<[Tensor; 2], ModelError> {
        let others = self.affine.outputs() - first;
        let frozen = |x: &Tensor, start: i64, count: i64| {
            self.frozen.forward(&self.affine, x, Some((start, count)), None)
        };
        let slot = self.slot.get();
        if let (Some(a), Some(b), None) = (frozen(a, 0, first)?, frozen(b, first, others)?, slot.as_ref()) {
            return Ok([a, b]);
        }
        // split, not narrowed twice: the gradient is then put together once
        let [left, right] = self.affine.split([first, others])?;
        let Some(adapter) = slot.as_ref() else { return Ok([left.forward(a)?, right.forward(b)?]) };
        let train = self.switches.trains();
        let some = |layer: &Affine, x: &Tensor, start: i64, count: i64| {
            let base = match frozen(x, start, count)? {
                Some(base) => base,
                None => layer.forward(x)?,
            };
            adapter.apply(layer, x, base, Some((start, count)), train)
        };
        Ok([some(&left, a, 0, first)?, some(&right, b, first, others)?])
    }
}

impl Affine {
    pub(super) fn wants_grad(&self) -> bool {
        self.weight.requires_grad() || self.bias.as_ref().is_some_and(Tensor::requires_grad)
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(match (self.order, &self.bias) {
            (Order::OutIn, bias) => x.f_linear(&self.weight, bias.as_ref())?,
            (Order::InOut, Some(bias)) => bias.f_addmm(x, &self.weight)?,
            (Order::InOut, None) => x.f_matmul(&self.weight)?,
        })
    }

    /// The weight as `[outputs, inputs]`.
    pub(crate) fn out_in(&self) -> Result<Tensor, ModelError> {
        Ok(match self.order {
            Order::OutIn => self.weight.shallow_clone(),
            Order::InOut => self.weight.f_transpose(0, 1)?,
        })
    }

    /// Some of the outputs.
    pub(super) fn some(&self, outputs: Outputs) -> Result<Self, ModelError> {
        let Some((start, count)) = outputs else { return self.f_map(|tensor| Ok(tensor.shallow_clone())) };
        Ok(Self {
            weight: self.weight.f_narrow(self.output_axis(), start, count)?,
            bias: self.bias.as_ref().map(|bias| bias.f_narrow(0, start, count)).transpose()?,
            order: self.order,
        })
    }

    pub(super) fn f_map(
        &self,
        change: impl Fn(&Tensor) -> Result<Tensor, ModelError>,
    ) -> Result<Self, ModelError> {
        let bias = self.bias.as_ref().map(&change).transpose()?;
        Ok(Self { weight: change(&self.weight)?, bias, order: self.order })
    }

    fn split(&self, outputs: [i64; 2]) -> Result<[Self; 2], ModelError> {
        let weights = self.weight.f_split_with_sizes(outputs, self.output_axis())?;
        let biases = match &self.bias {
            Some(bias) => bias.f_split_with_sizes(outputs, 0)?.into_iter().map(Some).collect(),
            None => vec![None, None],
        };
        let pairs = weights.into_iter().zip(biases);
        parts(pairs.map(|(weight, bias)| Self { weight, bias, order: self.order }).collect())
    }

    fn output_axis(&self) -> i64 {
        match self.order {
            Order::OutIn => 0,
            Order::InOut => 1,
        }
    }

    fn outputs(&self) -> i64 {
        let axis = usize::try_from(self.output_axis()).unwrap_or(0);
        self.weight.size().get(axis).copied().unwrap_or(0)
    }
}

/// What a split gave.
pub(crate) fn parts<T, const N: usize>(parts: Vec<T>) -> Result<[T; N], ModelError> {
    <[T; N]>::try_from(parts).map_err(|parts| {
        let what = format!("a tensor that was split in {N} gave {} parts", parts.len());
        ModelError::Torch(luthier_torch::TorchError::Torch(what))
    })
}
