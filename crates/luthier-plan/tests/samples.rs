//! Lists of samples: little memory, and the same on paper as ever.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use luthier_plan::{Sample, Samples};
use serde_json::json;

fn scenes(count: u32) -> Samples {
    (0..count).map(|at| (format!("icosahedron/{at:06}.png"), at % 8)).collect()
}

#[test]
fn a_sample_takes_its_path_and_a_dozen_bytes() {
    let samples = scenes(20_000);
    let each = samples.bytes() as f64 / samples.len() as f64;
    assert!((22.0..60.0).contains(&each), "{each} bytes a sample");
    let copy = samples.clone();
    assert!(std::ptr::eq(copy.path(0).unwrap(), samples.path(0).unwrap()), "copies share their paths");
}

#[test]
fn it_is_written_as_a_list_of_samples() {
    let mut samples: Samples = [("ants/ä 1.jpg", 0), ("bees/2.jpg", 1)].into_iter().collect();
    let plain = json!([{ "path": "ants/ä 1.jpg", "label": 0 }, { "path": "bees/2.jpg", "label": 1 }]);
    assert_eq!(serde_json::to_value(&samples).unwrap(), plain);
    assert_eq!(serde_json::from_value::<Samples>(plain).unwrap(), samples);
    samples.add_task(vec![3, 4]);
    samples.add_task(vec![5]);
    let several = json!([
        { "path": "ants/ä 1.jpg", "label": 0, "labels": [3, 5] }, { "path": "bees/2.jpg", "label": 1, "labels": [4, 0] }
    ]);
    assert_eq!(serde_json::to_value(&samples).unwrap(), several);
    let read: Samples = serde_json::from_value(several).unwrap();
    assert_eq!(read, samples);
    assert_eq!((read.labels_of(1), read.labels_of(2)), (Some(&[5, 0][..]), None));
    assert!(serde_json::from_str::<Samples>("[]").unwrap().is_empty());
}

#[test]
fn samples_with_different_numbers_of_labels_are_refused() {
    let torn = r#"[{"path": "a", "label": 0, "labels": [1]}, {"path": "b", "label": 0}]"#;
    let error = serde_json::from_str::<Samples>(torn).unwrap_err().to_string();
    assert!(error.contains("the sample `b` has 0 labels and the first one has 1"), "{error}");
}

#[test]
fn what_is_changed_is_changed_in_one_copy() {
    let samples = scenes(9);
    let mut other = samples.clone();
    other.add_task(vec![7; 9]);
    other.relabel(|at, label| at as u32 + 10 * label);
    other.relabel_task(0, |_, label| label + 1);
    assert_eq!((samples.labels()[8], samples.labels_of(0)), (0, None));
    assert_eq!((other.labels()[1], other.labels_of(0)), (11, Some(&[8; 9][..])));
    other.label_as_task(0);
    assert_eq!(other.labels(), [8; 9]);
    let picked = other.pick(&[8, 0, 99, 8]);
    let paths: Vec<&str> = picked.paths().collect();
    assert_eq!(paths, ["icosahedron/000008.png", "icosahedron/000000.png", "icosahedron/000008.png"]);
    assert_eq!((picked.labels(), picked.labels_of(0)), (&[8; 3][..], Some(&[8; 3][..])));
    let last = picked.iter().last();
    assert_eq!(last, Some(Sample { path: "icosahedron/000008.png", label: 8 }));
    assert_eq!((picked.path(3), samples.path(usize::MAX)), (None, None));
}
