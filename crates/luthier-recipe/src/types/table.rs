use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Column;

/// What is learned from a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Target {
    /// One column
    One(Column),
    /// Several columns of numbers
    Several(#[schemars(length(min = 1))] Vec<Column>),
}

impl Target {
    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        match self {
            Target::One(column) => std::slice::from_ref(column),
            Target::Several(columns) => columns,
        }
    }
}

/// What is done to the numbers of a column. Its figures are those of the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Nothing
    #[default]
    None,
    /// (x − mean) / standard deviation, as scikit-learn's `StandardScaler`
    Standardize,
    /// (x − smallest) / (largest − smallest), as scikit-learn's `MinMaxScaler`
    Minmax,
}
