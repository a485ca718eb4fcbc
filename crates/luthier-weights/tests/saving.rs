//! Saving: whole or not at all.

mod common;

use common::fixture;
use luthier_weights::{Dtype, View, Weights, read, write_atomically, write_safetensors};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

fn save(path: &Path, weights: &Weights) -> u64 {
    let tensors = weights.tensors.iter().map(|(name, tensor)| (name.as_str(), View::from(tensor)));
    write_safetensors(path, tensors, &weights.metadata).expect("saved").bytes
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn zeros(size: usize) -> Vec<u8> {
    vec![0; size]
}

#[test]
fn what_is_saved_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.safetensors");
    for name in ["types-old.pth", "types-zip.pth", "types.safetensors", "views-old.pth", "state-zip.pth"] {
        let before = read(&fixture(name)).expect("a fixture");
        let size = save(&path, &before);
        assert_eq!(size, fs::metadata(&path).expect("it is there").len(), "{name}");
        let after = read(&path).expect("what was saved");
        assert_eq!(after.metadata, before.metadata, "{name}");
        assert_eq!(after.tensors.len(), before.tensors.len(), "{name}");
        for (key, tensor) in &before.tensors {
            assert_eq!(after.tensors.get(key), Some(tensor), "{name}: {key}");
        }
        let once = fs::read(&path).expect("saved");
        save(&path, &before);
        assert_eq!(fs::read(&path).expect("saved"), once, "{name}: the same bytes every time");
    }
    assert_eq!(files(folder.path()), ["model.safetensors"], "no temporary file is left");
}

#[test]
fn wider_elements_come_first_so_that_all_are_aligned() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    let data = zeros(24);
    let view = |dtype, shape| View { dtype, shape, bytes: &data[..] };
    let odd = View { dtype: Dtype::U8, shape: &[3], bytes: &data[..3] };
    let tensors = [
        ("odd", odd),
        ("b", view(Dtype::F32, &[6])),
        ("a", view(Dtype::I64, &[3])),
        ("c", view(Dtype::F32, &[2, 3])),
    ];
    write_safetensors(&path, tensors, &BTreeMap::new()).expect("saved");
    let weights = read(&path).expect("what was saved");
    assert_eq!(weights.tensors.keys().collect::<Vec<_>>(), ["a", "b", "c", "odd"]);
}

/// A header's length may begin with the same bytes as a pickle.
#[test]
fn no_length_of_the_header_is_mistaken_for_a_pickle() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    let mut seen = Vec::new();
    for padding in (0..800).step_by(8) {
        let metadata = BTreeMap::from([("padding".to_owned(), "x".repeat(padding))]);
        let tensors = [("a", View { dtype: Dtype::U8, shape: &[1], bytes: &[7] })];
        write_safetensors(&path, tensors, &metadata).expect("saved");
        let begin = fs::read(&path).expect("saved")[..2].to_vec();
        seen.push(begin);
        assert_eq!(read(&path).expect("what was saved").metadata, metadata);
    }
    assert!(seen.contains(&vec![0x80, 0]) && seen.contains(&vec![0x80, 2]), "the cases this is about");
}

#[test]
fn what_fits_no_file_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    let four = zeros(4);
    let right = View { dtype: Dtype::F32, shape: &[1], bytes: &four };
    let wrong = View { dtype: Dtype::F32, shape: &[2], bytes: &four };
    let huge = View { dtype: Dtype::F32, shape: &[usize::MAX, 2], bytes: &four };
    for (why, tensors, part) in [
        ("twice", vec![("a", right), ("a", right)], "two tensors are called `a`"),
        ("reserved", vec![("__metadata__", right)], "two tensors are called `__metadata__`"),
        ("short", vec![("a", wrong)], "tensor `a` of float32 [2] comes with 4 bytes"),
        ("overflow", vec![("a", huge)], "comes with 4 bytes"),
    ] {
        let error = write_safetensors(&path, tensors, &BTreeMap::new()).expect_err(why);
        assert!(error.to_string().contains(part), "{why}: {error}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_writer_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.bin");
    write_atomically(&path, |file| file.write_all(b"old")).expect("saved");
    write_atomically(&path, |file| {
        file.write_all(&zeros(3 << 20))?;
        Err(std::io::Error::other("no more"))
    })
    .expect_err("the writer fails");
    assert_eq!(fs::read(&path).expect("still there"), b"old");
    assert_eq!(files(folder.path()), ["a.bin"]);
}

#[test]
fn a_mapped_file_survives_being_saved_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    let save = |value: u8| {
        let bytes = vec![value; 1 << 16];
        let tensors = [("a", View { dtype: Dtype::U8, shape: &[1 << 16], bytes: &bytes })];
        write_safetensors(&path, tensors, &BTreeMap::new()).expect("saved");
    };
    save(1);
    let first = read(&path).expect("what was saved");
    save(2);
    assert!(first.tensors["a"].bytes.iter().all(|byte| *byte == 1));
}

#[cfg(unix)]
#[test]
fn others_may_read_what_is_saved_as_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mode = |name: &str| fs::metadata(folder.path().join(name)).expect("there").permissions().mode();
    fs::write(folder.path().join("usual"), b"").expect("written");
    write_atomically(&folder.path().join("saved"), |file| file.write_all(b"")).expect("saved");
    assert_eq!(mode("saved"), mode("usual"));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inside = |name: &str| folder.path().join(name);
    fs::write(inside("file"), b"").expect("written");
    fs::create_dir(inside("folder")).expect("made");
    for (path, part) in [
        (inside("file").join("a.bin"), "is a file, not a folder"),
        (inside("nowhere").join("a.bin"), "there is no folder"),
        (inside("folder"), "there is a folder of that name"),
        (Path::new("/").to_owned(), "the path names no file"),
    ] {
        let error = write_atomically(&path, |file| file.write_all(b"x")).expect_err("not writable");
        let text = error.to_string();
        assert!(text.contains(part) && text.contains(&path.display().to_string()), "{text}");
    }
    assert_eq!(files(folder.path()), ["file", "folder"], "nothing half-written");
}

/// The kernel's own read-only folders refuse root as well, on a machine that has them.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).expect("made");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("closed");
    if fs::write(closed.join("probe"), b"").is_ok() {
        eprintln!("skipped: permissions do not bind this user (root)");
        return;
    }
    let error = write_atomically(&closed.join("a.bin"), |file| file.write_all(b"x")).expect_err("closed");
    assert!(error.to_string().contains("there is no permission"), "{error}");
}

const LIMITED: &str = "LUTHIER_TEST_SAVE_TO";

/// Run by the test below in a process whose files may not grow beyond 64 kB; does nothing otherwise.
#[test]
fn saves_where_it_is_told() {
    let Some(path) = std::env::var_os(LIMITED) else { return };
    let bytes = zeros(4 << 20);
    let tensors = [("a", View { dtype: Dtype::U8, shape: &[4 << 20], bytes: &bytes })];
    let error = write_safetensors(Path::new(&path), tensors, &BTreeMap::new()).expect_err("there is no room");
    println!("{error}");
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.safetensors");
    fs::write(&path, b"old").expect("written");
    // a limit on the size of files stands for a full disk: the same `write` fails in the same place
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$0\" --exact saves_where_it_is_told --nocapture"])
        .arg(std::env::current_exe().expect("this test"))
        .env(LIMITED, &path)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("a.safetensors` could not be written: files may not become this large"), "{said}");
    assert_eq!(fs::read(&path).expect("still there"), b"old");
    assert_eq!(files(folder.path()), ["a.safetensors"]);
}

#[test]
fn the_sum_is_that_of_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sum.safetensors");
    let bytes = [1u8, 2, 3, 4, 5, 6, 7, 8];
    let view = View { dtype: Dtype::F32, shape: &[2], bytes: &bytes };
    let written = write_safetensors(&path, [("x", view)], &BTreeMap::new()).expect("saved");
    let file = std::fs::read(&path).expect("readable");
    assert_eq!((written.bytes, written.crc32), (file.len() as u64, crc32fast::hash(&file)));
}
