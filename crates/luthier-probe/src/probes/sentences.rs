//! Texts that are changed on purpose, and what a network makes of them.

use luthier_model::{Input, Tokens};
use luthier_torch::autocast;
use luthier_train::TrainError;
use tch::Tensor;

use super::Left;
use crate::bench::Bench;

/// Texts that are looked through for a fit one.
const LOOKED_AT: usize = 256;

/// Tokens of a text that are used.
const LONGEST: usize = 64;

/// The first text of the first epoch that fits, cut to a length that costs little.
pub(super) fn text(bench: &Bench, fits: impl Fn(&[u32]) -> bool) -> Result<Vec<u32>, Left> {
    let Some(texts) = bench.runner().feed.texts("train")? else {
        return Err(Left("it is about texts".into()));
    };
    let picked = bench.order.iter().take(LOOKED_AT).filter_map(|index| texts.get(*index as usize));
    let mut cut = picked.map(|text| &text[..text.len().min(LONGEST)]);
    let found = cut.find(|text| fits(text)).map(<[u32]>::to_vec);
    found.ok_or_else(|| Left(format!("none of the first {LOOKED_AT} training texts is long enough for it")))
}

/// Packs texts.
pub(super) fn packed(bench: &Bench, texts: &[&[u32]]) -> Result<Tokens, TrainError> {
    let mut tokens = Tokens::pack(texts)?;
    tokens.ids = tokens.ids.f_to_device(bench.runner().device)?;
    Ok(tokens)
}

/// What the network gives for one text before the last part, in fp32: what the head reads of it, or the mean over its
/// tokens where the head has that to do, `[D]`.
pub(super) fn pooled(bench: &Bench, texts: &[&[u32]], which: usize) -> Result<Tensor, TrainError> {
    let hidden = hidden(bench, texts, 1)?;
    let rows = hidden.size()[0];
    if rows == texts.len() as i64 {
        return Ok(hidden.f_get(which as i64)?);
    }
    let before: usize = texts.iter().take(which).map(|text| text.len()).sum();
    let own = hidden.f_narrow(0, before as i64, texts[which].len() as i64)?;
    Ok(own.f_mean_dim(0, false, tch::Kind::Float)?)
}

/// What comes out before so many last parts, in fp32.
pub(super) fn hidden(bench: &Bench, texts: &[&[u32]], before: usize) -> Result<Tensor, TrainError> {
    let _quiet = tch::no_grad_guard();
    let model = &bench.runner().model;
    let end = model.parts().len().saturating_sub(before);
    let input = Input::Tokens(packed(bench, texts)?);
    let flow = autocast(bench.runner().device, false, || model.run(0..end, model.begin(&input)?, false))?;
    Ok(flow.hidden.f_to_kind(tch::Kind::Float)?)
}
