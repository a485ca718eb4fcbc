//! What the tests share.
#![allow(dead_code, reason = "each test binary needs a part of it")]

use bytes::Bytes;
use luthier_weights::{Weights, WeightsError};
use std::path::{Path, PathBuf};

/// A file beside the script that made it.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A fixture's content.
pub fn content(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).expect("the fixture is there")
}

/// As the library reads a file's content.
pub fn read_bytes(content: &[u8]) -> Result<Weights, WeightsError> {
    luthier_weights::read_bytes("the file", &Bytes::copy_from_slice(content))
}
