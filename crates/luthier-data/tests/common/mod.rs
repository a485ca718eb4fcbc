//! Where tests find their files.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};

/// The bytes of a fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The real data beside the repository; a test without it says so and ends.
pub fn shared_data() -> Option<PathBuf> {
    let named = std::env::var_os("LUTHIER_SHARED_DATA").map(PathBuf::from);
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
    let beside = here.ancestors().map(|up| up.join("shared/data")).find(|path| path.is_dir());
    let found = named.or(beside);
    if found.is_none() {
        eprintln!("skipped: no shared/data beside the repository, and LUTHIER_SHARED_DATA is not set");
    }
    found
}
