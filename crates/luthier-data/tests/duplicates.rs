//! Equal texts within and across splits are counted, each row once.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

mod common;

use luthier_data::{
    Column, DuplicateTexts, Row, SharedTexts, Shares, SplitRows, TableFormat, TableOptions, duplicate_texts,
    oversample, plain_parts, read_table,
};
use luthier_recipe::OnError;
use proptest::prelude::*;

fn rows(texts: &[(&str, u32)]) -> Vec<Row> {
    let row = |(at, (text, label)): (usize, &(&str, u32))| Row {
        line: at as u64 + 1,
        text: (*text).to_owned(),
        label: *label,
    };
    texts.iter().enumerate().map(row).collect()
}

#[test]
fn rows_are_counted_in_the_split_that_they_spoil() {
    let rows = rows(&[("a", 0), ("b", 1), ("a", 0), ("c", 0), ("b", 0), ("a", 0), ("d", 1), ("A", 1)]);
    let splits = [
        SplitRows { name: "train", rows: &rows, picked: &[0, 1, 3, 4, 4, 4] },
        SplitRows { name: "test", rows: &rows, picked: &[7, 6, 5, 2] },
    ];
    let expected = [
        DuplicateTexts {
            split: "train".to_owned(),
            rows: 4,
            within: 1,
            conflicting: 2,
            examples: vec![(2, 5)],
            shared: vec![SharedTexts { with: "test".to_owned(), rows: 1, examples: vec![(1, 3)] }],
        },
        DuplicateTexts {
            split: "test".to_owned(),
            rows: 4,
            within: 1,
            conflicting: 0,
            examples: vec![(3, 6)],
            shared: vec![SharedTexts { with: "train".to_owned(), rows: 2, examples: vec![(3, 1), (6, 1)] }],
        },
    ];
    assert_eq!(duplicate_texts(&splits), expected);
    assert!(duplicate_texts(&[]).is_empty());
}

#[test]
fn five_examples_are_enough() {
    let many: Vec<(&str, u32)> = vec![("same", 0); 40];
    let rows = rows(&many);
    let half: Vec<u32> = (0..20).collect();
    let other: Vec<u32> = (20..40).collect();
    let seen = duplicate_texts(&[
        SplitRows { name: "train", rows: &rows, picked: &half },
        SplitRows { name: "valid", rows: &rows, picked: &other },
    ]);
    assert_eq!((seen[0].within, seen[0].examples.len()), (19, 5));
    assert_eq!((seen[1].shared[0].rows, seen[1].shared[0].examples.len()), (20, 5));
}

#[test]
fn the_messages_have_the_duplicates_that_they_are_known_for() {
    let Some(data) = common::shared_data() else { return };
    let options = TableOptions {
        format: TableFormat::Tsv,
        text: Column::Index(1),
        label: Column::Index(0),
        header: None,
        on_error: OnError::Fail,
    };
    let table = read_table(&data.join("sms-spam/SMSSpamCollection"), &options).unwrap();
    let all: Vec<u32> = (0..table.rows.len() as u32).collect();
    let seen = duplicate_texts(&[SplitRows { name: "all", rows: &table.rows, picked: &all }]);
    let mut texts: Vec<&str> = table.rows.iter().map(|row| row.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!((seen[0].within, texts.len()), (5574 - texts.len(), DIFFERENT));
    assert_eq!((seen[0].conflicting, seen[0].shared.len()), (0, 0));

    let parts = plain_parts(table.rows.len(), Shares { train: 0.7, valid: 0.1, test: 0.2 }, 123).unwrap();
    let rows = &table.rows;
    let seen = duplicate_texts(&[
        SplitRows { name: "train", rows, picked: &parts.train },
        SplitRows { name: "test", rows, picked: &parts.test },
    ]);
    assert_eq!((seen[1].rows, &seen[1].shared[0].with[..]), (1115, "train"));
    assert!((50..200).contains(&seen[1].shared[0].rows), "{:?}", seen[1].shared);
}

/// Different texts among the 5,574.
const DIFFERENT: usize = 5171;

proptest! {
    #[test]
    fn counts_are_what_a_slow_count_says(
        texts in prop::collection::vec(("[a-c]{0,2}", 0u32..2), 1..40),
        seed in any::<u64>(),
    ) {
        let texts: Vec<(&str, u32)> = texts.iter().map(|(text, label)| (text.as_str(), *label)).collect();
        let rows = rows(&texts);
        let labels: Vec<u32> = texts.iter().map(|(_, label)| *label).collect();
        let (train, test): (Vec<u32>, Vec<u32>) = (0..rows.len() as u32).partition(|i| (seed >> (i % 64)) & 1 == 0);
        let seen = duplicate_texts(&[
            SplitRows { name: "train", rows: &rows, picked: &train },
            SplitRows { name: "test", rows: &rows, picked: &test },
        ]);
        let text = |i: &u32| texts[*i as usize].0;
        let shared = test.iter().filter(|i| train.iter().any(|j| text(i) == text(j))).count();
        prop_assert_eq!(seen[1].shared.first().map_or(0, |shared| shared.rows), shared);
        let within = train.iter().filter(|i| train.iter().any(|j| j < i && text(i) == text(j))).count();
        prop_assert_eq!(seen[0].within, within);
        let label = |i: &u32| labels[*i as usize];
        let two = train.iter().filter(|i| train.iter().any(|j| text(i) == text(j) && label(i) != label(j))).count();
        prop_assert_eq!(seen[0].conflicting, two);
        // a row that is picked again is no duplicate
        let over = oversample(&labels, seed);
        let again = duplicate_texts(&[SplitRows { name: "over", rows: &rows, picked: &over }]);
        let all: Vec<u32> = (0..rows.len() as u32).collect();
        let once = duplicate_texts(&[SplitRows { name: "over", rows: &rows, picked: &all }]);
        prop_assert_eq!(again, once);
    }
}
