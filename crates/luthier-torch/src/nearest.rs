//! What k-means does besides matrix products, on libtorch's threads.

use std::ffi::c_char;

use tch::{Device, Kind, Tensor};

use crate::TorchError;
use crate::ffi::taken;

/// `LuthierRough` of nearest.cpp.
#[repr(C)]
struct RawRough {
    products: *const i32,
    rows: *const f32,
    turned: *const f32,
    row_scales: *const f32,
    column_scales: *const f32,
    lengths: *const f32,
    slack: *const f32,
    width: usize,
}

unsafe extern "C" {
    fn luthier_nearest(
        values: *mut f32,
        rough: *const RawRough,
        centres: *const u32,
        place_of: *const i32,
        rows: usize,
        columns: usize,
        assignment: *mut u32,
        first: *mut f32,
        second: *mut f32,
        again: *mut u8,
        changed: *mut u64,
        computed: *mut u64,
    ) -> *mut c_char;
    fn luthier_quantise(
        rows: *const f32,
        count: usize,
        width: usize,
        whole: *mut i8,
        scales: *mut f32,
        lost: *mut f32,
    ) -> *mut c_char;
    fn luthier_cluster_sums(
        rows: *const f32,
        from: *const u32,
        to: *const u32,
        count: usize,
        width: usize,
        clusters: usize,
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

/// What a look for the nearest centres came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Assignments that changed
    pub changed: u64,
    /// Values that were computed in fp32, of rough ones
    pub computed: u64,
}

/// Centres that moved, where the others did not.
#[derive(Debug, Clone, Copy)]
pub struct Moved<'a> {
    /// Which centre each column is
    pub centres: &'a [u32],
    /// Where the column of each centre is; −1 for one that did not move
    pub place_of: &'a [i32],
}

/// Rows in eight bits: whole numbers from −127 to 127, times a scale for each row.
#[derive(Debug)]
pub struct Whole {
    /// `[N, d]`, int8
    pub numbers: Tensor,
    /// `[N]`
    pub scales: Vec<f32>,
    /// Length of what each row lost by it
    pub lost: Vec<f32>,
}

/// Rounds rows `[N, d]`, fp32 row by row on the CPU, to eight bits.
///
/// # Errors
/// They are something else.
pub fn quantise(rows: &Tensor) -> Result<Whole, TorchError> {
    let [count, width] = rows.size()[..] else { return Err(misfit()) };
    if !is_matrix(rows, Kind::Float, count as usize, width as usize) {
        return Err(misfit());
    }
    let numbers = Tensor::f_empty([count, width], (Kind::Int8, Device::Cpu))?;
    let (mut scales, mut lost) = (vec![0.0; count as usize], vec![0.0; count as usize]);
    // SAFETY: all five are as long as `count` and `width` say.
    taken(unsafe {
        luthier_quantise(
            rows.data_ptr().cast(),
            count as usize,
            width as usize,
            numbers.data_ptr().cast(),
            scales.as_mut_ptr(),
            lost.as_mut_ptr(),
        )
    })?;
    Ok(Whole { numbers, scales, lost })
}

/// What makes rough products certain. They tell which centres may be a row's nearest, mostly one or two; for those the value
/// is computed in fp32. Tensors are row by row on the CPU, in fp32.
#[derive(Debug, Clone, Copy)]
pub struct Rough<'a> {
    /// `[rows, d]`
    pub rows: &'a Tensor,
    /// −2 c: `[columns, d]`
    pub turned: &'a Tensor,
    /// What products are to be multiplied by, for each row
    pub row_scales: &'a [f32],
    /// And for each column
    pub column_scales: &'a [f32],
    /// ‖c‖²: `[columns]`
    pub lengths: &'a Tensor,
    /// For each row, how far its products with the columns may be off
    pub slack: &'a [f32],
}

/// Assigns rows to the centres of least value ‖c‖² − 2 x·c. `values` are `[rows, columns]`, row by row on the CPU: these
/// values in fp32, which are written over; or with `rough` int32 products of rows and −2 c in whole numbers. Without
/// `moved`, columns are all centres and every row is assigned anew; with it, only what the centres that moved change is
/// looked at, and rows for which that is not enough are marked.
///
/// # Errors
/// Slices whose lengths do not go together, a centre that there is not.
pub fn nearest(
    values: &Tensor,
    rough: Option<Rough<'_>>,
    moved: Option<Moved<'_>>,
    rows: Nearest<'_>,
) -> Result<Looked, TorchError> {
    let count = rows.assignment.len();
    let columns = values.size().last().map_or(0, |columns| *columns as usize);
    let lists = [rows.first.len(), rows.second.len(), rows.again.len()];
    let width = rough.map_or(0, |rough| rough.turned.size().last().map_or(0, |width| *width as usize));
    let kind = if rough.is_some() { Kind::Int } else { Kind::Float };
    let fits = is_matrix(values, kind, count, columns)
        && rough.is_none_or(|rough| {
            is_matrix(rough.rows, Kind::Float, count, width)
                && is_matrix(rough.turned, Kind::Float, columns, width)
                && is_row(rough.lengths, columns)
                && [rough.row_scales.len(), rough.slack.len()] == [count; 2]
                && rough.column_scales.len() == columns
        })
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
    let raw = rough.map(|rough| RawRough {
        products: values.data_ptr().cast(),
        rows: rough.rows.data_ptr().cast(),
        turned: rough.turned.data_ptr().cast(),
        row_scales: rough.row_scales.as_ptr(),
        column_scales: rough.column_scales.as_ptr(),
        lengths: rough.lengths.data_ptr().cast(),
        slack: rough.slack.as_ptr(),
        width,
    });
    let (mut changed, mut computed) = (0, 0);
    // SAFETY: tensors and slices are as long as the call reads or writes, and every index in them was looked at; slices
    // that are written to are borrowed alone.
    taken(unsafe {
        luthier_nearest(
            if raw.is_some() { std::ptr::null_mut() } else { values.data_ptr().cast() },
            raw.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
            centres,
            place_of,
            count,
            columns,
            rows.assignment.as_mut_ptr(),
            rows.first.as_mut_ptr(),
            rows.second.as_mut_ptr(),
            rows.again.as_mut_ptr(),
            &raw mut changed,
            &raw mut computed,
        )
    })?;
    Ok(Looked { changed, computed })
}

/// Moves rows `[N, d]`, fp32 row by row on the CPU, between the sums `[k, d]` of their clusters, in order: the result does
/// not depend on the number of threads. A row comes `from` nowhere where that is k or more.
///
/// # Errors
/// Slices whose lengths do not go together, a cluster that there is not.
pub fn cluster_sums(rows: &Tensor, from: &[u32], to: &[u32], sums: &mut [f64]) -> Result<(), TorchError> {
    let width = rows.size().last().map_or(0, |width| *width as usize);
    let clusters = sums.len() / width.max(1);
    let known = from.len() == to.len() && to.iter().all(|cluster| (*cluster as usize) < clusters);
    if width == 0 || !is_matrix(rows, Kind::Float, to.len(), width) || !known {
        return Err(TorchError::Torch("rows and clusters do not go together".to_owned()));
    }
    // SAFETY: the rows are as many as the assignments, and every cluster that is written to has a place among the sums.
    taken(unsafe {
        luthier_cluster_sums(
            rows.data_ptr().cast(),
            from.as_ptr(),
            to.as_ptr(),
            to.len(),
            width,
            clusters,
            sums.as_mut_ptr(),
        )
    })
}

fn is_row(tensor: &Tensor, columns: usize) -> bool {
    tensor.kind() == Kind::Float
        && tensor.device() == Device::Cpu
        && tensor.is_contiguous()
        && tensor.size() == [columns as i64]
}

fn misfit() -> TorchError {
    TorchError::Torch("rows are no matrix in fp32 on the CPU".to_owned())
}

fn is_matrix(tensor: &Tensor, kind: Kind, rows: usize, columns: usize) -> bool {
    tensor.kind() == kind
        && tensor.device() == Device::Cpu
        && tensor.is_contiguous()
        && tensor.size() == [rows as i64, columns as i64]
}
