use console::measure_text_width;
use miette::{Diagnostic, LabeledSpan, SourceCode, SourceSpan};

use super::{BOLD, CYAN, Look, RED};

/// A place in a text file, as an editor counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the file, if the text has one
    pub file: Option<String>,
    /// Line, from 1
    pub line: usize,
    /// Column in characters, from 1
    pub column: usize,
    line_text: String,
    marked: String,
    label: Option<String>,
}

/// Where a diagnostic points to; its first label, or the primary one.
pub fn place(diagnostic: &dyn Diagnostic) -> Option<Place> {
    let labels: Vec<LabeledSpan> = diagnostic.labels()?.collect();
    let label = labels.iter().find(|label| label.primary()).or(labels.first())?;
    let source = diagnostic.source_code()?;
    find(source, *label.inner(), label.label().map(str::to_owned))
}

/// `None` when the span is outside the text, or the text is not UTF-8: then the message stands alone.
fn find(source: &dyn SourceCode, span: SourceSpan, label: Option<String>) -> Option<Place> {
    let whole = source.read_span(&SourceSpan::from((0, 0)), 0, usize::MAX).ok()?;
    let text = std::str::from_utf8(whole.data()).ok()?;
    let before = text.get(..span.offset())?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line_text = text.get(line_start..)?.lines().next().unwrap_or_default();
    let column_text = text.get(line_start..span.offset())?;
    let marked: String = text
        .get(span.offset()..)?
        .get(..span.len())
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    Some(Place {
        file: whole.name().map(str::to_owned),
        line: before.matches('\n').count() + 1,
        column: column_text.chars().count() + 1,
        line_text: line_text.to_owned(),
        marked,
        label,
    })
}

impl Place {
    /// `recipe.toml:12:3`
    pub fn address(&self) -> String {
        let file = self.file.as_deref().map(|file| format!("{file}:")).unwrap_or_default();
        format!("{file}{}:{}", self.line, self.column)
    }

    /// The line with the marked words underlined, below its address.
    ///
    /// The address is left out when `message` says it already.
    pub fn draw(&self, message: &str, look: &Look) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let bar = look.paint(CYAN, look.sign("│", "|"));
        let column_text: String = self.line_text.chars().take(self.column - 1).collect();
        // tabs have no width of their own: draw them as the four spaces they are replaced by
        let indent = " ".repeat(measure_text_width(&untab(&column_text)));
        let mark = look.sign("─", "^").repeat(measure_text_width(&untab(&self.marked)).max(1));
        let label = self.label.as_deref().map(|label| format!(" {label}")).unwrap_or_default();
        let address = self.address();
        let head = if message.contains(&address) {
            String::new()
        } else {
            format!("{margin} {} {}\n", look.paint(CYAN, look.sign("╭─", "-->")), look.paint(BOLD, &address))
        };
        format!(
            "{head}{margin} {bar}\n{} {bar} {}\n{margin} {bar} {indent}{}\n",
            look.paint(CYAN, &number),
            untab(&self.line_text),
            look.paint(RED.bold(), &format!("{mark}{label}")),
        )
    }
}

fn untab(text: &str) -> String {
    text.replace('\t', "    ")
}
