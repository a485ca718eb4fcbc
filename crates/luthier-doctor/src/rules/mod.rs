//! Every rule, one file each, by category.

mod schedule;

use crate::Rule;

/// Every rule, in the order of their codes.
pub fn all() -> &'static [&'static Rule] {
    ALL
}

static ALL: &[&Rule] = &[&schedule::scheduler_unit::RULE];

/// The rule of that code, in any case, or of that name.
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code) || rule.name == code)
}
