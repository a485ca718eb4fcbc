use miette::Diagnostic;

use super::{CYAN, DIM, Look, RED, YELLOW, snippet};

/// How deep causes and related errors are followed: far more than any room nests, so that a circle ends.
const DEEPEST: usize = 8;

/// A diagnostic as text: message, causes, the line of the file, hint, and then whatever is related.
pub fn render(diagnostic: &dyn Diagnostic, kind: &str, look: &Look) -> String {
    let mut text = String::new();
    write(diagnostic, kind, look, 0, &mut text);
    text
}

fn write(diagnostic: &dyn Diagnostic, kind: &str, look: &Look, depth: usize, text: &mut String) {
    let style = if kind == "warning" { YELLOW } else { RED };
    text.push_str(&look.paint(style.bold(), &format!("{kind}:")));
    text.push_str(&format!(" {diagnostic}\n"));
    for cause in causes(diagnostic) {
        text.push_str(&format!("  {} {cause}\n", look.paint(DIM, "caused by:")));
    }
    if let Some(place) = place(diagnostic) {
        text.push_str(&place.draw(&diagnostic.to_string(), look));
    }
    if let Some(hint) = hint(diagnostic) {
        text.push_str(&format!("\n{} {hint}\n", look.paint(CYAN.bold(), "hint:")));
    }
    if depth < DEEPEST {
        for related in diagnostic.related().into_iter().flatten() {
            text.push('\n');
            write(related, kind, look, depth + 1, text);
        }
    }
}

/// The sentences of what caused it, without those that the one above repeats.
pub fn causes(diagnostic: &dyn Diagnostic) -> Vec<String> {
    let mut sentences = vec![diagnostic.to_string()];
    let mut tell = |sentence: String| {
        if !sentences.last().is_some_and(|above| above.contains(&sentence)) {
            sentences.push(sentence);
        }
    };
    if let Some(mut cause) = diagnostic.diagnostic_source() {
        for _ in 0..DEEPEST {
            tell(cause.to_string());
            let Some(next) = cause.diagnostic_source() else { break };
            cause = next;
        }
    } else {
        let mut cause = diagnostic.source();
        for _ in 0..DEEPEST {
            let Some(this) = cause else { break };
            tell(this.to_string());
            cause = this.source();
        }
    }
    sentences.split_off(1)
}

/// The hint of the diagnostic, or of the nearest cause that has one.
pub fn hint(diagnostic: &dyn Diagnostic) -> Option<String> {
    nearest(diagnostic, |diagnostic| diagnostic.help().map(|help| help.to_string()))
}

/// The place the diagnostic points to, or the nearest cause that points somewhere.
pub fn place(diagnostic: &dyn Diagnostic) -> Option<snippet::Place> {
    nearest(diagnostic, snippet::place)
}

fn nearest<T>(diagnostic: &dyn Diagnostic, find: impl Fn(&dyn Diagnostic) -> Option<T>) -> Option<T> {
    let mut here = diagnostic;
    for _ in 0..DEEPEST {
        if let Some(found) = find(here) {
            return Some(found);
        }
        here = here.diagnostic_source()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io;

    use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
    use thiserror::Error;

    use super::*;
    use crate::voice::json;

    #[derive(Debug, Error, Diagnostic)]
    #[error("cannot save the checkpoint")]
    #[diagnostic(help("make room"))]
    struct Outer {
        source: io::Error,
        #[related]
        more: Vec<MietteDiagnostic>,
    }

    fn points(text: &str, at: usize, length: usize) -> Report {
        Report::from(
            MietteDiagnostic::new("unknown key `lrr`")
                .with_help("did you mean `lr`?")
                .with_label(LabeledSpan::at(at..at + length, "here")),
        )
        .with_source_code(NamedSource::new("recipe.toml", text.to_owned()))
    }

    #[test]
    fn a_message_has_its_cause_its_hint_and_its_relatives() {
        let error =
            Outer { source: io::Error::other("disk full"), more: vec![MietteDiagnostic::new("and this")] };
        let text = render(&error, "error", &Look::PLAIN);
        assert_eq!(
            text,
            "error: cannot save the checkpoint\n  caused by: disk full\n\nhint: make room\n\nerror: and this\n"
        );
        assert_eq!(
            json::error(&error),
            r#"{"error":{"message":"cannot save the checkpoint","caused_by":["disk full"],"hint":"make room","related":[{"message":"and this"}]}}"#
        );
    }

    #[test]
    fn a_place_is_shown_with_its_line() {
        let text = "[optim]\n\tlrr = 0.1 # größer\n";
        let error = points(text, 9, 3);
        assert_eq!(
            render(error.as_ref(), "error", &Look::PLAIN),
            "error: unknown key `lrr`\n  ╭─ recipe.toml:2:2\n  │\n2 │     lrr = 0.1 # größer\n  │     ─── here\n\nhint: did you mean `lr`?\n"
        );
        let ascii = Look { unicode: false, ..Look::PLAIN };
        let text = render(error.as_ref(), "error", &ascii);
        assert!(text.lines().nth(4).is_some_and(|line| line == "  |     ^^^ here"), "{text}");
        assert!(json::error(error.as_ref()).contains(r#""file":"recipe.toml","line":2,"column":2"#));
    }

    #[test]
    fn a_place_that_is_none_is_left_out() {
        let rows: &[(&str, usize, usize, Option<usize>, &str)] = &[
            ("", 0, 0, Some(1), "an empty file has a first line"),
            ("a = 1", 5, 0, Some(1), "the end of the file"),
            ("a = 1\n", 6, 0, Some(2), "the line after the last"),
            ("a = 1", 6, 1, None, "behind the end"),
            ("ä = 1", 1, 1, None, "within a letter"),
            ("a = [\n1,\n2]\n", 4, 7, Some(1), "several lines: the first is shown"),
            ("a = 1", 2, usize::MAX / 2, Some(1), "a mark that is too long"),
        ];
        for (text, at, length, line, why) in rows {
            let error = points(text, *at, *length);
            assert_eq!(place(error.as_ref()).map(|place| place.line), *line, "{why}");
            assert!(
                render(error.as_ref(), "error", &Look::PLAIN).starts_with("error: unknown key `lrr`"),
                "{why}"
            );
        }
    }
}
