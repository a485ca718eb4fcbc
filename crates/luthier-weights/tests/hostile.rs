//! Files that are not what they should be: each is refused, with the reason in the message.

mod common;

use common::{content, fixture, read_bytes};
use luthier_weights::{WeightsError, read};
use std::path::Path;

#[test]
fn a_pickle_that_calls_anything_else_is_refused_by_name() {
    for (file, name) in [
        ("os-system", "os.system"),
        ("posix-system", "posix.system"),
        ("eval", "builtins.eval"),
        ("python2-eval", "__builtin__.eval"),
        ("inside-ordereddict", "os.getcwd"),
        ("as-value", "subprocess.check_output"),
        ("from-type", "os.system"),
        ("getattr", "builtins.getattr"),
        ("hub-load", "torch.hub.load"),
        ("dotted-name", "torch.hub.os.system"),
        ("stack-global", "os.system"),
        ("inst", "os.system"),
        ("obj", "OBJ"),
        ("extension", "copyreg's extension registry"),
        ("newobj", "subprocess.Popen"),
        ("newobj-allowed-name", "torch.Tensor.__new__"),
        ("newobj-ex", "subprocess.Popen"),
        ("setstate", "__setstate__ of a name"),
        ("setstate-class", "torch.nn.modules.linear.Linear"),
        ("call-storage", "the torch storage of float32"),
        ("call-tensor", "torch.Tensor"),
        ("saved-module", "a saved module"),
        ("load-in-load", "torch.serialization._load"),
        ("numpy", "numpy.core.multiarray._reconstruct"),
        // a name must not rewrite the terminal either
        ("newline-in-name", "os.sys\\ntem\\u{1b}[31m"),
    ] {
        let pickle = content(&format!("hostile/{file}.pkl"));
        let old = old_format(&pickle);
        for (what, result) in [("alone", read_bytes(&pickle)), ("in the old format", read_bytes(&old))] {
            let error = result.expect_err("a hostile file is refused");
            assert!(matches!(error, WeightsError::Forbidden { .. }), "{file} {what}: {error}");
            assert!(error.to_string().contains(&format!("wants to run `{name}`;")), "{file} {what}: {error}");
        }
    }
}

/// The pickles that stand before the object in torch's old format.
fn old_format(pickle: &[u8]) -> Vec<u8> {
    let whole = content("hostile/old-format.pth");
    let system = content("hostile/os-system.pkl");
    let at = whole.windows(system.len()).position(|window| window == system).expect("it is in there");
    [&whole[..at], pickle].concat()
}

#[test]
fn every_container_is_refused_and_nothing_is_run() {
    for file in ["plain-pickle.pth", "old-format.pth", "zip-format.pth"] {
        let error = read(&fixture("hostile").join(file)).expect_err("a hostile file is refused");
        assert!(error.to_string().contains("wants to run `os.system`;"), "{file}: {error}");
    }
    assert!(!Path::new("/tmp/luthier-was-here").exists(), "what the pickles ask for");
}

#[test]
fn what_is_no_weight_file_says_so() {
    let zip = b"PK\x03\x04 and so on";
    for (content, part) in [
        (&b""[..], "is empty"),
        (b"hello", "no format known"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"{\"a\": 1}", "JSON"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x80\x02K\x01.", "not one that `torch.save` wrote"),
        (b"\x80\x02K\x01", "cut short"),
        (b"\x80\x02\xff.", "0xff at byte 2 is no pickle instruction"),
        (b"\x80\x07.", "pickle of protocol 7"),
        (b"\x80\x02I1\n.", "pickle of protocol 0"),
        (zip, "table of contents at the end is missing"),
    ] {
        let error = read_bytes(content).expect_err("not a weight file");
        assert!(error.to_string().contains(part), "{content:?}: {error}");
    }
    for (file, part) in [
        ("single-zip.pth", "a single tensor without a name"),
        ("numbers-zip.pth", "no tensors, only `lr`, `epoch`"),
        ("complex-zip.pth", "tensors of type `torch.ComplexFloatStorage`"),
        ("uint16-zip.pth", "tensors of type `uint16`"),
        ("module-zip.pth", ".Tagged`"),
        ("missing.pth", "there is no file or folder"),
        ("hostile", "holds none of `model.safetensors`"),
    ] {
        let error = read(&fixture(file)).expect_err("no weights");
        assert!(error.to_string().contains(part), "{file}: {error}");
    }
}

#[test]
fn big_endian_files_are_refused() {
    let replaced = |file: &str, from: &[u8], to: &[u8]| {
        let mut content = content(file);
        let at = content.windows(from.len()).position(|window| window == from).expect("it is in there");
        content[at..at + to.len()].copy_from_slice(to);
        content
    };
    let old = replaced("small-old.pth", b"little_endianq\x02\x88", b"little_endianq\x02\x89");
    // a file without checksums, so that the change alone is looked at
    let zip = replaced("unchecked-zip.pth", b"little", b"big   ");
    for content in [old, zip] {
        let error = read_bytes(&content).expect_err("big-endian");
        assert!(error.to_string().contains("big-endian numbers"), "{error}");
    }
}

#[test]
fn tampered_files_say_what_does_not_fit() {
    let edit = |file: &str, from: &[u8], to: &[u8]| {
        let content = content(file);
        let at = content.windows(from.len()).position(|window| window == from).expect("it is in there");
        [&content[..at], to, &content[at + from.len()..]].concat()
    };
    for (why, content, part) in [
        (
            "a shape beyond the storage",
            edit("small-old.pth", b"K\x00K\x02K\x03\x86", b"K\x00K\x09K\x03\x86"),
            "`weight` reaches beyond its storage",
        ),
        (
            "an offset beyond the storage",
            edit("small-old.pth", b"K\x00K\x02K\x03\x86", b"K\x01K\x02K\x03\x86"),
            "`weight` reaches beyond its storage",
        ),
        (
            "a negative stride",
            edit("small-old.pth", b"K\x03K\x01\x86", b"K\x03J\xff\xff\xff\xff\x86"),
            "a size or stride is -1",
        ),
        (
            "a shape whose product overflows",
            edit("small-old.pth", b"K\x02K\x03\x86", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x03\x86"),
            "`weight` reaches beyond its storage",
        ),
        (
            "a broadcast to 2^40 elements",
            edit("views-old.pth", b"K\x02K\x03\x86q", b"\x8a\x06\x00\x00\x00\x00\x00\x01K\x03\x86q"),
            "repeats its storage beyond all measure",
        ),
        (
            "a storage larger than the pickle says",
            edit("small-old.pth", b"\x06\0\0\0\0\0\0\0", b"\x07\0\0\0\0\0\0\0"),
            "a storage's size is not what the pickle says",
        ),
        (
            "a safetensors header whose offsets leave a hole",
            edit("types.safetensors", b"\"data_offsets\":[0,", b"\"data_offsets\":[1,"),
            "damaged or was tampered with",
        ),
        (
            "bytes behind the last tensor",
            [content("types.safetensors"), vec![0; 3]].concat(),
            "3 bytes of it belong to no tensor",
        ),
        (
            "a bool that is neither 0 nor 1",
            edit("types-old.pth", b"\x02\0\0\0\0\0\0\0\x01\0", b"\x02\0\0\0\0\0\0\0\x02\0"),
            "`bool` is of type bool but holds other bytes",
        ),
        (
            "a type that is unknown",
            edit("types.safetensors", b"\"dtype\":\"I16\"", b"\"dtype\":\"U16\""),
            "tensor `i16` of type U16",
        ),
    ] {
        let error = read_bytes(&content).expect_err(why);
        assert!(error.to_string().contains(part), "{why}: {error}");
    }
}

#[test]
fn a_pickle_cannot_ask_for_endless_work() {
    // each doubles what the one before it holds, if it were built as a tree
    let mut doubling = b"\x80\x02)".to_vec();
    doubling.extend([b'2', 0x86].repeat(100_000));
    doubling.push(b'.');
    // the same long list of pairs, given to an OrderedDict again and again
    let mut repeated = b"\x80\x02](".to_vec();
    repeated.extend(b"NN\x86".repeat(10_000));
    repeated.extend(b"eq\x000");
    repeated.extend(b"ccollections\nOrderedDict\nh\x00\x85R0".repeat(10_000));
    repeated.extend(b"N.");
    let nested = [b"\x80\x02".to_vec(), b"]".repeat(1_000_000), b"a".repeat(999_999), b".".to_vec()].concat();
    for (why, content, part) in [
        ("shared tuples", doubling, "not one that `torch.save` wrote"),
        ("repeated pairs", repeated, "more than 10000000 steps"),
        ("deep nesting", nested, "not one that `torch.save` wrote"),
        (
            "endless lists",
            [b"\x80\x02".to_vec(), b"]".repeat(10_000_001)].concat(),
            "more than 10000000 steps",
        ),
        ("a length of 2^63", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(), "cut short"),
    ] {
        let error = read_bytes(&content).expect_err(why);
        assert!(error.to_string().contains(part), "{why}: {error}");
    }
}

#[test]
fn a_zip_with_a_changed_byte_of_data_is_noticed() {
    let content = content("small-zip.pth");
    let weight: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let at = content.windows(weight.len()).position(|window| window == weight).expect("it is in there");
    for byte in at..at + weight.len() {
        let mut changed = content.clone();
        changed[byte] ^= 0x10;
        let error = read_bytes(&changed).expect_err("the checksum is compared");
        assert!(error.to_string().contains("checksum of its entry `data/0` is wrong"), "{error}");
    }
}

#[test]
fn a_sharded_set_stays_in_its_folder_and_is_whole() {
    let index = |map: &str| format!("{{\"metadata\": {{}}, \"weight_map\": {{{map}}}}}");
    let one = std::fs::read(fixture("sharded-safetensors/model-00001-of-00002.safetensors")).expect("there");
    for (why, map, part) in [
        ("up", r#""weight": "../other.safetensors""#, "points out of its folder, to `../other.safetensors`"),
        ("root", r#""weight": "/etc/passwd""#, "points out of its folder"),
        ("missing shard", r#""weight": "one", "bias": "two""#, "there is no file or folder"),
        ("missing tensor", r#""weight": "one", "bias": "one""#, "`one` has no tensor `bias`"),
        ("twice", r#""weight": "one", "bias": "same""#, "two of its files have a tensor `weight`"),
        ("itself", r#""weight": "model.safetensors.index.json""#, "is not a weight file"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, content: &[u8]| {
            std::fs::write(folder.path().join(name), content).expect("written");
        };
        write("model.safetensors.index.json", index(map).as_bytes());
        write("one", &one);
        write("same", &one);
        let error = read(folder.path()).expect_err(why);
        assert!(error.to_string().contains(part), "{why}: {error}");
    }
}
