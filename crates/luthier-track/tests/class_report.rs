//! Precision, recall and F1.

use luthier_track::classification_report;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn two_classes_by_hand() {
    // 8 ants: 6 found, 2 taken for bees; 12 bees: 9 found, 3 taken for ants
    let report = classification_report(&[vec![6, 2], vec![3, 9]], &["ants", "bees"]);
    let [ants, bees] = &report.classes[..] else { panic!("two rows") };
    assert_eq!((ants.name.as_str(), ants.support, bees.support, report.support), ("ants", 8, 12, 20));
    assert!(close(ants.score.precision, 6.0 / 9.0) && close(ants.score.recall, 6.0 / 8.0));
    assert!(close(ants.score.f1, 12.0 / 17.0) && close(bees.score.f1, 18.0 / 23.0));
    assert!(close(report.accuracy, 15.0 / 20.0));
    assert!(close(report.macro_average.recall, (0.75 + 0.75) / 2.0));
    assert!(close(report.weighted_average.precision, (8.0 * 6.0 / 9.0 + 12.0 * 9.0 / 11.0) / 20.0));
}

#[test]
fn what_would_divide_by_zero_is_zero() {
    for (confusion, why) in [
        (vec![], "no classes"),
        (vec![vec![0, 0], vec![0, 0]], "no samples"),
        (vec![vec![0, 5], vec![0, 5]], "a class that is never guessed"),
        (vec![vec![]], "rows cut short"),
    ] {
        let report = classification_report::<&str>(&confusion, &[]);
        let scores = [report.macro_average, report.weighted_average];
        for score in scores.into_iter().chain(report.classes.iter().map(|class| class.score)) {
            for number in [score.precision, score.recall, score.f1, report.accuracy] {
                assert!((0.0..=1.0).contains(&number), "{why}");
            }
        }
    }
    let report = classification_report::<&str>(&[vec![0, 5], vec![0, 5]], &[]);
    assert_eq!((report.classes[0].score.precision, report.classes[0].name.as_str()), (0.0, "0"));
    assert_eq!(report.accuracy, 0.5);
}

/// Random matrices against numpy: `tests/fixtures/class_report.py` made the numbers.
#[test]
fn random_matrices_as_numpy_has_them() {
    let text = include_str!("fixtures/class_report.json");
    let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let confusion: Vec<Vec<u64>> = serde_json::from_value(case["confusion"].clone()).unwrap();
        let report = classification_report::<&str>(&confusion, &[]);
        let mut rows: Vec<_> = report.classes.iter().map(|class| class.score).collect();
        rows.extend([report.macro_average, report.weighted_average]);
        for (row, want) in rows.iter().zip(case["scores"].as_array().unwrap()) {
            for (got, want) in [row.precision, row.recall, row.f1].into_iter().zip(want.as_array().unwrap()) {
                assert!(close(got, want.as_f64().unwrap()), "{case}: {row:?}");
            }
        }
        assert!(close(report.accuracy, case["accuracy"].as_f64().unwrap()));
    }
}
