//! Each fault beside the healthy run that looks like it.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod faults;
mod healthy;
mod rehearsal;
mod subject;
mod table;
