use serde::{Deserialize, Serialize};

/// More classes than this in a file mean that the file is wrong, not that the task is large.
const MOST_CLASSES: u32 = 100_000;

/// A confusion matrix: how often each class was taken for each. Only counts above zero are kept, because a file of
/// a thousand classes has a million cells and a few thousand counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Cells")]
pub struct Confusion {
    classes: u32,
    cells: Vec<(u32, u32, u64)>,
}

/// What a file says, before it is believed.
#[derive(Deserialize)]
struct Cells {
    classes: u32,
    cells: Vec<(u32, u32, u64)>,
}

impl TryFrom<Cells> for Confusion {
    type Error = String;

    fn try_from(Cells { classes, cells }: Cells) -> Result<Self, String> {
        if classes > MOST_CLASSES {
            return Err(format!("a confusion matrix of {classes} classes"));
        }
        match cells.iter().find(|(truth, guess, _)| *truth >= classes || *guess >= classes) {
            Some((truth, guess, _)) => Err(format!("confusion of classes {truth} and {guess}, of {classes}")),
            None => Ok(Confusion { classes, cells }),
        }
    }
}

impl Confusion {
    /// From counts `rows[truth][guess]`; cells outside the square are left out.
    pub fn from_rows(rows: &[Vec<u64>]) -> Self {
        let mut cells = Vec::new();
        for (truth, row) in rows.iter().enumerate() {
            for (guess, &count) in row.iter().enumerate().take(rows.len()) {
                if count > 0 {
                    cells.push((truth as u32, guess as u32, count));
                }
            }
        }
        Confusion { classes: rows.len() as u32, cells }
    }

    /// Counts as `rows[truth][guess]`.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        let classes = self.classes as usize;
        let mut rows = vec![vec![0; classes]; classes];
        for &(truth, guess, count) in &self.cells {
            rows[truth as usize][guess as usize] += count;
        }
        rows
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes as usize
    }

    /// Counts above zero: truth, guess, count.
    pub fn cells(&self) -> &[(u32, u32, u64)] {
        &self.cells
    }
}
