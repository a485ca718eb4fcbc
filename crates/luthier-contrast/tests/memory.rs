//! How much memory a feature file takes, and what is computed of it: alone in its process, so that nobody else's is counted.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use common::*;
use luthier_contrast::*;
use tch::Tensor;

/// The most memory that this process has had since the mark was last set back, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn memory_is_the_same_for_a_thousand_and_fifty_thousand_rows() {
    const WIDTH: i64 = 512;
    let folder = tempfile::tempdir().unwrap();
    let batch = directions(250, WIDTH);
    let pass = |rows: i64| {
        // 5 sets the mark back to what is used now
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak();
        let mut writer = FeatureWriter::create(&folder.path().join(format!("{rows}.f32")), WIDTH, 0).unwrap();
        for _ in 0..rows / 250 {
            writer.push(&batch).unwrap();
        }
        let features = writer.finish().unwrap();
        let mut sum = Tensor::zeros([WIDTH], (tch::Kind::Float, tch::Device::Cpu));
        for first in (0..rows).step_by(250) {
            sum += features.block(first, 250).unwrap().sum_dim_intlist(0, false, None::<tch::Kind>);
        }
        assert!(sum.isfinite().all().int64_value(&[]) == 1);
        let written = peak() - before;
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak();
        let start = plus_plus(&features, 20, 1).unwrap();
        kmeans(&features, &start, KMeans { iterations: 2, spherical: true }).unwrap();
        let clustered = peak() - before;
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let before = peak();
        let labels = Tensor::zeros([rows], (tch::Kind::Int64, tch::Device::Cpu));
        let queries = batch.narrow(0, 0, 16);
        assert_eq!(knn_classes(&queries, &features, &labels, 1, Knn::default()).unwrap().size(), [16]);
        [("written", written), ("clustered", clustered), ("asked for neighbours", peak() - before)]
    };
    pass(1_000);
    for ((what, few), (_, many)) in pass(1_000).into_iter().zip(pass(50_000)) {
        println!(
            "peak beyond the start: {few} KiB for 1,000 rows {what}, {many} KiB for 50,000 rows of {} MiB",
            (50_000 * WIDTH * 4) >> 20
        );
        // 98 MiB lie in the file; blocks are up to 8 MiB, and clusters take 32 bytes a row
        let more = if what == "written" { 4096 } else { 24 << 10 };
        assert!(many < few + more, "{few} KiB for 1,000 rows {what}, {many} KiB for 50,000");
    }
}
