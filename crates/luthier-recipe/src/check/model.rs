//! Architecture and weights.

use super::Tell;
use crate::Model;

pub(super) fn check(model: &Model, tell: &mut Tell<'_>) {
    if model.train.is_some() && !model.freeze.is_empty() {
        tell(
            &["model.train", "model.freeze"],
            "`model.train` and `model.freeze` are both given".to_string(),
            "name what is trained or what is not, and the rest follows",
        );
    }
    if model.arch.reads_text() {
        return;
    }
    for (key, given) in [("model.config", model.config.is_some()), ("model.pool", model.pool.is_some())] {
        if given {
            tell(
                &[key, "model.arch"],
                format!("`{key}` is for models of texts, and this architecture sees pictures"),
                "leave it out, or choose `gpt2` or `bert`",
            );
        }
    }
}
