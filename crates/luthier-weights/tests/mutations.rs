//! Whatever happens to a file's bytes, reading it ends in weights or in an error: never in a panic, and
//! never with more memory than the file is worth.

mod common;

use common::{content, read_bytes};
use luthier_weights::WeightsError;
use proptest::prelude::*;

const FILES: [&str; 9] = [
    "small-old.pth",
    "small-zip.pth",
    "types-old.pth",
    "types.safetensors",
    "views-old.pth",
    "views-zip.pth",
    "nested-old.pth",
    "python2-old.pth",
    "parameters-old.pth",
];

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for name in ["small-old.pth", "small-zip.pth", "types.safetensors", "python2-old.pth"] {
        let whole = content(name);
        assert!(read_bytes(&whole).is_ok(), "{name}: whole");
        for length in 0..whole.len() {
            let error = read_bytes(&whole[..length]).expect_err("a part is not the whole");
            assert!(
                matches!(error, WeightsError::Truncated { .. }) || length < 10,
                "{name} cut to {length} bytes: {error}"
            );
        }
    }
}

/// Small enough to be kept in mind by whoever reads a failure.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, Edit)>> {
    let edit = prop_oneof![
        4 => any::<u8>().prop_map(Edit::Set),
        2 => (0..8_u32).prop_map(Edit::Flip),
        1 => Just(Edit::Remove),
        1 => any::<u8>().prop_map(Edit::Insert),
        1 => any::<prop::sample::Index>().prop_map(Edit::Copy),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), edit), 1..6)
}

#[derive(Debug, Clone)]
enum Edit {
    Set(u8),
    Flip(u32),
    Remove,
    Insert(u8),
    Copy(prop::sample::Index),
}

fn edited(mut content: Vec<u8>, edits: &[(prop::sample::Index, Edit)]) -> Vec<u8> {
    for (at, edit) in edits {
        let at = at.index(content.len());
        match edit {
            Edit::Set(byte) => content[at] = *byte,
            Edit::Flip(bit) => content[at] ^= 1 << bit,
            Edit::Remove => drop(content.remove(at)),
            Edit::Insert(byte) => content.insert(at, *byte),
            Edit::Copy(from) => content[at] = content[from.index(content.len())],
        }
    }
    content
}

fn harmless(content: &[u8]) {
    if let Ok(weights) = read_bytes(content) {
        for tensor in weights.tensors.values() {
            assert_eq!(tensor.shape.iter().product::<usize>(), tensor.numel());
            assert_eq!(tensor.to_f32().len(), tensor.numel());
        }
        let bytes: usize = weights.tensors.values().map(|tensor| tensor.bytes.len()).sum();
        assert!(bytes <= (20 << 20) + 8 * content.len() * (1 + weights.tensors.len()), "{bytes} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn edited_files_are_harmless(file in prop::sample::select(FILES.to_vec()), edits in edits()) {
        harmless(&edited(content(file), &edits));
    }

    /// What is not covered by checksums: the old format's pickles, and the zip's pickle without its checksum.
    #[test]
    fn edited_pickles_are_harmless(file in prop::sample::select(vec!["small-old.pth", "unchecked-zip.pth"]), edits in edits()) {
        harmless(&edited(content(file), &edits));
    }

    /// Pickles from nothing but instructions that exist.
    #[test]
    fn random_pickles_are_harmless(program in prop::collection::vec(prop::sample::select(INSTRUCTIONS.to_vec()), 0..60)) {
        let begin = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.\x80\x02".to_vec();
        harmless(&[begin, program.concat(), b".\x80\x02].".to_vec()].concat());
    }

    #[test]
    fn random_bytes_are_harmless(content in prop::collection::vec(any::<u8>(), 0..200), begin in prop::sample::select(vec![&b""[..], b"\x80\x02", b"PK\x03\x04", b"\x10\0\0\0\0\0\0\0{"])) {
        harmless(&[begin, &content].concat());
    }
}

const INSTRUCTIONS: [&[u8]; 34] = [
    b"N",
    b"\x88",
    b"K\x01",
    b"K\x00",
    b"J\xff\xff\xff\xff",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"(",
    b"0",
    b"1",
    b"2",
    b"q\x00",
    b"h\x00",
    b"\x94",
    b")",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"]",
    b"l",
    b"a",
    b"e",
    b"}",
    b"d",
    b"s",
    b"u",
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"R",
    b"b",
    b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x00tQ",
    b"U\x01a",
    b"\x81",
];
