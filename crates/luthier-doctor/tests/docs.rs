//! The page of all rules is what the rules say.

use std::path::Path;

use luthier_doctor::{index, reference_markdown, rules};

#[test]
fn the_page_of_all_rules_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/rules.md");
    let page = reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/rules.md is stale: run `UPDATE_DOCS=1 cargo test -p luthier-doctor`"
    );
}

#[test]
fn the_self_check_names_rules_that_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/self-check.md");
    let text = std::fs::read_to_string(path).unwrap();
    let codes = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| {
        word.len() == 6
            && word[..3].bytes().all(|b| b.is_ascii_uppercase())
            && word[3..].bytes().all(|b| b.is_ascii_digit())
    });
    let codes: Vec<&str> = codes.collect();
    assert!(codes.len() > 10, "{codes:?}");
    for code in codes {
        assert!(rules::find(code).is_some(), "docs/self-check.md names {code}");
    }
}

#[test]
fn the_index_has_a_line_for_each_rule() {
    let index = index();
    assert_eq!(index.lines().count(), rules::all().len());
    for (line, rule) in index.lines().zip(rules::all()) {
        assert!(line.starts_with(rule.code) && line.contains(rule.name) && line.len() > 45, "{line}");
    }
}
