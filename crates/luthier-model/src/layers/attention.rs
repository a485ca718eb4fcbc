//! Scaled dot-product attention (Vaswani et al. 2017) within the sequences of a packed batch.

use tch::{Device, Kind, Tensor};

use crate::groups::{Group, Source};
use crate::layout::index;
use crate::{Layout, ModelError};

/// Longest sequences for which two plain products are faster on the CPU than libtorch's fused kernel; see `attend`.
const SHORT_BF16: i64 = 512;
const SHORT_FP32: i64 = 96;

/// Attention of several heads within each sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Attention {
    /// Heads, which share the width evenly
    pub heads: i64,
    /// What scores are multiplied by
    pub scale: f64,
    /// A token sees the tokens before it and itself, not those after it
    pub causal: bool,
    /// Dropout of the weights in training
    pub dropout: f64,
}

impl Attention {
    /// Queries, keys and values `[total, D]` of every token to `[total, D]`.
    ///
    /// # Errors
    /// Shapes do not fit.
    pub(crate) fn everywhere(
        &self,
        layout: &Layout,
        [q, k, v]: [&Tensor; 3],
        train: bool,
    ) -> Result<Tensor, ModelError> {
        let mut outputs = Vec::with_capacity(layout.groups().len());
        for group in layout.groups() {
            let [q, k, v] = [rows(group, q)?, rows(group, k)?, rows(group, v)?];
            // in a causal net what is filled in comes after all that is real
            let mask = if self.causal { None } else { hidden_keys(group, layout.lengths(), q.device())? };
            let side = |x: &Tensor| self.side_by_side(x, group.longest);
            let y = self.attend([&side(&q)?, &side(&k)?, &side(&v)?], self.causal, mask, train)?;
            outputs.push(one_after_the_other(&y)?);
        }
        in_order(outputs, layout.back())
    }

    /// Sequences of the same length, one after the other: queries `[N · queries, D]`, keys and values `[N · length, D]`
    /// to `[N · queries, D]`.
    ///
    /// # Errors
    /// Shapes do not fit.
    pub(crate) fn within(
        &self,
        queries: i64,
        [q, k, v]: [&Tensor; 3],
        train: bool,
    ) -> Result<Tensor, ModelError> {
        let width = q.size2()?.1;
        let count = q.size2()?.0 / queries.max(1);
        let side = |x: &Tensor| -> Result<Tensor, ModelError> {
            Ok(x.f_view([count, -1, self.heads, width / self.heads])?.f_transpose(1, 2)?)
        };
        one_after_the_other(&self.attend([&side(q)?, &side(k)?, &side(v)?], self.causal, None, train)?)
    }

    /// Queries `[N, D]` of one token of each sequence, keys and values `[total, D]` of every token, to `[N, D]`. The
    /// query of a sequence sees as many of its first tokens as `visible` says.
    ///
    /// # Errors
    /// Shapes do not fit.
    pub(crate) fn of_one(
        &self,
        layout: &Layout,
        [q, k, v]: [&Tensor; 3],
        visible: &[i64],
        train: bool,
    ) -> Result<Tensor, ModelError> {
        let mut outputs = Vec::with_capacity(layout.groups().len());
        let mut back = vec![0; visible.len()];
        let mut next = 0;
        for group in layout.groups() {
            let queries = q.f_index_select(0, &index(&group.sequences, q.device())?)?;
            let [k, v] = [rows(group, k)?, rows(group, v)?];
            let mask = hidden_keys(group, visible, q.device())?;
            let side = |x: &Tensor| self.side_by_side(x, group.longest);
            let q = self.side_by_side(&queries, 1)?;
            let y = self.attend([&q, &side(&k)?, &side(&v)?], false, mask, train)?;
            outputs.push(one_after_the_other(&y)?);
            for &sequence in &group.sequences {
                back[sequence] = next;
                next += 1;
            }
        }
        let just_there = back.is_sorted();
        in_order(outputs, (!just_there).then_some(back.as_slice()))
    }

    /// `[N · length, D]` to `[N, heads, length, D / heads]`; a view.
    fn side_by_side(&self, x: &Tensor, length: usize) -> Result<Tensor, ModelError> {
        let width = x.size2()?.1;
        Ok(x.f_view([-1, int(length), self.heads, width / self.heads])?.f_transpose(1, 2)?)
    }

    /// `[N, heads, queries, d]` and `[N, heads, keys, d]`, twice, to `[N, heads, queries, d]`. `mask` `[N, 1, 1, keys]`
    /// is added to the scores.
    ///
    /// This is libtorch's `scaled_dot_product_attention`, but for short sequences on CPUs, where two plain products
    /// around a softmax are the same and faster: its fused kernel works in blocks that short sequences do not fill, and
    /// its backward pass multiplies bf16 without the processor's bf16 instructions. 30 sequences of 34 tokens, 12 heads
    /// of 64, two Zen 4 cores: forward 1.2 instead of 3.4 ms, with backward 5.8 instead of 32 ms.
    fn attend(
        &self,
        [q, k, v]: [&Tensor; 3],
        causal: bool,
        mask: Option<Tensor>,
        train: bool,
    ) -> Result<Tensor, ModelError> {
        let dropout = if train { self.dropout } else { 0.0 };
        let (_, _, _, keys, _) = sizes(q, k)?;
        let short = match q.kind() {
            Kind::BFloat16 => SHORT_BF16,
            _ => SHORT_FP32,
        };
        if q.device() == Device::Cpu && keys <= short {
            return self.products([q, k, v], causal, mask, dropout);
        }
        let mask = mask.map(|mask| mask.f_to_kind(q.kind())).transpose()?;
        Ok(Tensor::f_scaled_dot_product_attention(q, k, v, mask, dropout, causal, self.scale, false)?)
    }

    /// As `attend`, by two products around a softmax.
    fn products(
        &self,
        [q, k, v]: [&Tensor; 3],
        causal: bool,
        mask: Option<Tensor>,
        dropout: f64,
    ) -> Result<Tensor, ModelError> {
        let (count, heads, queries, keys, width) = sizes(q, k)?;
        let batch = |x: &Tensor, length: i64| x.f_reshape([count * heads, length, width]);
        let (q, k, v) = (batch(q, queries)?, batch(k, keys)?, batch(v, keys)?);
        let options = (q.kind(), q.device());
        let added = match (causal, mask) {
            (true, _) => Some(Tensor::f_full([queries, keys], f64::NEG_INFINITY, options)?.f_triu_(1)?),
            (false, Some(mask)) => {
                let mask = mask.f_to_kind(q.kind())?.f_expand([count, heads, 1, keys], false)?;
                Some(mask.f_reshape([count * heads, 1, keys])?)
            }
            (false, None) => None,
        };
        let k = k.f_transpose(1, 2)?;
        let scores = match added {
            Some(added) => added.f_baddbmm(&q, &k, 1.0, self.scale)?,
            None => Tensor::f_zeros([1], options)?.f_baddbmm(&q, &k, 0.0, self.scale)?,
        };
        let weights = scores.f_softmax(-1, None)?;
        let weights = if dropout > 0.0 { luthier_torch::dropout(&weights, dropout)? } else { weights };
        Ok(weights.f_bmm(&v)?.f_view([count, heads, queries, width])?)
    }
}

/// Sequences, heads, queries, keys and width of a head.
fn sizes(q: &Tensor, k: &Tensor) -> Result<(i64, i64, i64, i64, i64), ModelError> {
    let (count, heads, queries, width) = q.size4()?;
    let (_, _, keys, _) = k.size4()?;
    Ok((count, heads, queries, keys, width))
}

/// `[N, heads, length, D / heads]` to `[N · length, D]`.
fn one_after_the_other(y: &Tensor) -> Result<Tensor, ModelError> {
    Ok(y.f_transpose(1, 2)?.f_flatten(2, 3)?.f_flatten(0, 1)?)
}

/// The rows of a group, `[N · longest, D]`.
fn rows(group: &Group, x: &Tensor) -> Result<Tensor, ModelError> {
    Ok(match &group.source {
        Source::Run(first) => x.f_narrow(0, int(*first), int(group.sequences.len() * group.longest))?,
        Source::Gather(rows) => x.f_index_select(0, &index(rows, x.device())?)?,
    })
}

/// `[N, 1, 1, longest]`: -∞ at the keys of each sequence that are beyond its first `visible`, else 0; `None` if all are
/// seen.
fn hidden_keys(group: &Group, visible: &[i64], device: Device) -> Result<Option<Tensor>, ModelError> {
    let longest = int(group.longest);
    let seen: Vec<i64> = group.sequences.iter().map(|&sequence| visible[sequence]).collect();
    if seen.iter().all(|&seen| seen >= longest) {
        return Ok(None);
    }
    let mask: Vec<f32> = seen
        .iter()
        .flat_map(|&seen| (0..longest).map(move |key| if key < seen { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Ok(Some(Tensor::f_from_slice(&mask)?.f_view([-1, 1, 1, longest])?.f_to_device(device)?))
}

/// Groups one after the other, rows in the batch's own order.
fn in_order(mut groups: Vec<Tensor>, back: Option<&[usize]>) -> Result<Tensor, ModelError> {
    let rows = match (groups.pop(), groups.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            groups.extend(last);
            Tensor::f_cat(&groups, 0)?
        }
    };
    Ok(match back {
        Some(back) => rows.f_index_select(0, &index(back, rows.device())?)?,
        None => rows,
    })
}

fn int(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
