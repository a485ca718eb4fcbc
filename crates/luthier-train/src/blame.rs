//! Which sample holds what is not finite.

use luthier_model::Input;
use luthier_plan::TablePlan;

use crate::TrainError;
use crate::answer::rows;
use crate::feed::{Batch, Start};
use crate::job::Job;

impl Job {
    /// An input that is not finite, in words: of a table, the cell.
    pub(crate) fn bad_input(&self, batch: &Batch) -> Result<String, TrainError> {
        if let (Start::Input(Input::Rows(x)), Some(table)) = (&batch.start, &self.runner.plan.table) {
            for (row, numbers) in rows(x)?.iter().enumerate() {
                if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
                    let (place, column) = (self.runner.feed.place_of(batch, row), column(table, at));
                    return Ok(format!("the cell in the column `{column}` of `{place}` is not finite"));
                }
            }
        }
        let first = self.runner.feed.place_of(batch, 0);
        Ok(format!("the input holds numbers that are not finite (first sample of the batch: `{first}`)"))
    }
}

/// Name of the column that a number of a row comes from.
fn column(table: &TablePlan, number: usize) -> &str {
    let mut end = 0;
    let found = table.features.iter().find(|feature| {
        end += feature.width();
        end > number as u64
    });
    found.map_or("", |feature| feature.name.as_str())
}
