//! What the architectures for texts share.

use tch::{Kind, Tensor};

use crate::{Flow, Input, Layout, ModelError};

/// The beginning of a network for texts: packed ids, all of them in the vocabulary, no sequence longer than the
/// positions.
pub(crate) fn tokens(input: &Input, vocabulary: i64, positions: i64) -> Result<Flow, ModelError> {
    let Input::Tokens(tokens) = input else {
        return Err(ModelError::OtherInput { wants: "text", given: input.kind() });
    };
    let (ids, lengths) = (&tokens.ids, &tokens.lengths);
    let total = lengths.iter().try_fold(0_i64, |sum, &length| sum.checked_add(length));
    if ids.kind() != Kind::Int64 || ids.dim() != 1 || total != ids.size().first().copied() {
        let (shape, kind) = (ids.size(), ids.kind());
        return Err(ModelError::Packing { shape, kind, lengths: total.unwrap_or(i64::MAX) });
    }
    if lengths.is_empty() {
        return Err(ModelError::NoTexts);
    }
    for (text, &length) in lengths.iter().enumerate() {
        if length < 1 {
            return Err(ModelError::EmptyText { text });
        }
        if length > positions {
            return Err(ModelError::LongText { text, length, positions });
        }
    }
    for id in [ids.f_min()?, ids.f_max()?] {
        let id = id.f_int64_value(&[])?;
        if !(0..vocabulary).contains(&id) {
            return Err(ModelError::UnknownToken { id, vocabulary });
        }
    }
    Ok(Flow::packed(ids.shallow_clone(), lengths.clone()))
}

/// The layout that every flow of a text has.
pub(crate) fn layout(flow: &Flow) -> Result<&Layout, ModelError> {
    flow.layout.as_deref().ok_or(ModelError::NoLayout)
}

/// Dropout, where there is one.
pub(crate) fn dropped(x: Tensor, rate: f64, train: bool) -> Result<Tensor, ModelError> {
    Ok(if train && rate > 0.0 { luthier_torch::dropout(&x, rate)? } else { x })
}
