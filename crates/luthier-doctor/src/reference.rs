//! The pages of all rules in one place.

use crate::{Rule, page, rules};

const HEAD: &str = "\
<!-- Generated from the rules' own pages; don't edit. `UPDATE_DOCS=1 cargo test -p luthier-doctor` rewrites it. -->

# The doctor's rules

Each is one file below `crates/luthier-doctor/src/rules/`; `luthier explain CODE` prints its page. `luthier explain rules`
lists them.
";

/// One line for each rule: code, name, and the first sentence of what it finds.
pub fn index() -> String {
    let lines =
        rules::all().iter().map(|rule| format!("{}  {:<28} {}\n", rule.code, rule.name, summary(rule)));
    lines.collect()
}

/// The pages of all rules as one Markdown document.
pub fn reference_markdown() -> String {
    let mut text = HEAD.to_owned();
    for rule in rules::all() {
        text.push('\n');
        // a page of its own begins at the first level, here it is a chapter
        for line in page(rule).lines() {
            if line.starts_with('#') {
                text.push('#');
            }
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The first paragraph of a page's first chapter, on one line.
fn summary(rule: &Rule) -> String {
    let text = page(rule);
    let found = text.lines().skip_while(|line| !line.starts_with("## What it finds")).skip(1);
    let lines: Vec<&str> =
        found.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    let text = lines.join(" ");
    text.split_once(". ").map_or(text.clone(), |(first, _)| format!("{first}."))
}
