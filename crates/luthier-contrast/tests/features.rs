//! Feature files, and how much memory they take.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::*;
use luthier_contrast::*;

#[test]
fn what_is_written_is_read_and_clustered_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/features.f32");
    let rows = directions(100, 6);
    let mut writer = FeatureWriter::create(&path, 6, 7).unwrap();
    for first in (0..100).step_by(32) {
        writer.push(&rows.narrow(0, first, 32.min(100 - first))).unwrap();
        assert!(!path.exists(), "it has its name before it is whole");
    }
    let features = writer.finish().unwrap();
    assert_eq!((features.rows(), features.width(), features.key()), (100, 6, 7));
    assert_eq!(features.block(0, 100).unwrap(), rows);
    assert_eq!(features.block(37, 5).unwrap(), rows.narrow(0, 37, 5));
    let options = KMeans { iterations: 5, spherical: true };
    let from = |rows: &dyn Rows| kmeans(rows, &plus_plus(rows, 9, 3).unwrap(), options).unwrap();
    assert_eq!(from(&features).assignment, from(&rows).assignment);
    assert!(features.block(99, 2).unwrap_err().to_string().contains("of 100 features"));
}

#[test]
fn half_written_cut_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("features.f32");
    let mut writer = FeatureWriter::create(&path, 6, 0).unwrap();
    writer.push(&directions(10, 6)).unwrap();
    assert!(writer.push(&directions(10, 5)).unwrap_err().to_string().contains("features are 10 rows of 5"));
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a dropped file stays");

    let mut writer = FeatureWriter::create(&path, 6, 0).unwrap();
    writer.push(&directions(10, 6)).unwrap();
    writer.finish().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let mut foreign = whole.clone();
    foreign[0] = b'X';
    let mut newer = whole.clone();
    newer[8] = 9;
    let mut huge = whole.clone();
    huge[16..24].fill(255);
    let cases: [(&[u8], &str); 5] = [
        (&whole[..whole.len() - 1], "do not make"),
        (&whole[..20], "no whole header"),
        (&foreign, "no feature file"),
        (&newer, "of version 9"),
        (&huge, "do not make"),
    ];
    for (bytes, part) in cases {
        std::fs::write(&path, bytes).unwrap();
        let text = Features::open(&path).unwrap_err().to_string();
        assert!(text.contains(part) && text.contains("features.f32"), "{text}");
    }
    assert!(Features::open(&folder.path().join("none")).is_err());
}
