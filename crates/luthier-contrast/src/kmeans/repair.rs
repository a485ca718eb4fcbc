//! Clusters that were left without rows.

use super::Rows;
use super::pass::{Pass, floats};
use crate::ContrastError;

/// Makes each of them the row that is farthest from its centre, of clusters that keep another. Says how many.
pub(super) fn repair(rows: &dyn Rows, pass: &mut Pass) -> Result<u64, ContrastError> {
    let empty: Vec<usize> = (0..pass.counts.len()).filter(|at| pass.counts[*at] == 0).collect();
    if empty.is_empty() {
        return Ok(0);
    }
    let distances = pass.distances();
    let mut farthest: Vec<u32> = (0..distances.len() as u32).collect();
    farthest.sort_by(|a, b| distances[*b as usize].total_cmp(&distances[*a as usize]));
    let mut farthest = farthest.into_iter();
    for cluster in &empty {
        // there are as many rows as clusters at least, so one that can be spared is left
        let spare = |row: &u32| pass.counts[pass.assignment[*row as usize] as usize] > 1;
        let Some(row) = farthest.find(spare) else { break };
        let values = rows.block(i64::from(row), 1)?.f_to_device(tch::Device::Cpu)?;
        pass.split_off(row as usize, *cluster, floats(&values)?);
    }
    Ok(empty.len() as u64)
}
