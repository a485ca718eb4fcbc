//! Every rule, one file each, by category.

mod probed;
mod schedule;

use std::sync::LazyLock;

use crate::Rule;

/// Every rule, in the order of their codes.
pub fn all() -> &'static [&'static Rule] {
    static EVERY: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| [ALL, probed::PROBED].concat());
    &EVERY
}

static ALL: &[&Rule] = &[&schedule::scheduler_unit::RULE];

/// The rule of that code, in any case, or of that name.
pub fn find(code: &str) -> Option<&'static Rule> {
    all().iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code) || rule.name == code)
}
