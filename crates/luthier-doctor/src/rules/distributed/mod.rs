//! Several processes that train one model. That ranks see the same samples, keep the same order every epoch, clip by a norm
//! of their own or drift apart needs no rule: a recipe cannot ask for it.

pub(super) mod rate;
