//! Which sample holds what is not finite.

use luthier_model::Input;
use luthier_plan::TablePlan;

use crate::TrainError;
use crate::answer::rows;
use crate::feed::{Batch, Start};
use crate::job::Job;

impl Job {
    /// An input that is not finite, in words: of a table, the cell.
    pub(crate) fn bad_input(&self, batch: &Batch, row: usize) -> Result<String, TrainError> {
        let place = self.runner.feed.place_of(batch, row);
        if let (Start::Input(Input::Rows(x)), Some(table)) = (&batch.start, &self.runner.plan.table) {
            let rows = rows(x)?;
            let bad = rows.get(row).and_then(|numbers| numbers.iter().position(|number| !number.is_finite()));
            if let Some(at) = bad {
                return Ok(format!(
                    "the cell in the column `{}` of `{place}` is not finite",
                    column(table, at)
                ));
            }
        }
        Ok(format!("the input `{place}` holds numbers that are not finite"))
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
