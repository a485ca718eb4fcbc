//! How much memory a feature file takes: alone in its process, so that nobody else's is counted.

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
        peak() - before
    };
    pass(1_000);
    let (few, many) = (pass(1_000), pass(50_000));
    println!(
        "peak beyond the start: {few} KiB for 1,000 rows, {many} KiB for 50,000 rows of {} MiB",
        (50_000 * WIDTH * 4) >> 20
    );
    // 98 MiB lie in the file
    assert!(many < few + 4096, "{few} KiB for 1,000 rows, {many} KiB for 50,000");
}
