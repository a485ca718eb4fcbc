//! What k-means does besides matrix products, on libtorch's threads.

use std::ffi::c_char;

use tch::{Device, Kind, Tensor};

use crate::TorchError;
use crate::ffi::taken;

unsafe extern "C" {
    fn luthier_nearest(
        values: *mut f32,
        centres: *const u32,
        place_of: *const i32,
        rows: usize,
        columns: usize,
        assignment: *mut u32,
        first: *mut f32,
        second: *mut f32,
        again: *mut u8,
        changed: *mut u64,
    ) -> *mut c_char;
    fn luthier_cluster_sums(
        rows: *const f32,
        assignment: *const u32,
        count: usize,
        width: usize,
        sums: *mut f64,
    ) -> *mut c_char;
}

/// What is known of rows while their clusters are looked for; slices of one length.
#[derive(Debug)]
pub struct Nearest<'a> {
    /// The nearest centre
    pub assignment: &'a mut [u32],
    /// Its value
    pub first: &'a mut [f32],
    /// A bound below the values of all others
    pub second: &'a mut [f32],
    /// 1 where this cannot be told from the centres that moved
    pub again: &'a mut [u8],
}

/// Centres that moved, where the others did not.
#[derive(Debug, Clone, Copy)]
pub struct Moved<'a> {
    /// Which centre each column is
    pub centres: &'a [u32],
    /// Where the column of each centre is; −1 for one that did not move
    pub place_of: &'a [i32],
}

/// Assigns rows to the centres of least value, such as ‖c‖² − 2 x·c: `values` are `[rows, columns]`, fp32 row by row on the
/// CPU, and are written over. Without `moved`, columns are all centres and every row is assigned anew; with it, only what
/// the centres that moved change is looked at, and rows for which that is not enough are marked. Says how many assignments
/// changed.
///
/// # Errors
/// Slices whose lengths do not go together, a centre that there is not.
pub fn nearest(values: &Tensor, moved: Option<Moved<'_>>, rows: Nearest<'_>) -> Result<u64, TorchError> {
    let count = rows.assignment.len();
    let columns = values.size().last().map_or(0, |columns| *columns as usize);
    let lists = [rows.first.len(), rows.second.len(), rows.again.len()];
    let fits = is_matrix(values, count, columns)
        && lists == [count; 3]
        && columns > 0
        && i32::try_from(columns).is_ok()
        && moved.is_none_or(|moved| {
            let places = moved.place_of.len() as u64;
            let column = |place: &i32| *place < columns as i32;
            moved.centres.len() == columns
                && moved.place_of.iter().all(column)
                && moved.centres.iter().chain(&*rows.assignment).all(|centre| u64::from(*centre) < places)
        });
    if !fits {
        return Err(TorchError::Torch("rows, values and centres do not go together".to_owned()));
    }
    let (centres, place_of) = moved.map_or((std::ptr::null(), std::ptr::null()), |moved| {
        (moved.centres.as_ptr(), moved.place_of.as_ptr())
    });
    let mut changed = 0;
    // SAFETY: tensor and slices are as long as the call reads or writes, and every index in them was looked at; slices
    // that are written to are borrowed alone.
    taken(unsafe {
        luthier_nearest(
            values.data_ptr().cast(),
            centres,
            place_of,
            count,
            columns,
            rows.assignment.as_mut_ptr(),
            rows.first.as_mut_ptr(),
            rows.second.as_mut_ptr(),
            rows.again.as_mut_ptr(),
            &raw mut changed,
        )
    })?;
    Ok(changed)
}

/// Adds rows `[N, d]`, fp32 row by row on the CPU, to the sums `[k, d]` of their clusters, in order: the result does not
/// depend on the number of threads.
///
/// # Errors
/// Slices whose lengths do not go together, a cluster that there is not.
pub fn cluster_sums(rows: &Tensor, assignment: &[u32], sums: &mut [f64]) -> Result<(), TorchError> {
    let width = rows.size().last().map_or(0, |width| *width as usize);
    let clusters = sums.len() / width.max(1);
    let known = assignment.iter().all(|cluster| (*cluster as usize) < clusters);
    if width == 0 || !is_matrix(rows, assignment.len(), width) || !known {
        return Err(TorchError::Torch("rows and clusters do not go together".to_owned()));
    }
    // SAFETY: the rows are as many as the assignments, and every cluster has a place among the sums.
    taken(unsafe {
        luthier_cluster_sums(
            rows.data_ptr().cast(),
            assignment.as_ptr(),
            assignment.len(),
            width,
            sums.as_mut_ptr(),
        )
    })
}

fn is_matrix(tensor: &Tensor, rows: usize, columns: usize) -> bool {
    tensor.kind() == Kind::Float
        && tensor.device() == Device::Cpu
        && tensor.is_contiguous()
        && tensor.size() == [rows as i64, columns as i64]
}
