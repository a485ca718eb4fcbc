//! Plans, runs and data sets as pages to read.

mod chart;
mod contrast;
mod data;
mod model;
mod run;
mod runs;
mod scan;
mod schedule;
mod stages;
mod streams;
mod table;
mod texts;
mod verdict;
pub mod words;

pub use runs::{comparison_text, runs_text};
pub use scan::scan_text;
pub use verdict::verdict_text;

use luthier_plan::Plan;
use luthier_recipe::Task;

use crate::voice::{BOLD, CYAN, DIM, Look, YELLOW};

/// The plan as a page: data, transforms, model, optimizer, schedule, run, notes. `verbose` above 0 gives every
/// tensor a line of its own.
pub fn plan_text(plan: &Plan, look: &Look, verbose: u8) -> String {
    let mut page = Page { text: String::new(), look: *look };
    let task = match plan.recipe.task {
        Task::ImageClassification => "image classification",
        Task::MultiTask => "several labels per picture",
        Task::TextClassification => "text classification",
        Task::Classification => "classification of rows",
        Task::Regression => "regression",
        Task::Contrastive => "contrastive pretraining",
    };
    page.text.push_str(&format!(
        "{}  {}\n",
        look.paint(BOLD, &plan.recipe.name),
        look.paint(DIM, &format!("{task}, seed {}", plan.recipe.seed))
    ));
    data::samples(&mut page, plan);
    match (&plan.text, &plan.table) {
        (Some(texts), _) => texts::texts(&mut page, plan, texts),
        (None, Some(table)) => table::columns(&mut page, plan, table),
        (None, None) => data::transforms(&mut page, plan),
    }
    model::model(&mut page, &plan.model, &plan.groups, verbose);
    model::optimizer(&mut page, plan);
    streams::heads(&mut page, plan);
    streams::streams(&mut page, plan, verbose);
    stages::stages(&mut page, plan);
    contrast::contrast(&mut page, plan);
    schedule::schedule(&mut page, plan);
    run::run(&mut page, plan);
    notes(&mut page, &plan.notes);
    for stream in &plan.streams {
        let told = |note: &String| format!("stream `{}`: {note}", stream.stream);
        notes(&mut page, &stream.notes.iter().map(told).collect::<Vec<_>>());
    }
    page.text
}

fn notes(page: &mut Page, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    page.section("Worth knowing", "");
    for note in notes {
        let mark = page.look.paint(YELLOW, page.look.sign("•", "*"));
        page.wrapped(&format!("{mark} "), note);
    }
}

/// The page that is being written: sections with a heading, everything in them indented by two.
struct Page {
    text: String,
    look: Look,
}

impl Page {
    fn section(&mut self, title: &str, about: &str) {
        let title = self.look.paint(CYAN.bold(), title);
        let gap = if about.is_empty() { "" } else { "  " };
        self.text.push_str(&format!("\n{title}{gap}{about}\n"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(format!("  {line}").trim_end());
        self.text.push('\n');
    }

    fn quiet(&mut self, line: &str) {
        let line = self.look.paint(DIM, line);
        self.line(&line);
    }

    fn table(&mut self, rows: &[Vec<String>], align: &[crate::text::Align]) {
        self.text.push_str(&crate::text::table(rows, align, "  "));
    }

    /// A header cell or a cell that can be skipped.
    fn dim(&self, text: &str) -> String {
        self.look.paint(DIM, text)
    }

    /// A text of several lines below a first word, broken between words.
    fn wrapped(&mut self, first: &str, text: &str) {
        let indent = console::measure_text_width(first);
        let width = self.look.width.saturating_sub(indent + 2).max(20);
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let used = lines.last().map_or(0, |line| console::measure_text_width(line));
            if used > 0 && used + 1 + console::measure_text_width(word) > width {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        for (at, line) in lines.iter().enumerate() {
            let start = if at == 0 { first.to_owned() } else { " ".repeat(indent) };
            self.line(&format!("{start}{line}"));
        }
    }
}
