//! One pass over all rows: the nearest centre of each, and the sums of each cluster.

use luthier_torch::{Moved, Nearest, PackedLinear, Then, bytes_of, cluster_sums, nearest};
use tch::{Device, Kind, Tensor};

use super::Rows;
use crate::ContrastError;
use crate::error::refused;

/// Numbers of a block's products: 16 MB, which stay in the last cache until they are looked through. Smaller blocks are no
/// faster, and threads wait for one another after each.
const PRODUCTS: i64 = 1 << 22;

/// Numbers of a block's rows: 4 MB. With few centres, products alone would allow all rows of a middling set at once.
const NUMBERS: i64 = 1 << 20;

/// What passes over the rows know and find. A value is ‖c‖² − 2 x·c, which orders centres as distances do.
pub(super) struct Pass {
    /// ‖row‖²
    squares: Vec<f32>,
    pub assignment: Vec<u32>,
    /// Value of a row's centre
    first: Vec<f32>,
    /// A bound below the values of all others
    second: Vec<f32>,
    /// `[k, d]`, row by row
    pub sums: Vec<f64>,
    pub counts: Vec<u64>,
    width: usize,
    /// The centres of the last pass
    last: Option<Vec<f32>>,
}

impl Pass {
    pub fn new(rows: &dyn Rows, clusters: i64) -> Result<Pass, ContrastError> {
        let (count, width) = (rows.rows() as usize, rows.width() as usize);
        let mut squares = Vec::with_capacity(count);
        for (first, count) in blocks(rows.rows(), NUMBERS / 4 / rows.width().max(1)) {
            let part = rows.block(first, count)?;
            let part =
                part.f_square()?.f_sum_dim_intlist(1, false, None::<Kind>)?.f_to_device(Device::Cpu)?;
            squares.extend_from_slice(floats(&part)?);
        }
        if let Some(row) = squares.iter().position(|square| !square.is_finite()) {
            return Err(refused(
                format!("row {row} holds numbers that are not finite"),
                "the encoder has diverged: look at its loss before clustering",
            ));
        }
        Ok(Pass {
            squares,
            // no centre: the first pass changes every row's
            assignment: vec![u32::MAX; count],
            first: vec![0.0; count],
            second: vec![0.0; count],
            sums: vec![0.0; clusters as usize * width],
            counts: vec![0; clusters as usize],
            width,
            last: None,
        })
    }

    /// Assigns every row to its nearest centre; says whether any changed. Only centres that have moved since the last
    /// pass are multiplied: a row is closer to its own than to any that stayed, unless its own went away from it, and for
    /// most of those the distance to the second nearest tells. With `sum`, the sums of the clusters are made on the way,
    /// while a block is in the caches.
    pub fn run(&mut self, rows: &dyn Rows, centres: &Tensor, sum: bool) -> Result<bool, ContrastError> {
        self.sums.fill(0.0);
        self.counts.fill(0);
        let block = (PRODUCTS / centres.size()[0]).min(NUMBERS / rows.width().max(1)).max(64);
        let all = Columns::new(centres)?;
        let which = self.moved(centres)?;
        if which.as_ref().is_some_and(Vec::is_empty) {
            return Ok(false);
        }
        let (some, place_of) = match &which {
            Some(which) => {
                let mut place_of = vec![-1; self.counts.len()];
                which.iter().zip(0..).for_each(|(centre, place)| place_of[*centre as usize] = place);
                let index: Vec<i64> = which.iter().map(|centre| i64::from(*centre)).collect();
                let index = Tensor::f_from_slice(&index)?.f_to_device(centres.device())?;
                (Some(Columns::new(&centres.f_index_select(0, &index)?)?), place_of)
            }
            None => (None, Vec::new()),
        };
        let moved = which.as_ref().map(|centres| Moved { centres, place_of: &place_of });
        let columns = some.as_ref().unwrap_or(&all);
        let packed = PackedLinear::new(&columns.turned, block).ok();
        let mut again = vec![0; block as usize];
        let mut changed = 0;
        for (first, count) in blocks(rows.rows(), block) {
            let part = rows.block(first, count)?;
            let at = first as usize..(first + count) as usize;
            let again = &mut again[..count as usize];
            let values = columns.values(&part, packed.as_ref())?;
            let known = Nearest {
                assignment: &mut self.assignment[at.clone()],
                first: &mut self.first[at.clone()],
                second: &mut self.second[at.clone()],
                again,
            };
            changed += nearest(&values, moved, known)?;
            changed += self.look_again(&part, first as usize, again, &all)?;
            if sum {
                let own = &self.assignment[at];
                own.iter().for_each(|cluster| self.counts[*cluster as usize] += 1);
                cluster_sums(&part.f_to_device(Device::Cpu)?, own, &mut self.sums)?;
            }
        }
        Ok(changed > 0)
    }

    /// Rows of a block that are marked, against all centres.
    fn look_again(
        &mut self,
        part: &Tensor,
        offset: usize,
        again: &[u8],
        all: &Columns,
    ) -> Result<u64, ContrastError> {
        let marked = again.iter().enumerate().filter(|(_, again)| **again == 1);
        let marked: Vec<i64> = marked.map(|(row, _)| row as i64).collect();
        if marked.is_empty() {
            return Ok(0);
        }
        let index = Tensor::f_from_slice(&marked)?.f_to_device(part.device())?;
        // oneDNN would compile a product for every number of rows
        let values = all.values(&part.f_index_select(0, &index)?, None)?;
        let mut own: Vec<u32> = marked.iter().map(|row| self.assignment[offset + *row as usize]).collect();
        let (mut first, mut second) = (vec![0.0; own.len()], vec![0.0; own.len()]);
        let mut again = vec![0; own.len()];
        let known =
            Nearest { assignment: &mut own, first: &mut first, second: &mut second, again: &mut again };
        let changed = nearest(&values, None, known)?;
        for (at, row) in marked.iter().map(|row| offset + *row as usize).enumerate() {
            (self.assignment[row], self.first[row], self.second[row]) = (own[at], first[at], second[at]);
        }
        Ok(changed)
    }

    /// The centres that differ from those of the last pass; none where that says nothing yet.
    fn moved(&mut self, centres: &Tensor) -> Result<Option<Vec<u32>>, ContrastError> {
        let here = centres.f_to_device(Device::Cpu)?;
        let here = floats(&here)?;
        let before = self.last.replace(here.to_vec());
        Ok(before.map(|before| {
            let pairs = before.chunks_exact(self.width).zip(here.chunks_exact(self.width));
            (0..).zip(pairs).filter(|(_, (before, now))| before != now).map(|(centre, _)| centre).collect()
        }))
    }

    /// Makes a row a cluster of its own.
    pub fn split_off(&mut self, row: usize, cluster: usize, values: &[f32]) {
        let old = self.assignment[row] as usize;
        for (column, value) in values.iter().enumerate() {
            self.sums[old * self.width + column] -= f64::from(*value);
            self.sums[cluster * self.width + column] = f64::from(*value);
        }
        self.counts[old] -= 1;
        self.counts[cluster] = 1;
        self.assignment[row] = cluster as u32;
        // the centre it had is one of the others now
        self.second[row] = self.second[row].min(self.first[row]);
    }

    /// The centres that the sums make; a cluster without rows keeps the one it had.
    pub fn means(&self, before: &Tensor) -> Result<Tensor, ContrastError> {
        let here = before.f_to_device(Device::Cpu)?;
        let mut means = floats(&here)?.to_vec();
        let rows = means.chunks_exact_mut(self.width).zip(self.sums.chunks_exact(self.width));
        for ((mean, sum), count) in rows.zip(&self.counts).filter(|(_, count)| **count > 0) {
            mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = (sum / *count as f64) as f32);
        }
        Ok(Tensor::f_from_slice(&means)?.f_view_as(before)?.f_to_device(before.device())?)
    }

    /// Squared distance of every row to its centre.
    pub fn distances(&self) -> Vec<f32> {
        self.squares.iter().zip(&self.first).map(|(square, value)| (square + value).max(0.0)).collect()
    }
}

/// Centres as a product wants them.
struct Columns {
    /// −2 c for each
    turned: Tensor,
    /// ‖c‖²
    lengths: Tensor,
}

impl Columns {
    fn new(centres: &Tensor) -> Result<Columns, ContrastError> {
        let lengths = centres.f_square()?.f_sum_dim_intlist(1, false, None::<Kind>)?;
        Ok(Columns { turned: centres.f_mul_scalar(-2.0)?, lengths })
    }

    /// `[rows, centres]` on the CPU; with the centres as oneDNN reads them, where there is oneDNN, a sixth faster.
    fn values(&self, rows: &Tensor, packed: Option<&PackedLinear>) -> Result<Tensor, ContrastError> {
        let values = match packed {
            Some(packed) => packed.forward(rows, Some(&self.lengths), Then::Nothing)?,
            None => self.lengths.f_addmm(rows, &self.turned.f_tr()?)?,
        };
        Ok(values.f_to_device(Device::Cpu)?.f_contiguous()?)
    }
}

/// `0 .. rows` as (first, count) of blocks.
pub(crate) fn blocks(rows: i64, block: i64) -> impl Iterator<Item = (i64, i64)> {
    let block = block.max(1);
    (0..rows).step_by(block as usize).map(move |first| (first, block.min(rows - first)))
}

pub(crate) fn floats(tensor: &Tensor) -> Result<&[f32], ContrastError> {
    Ok(bytemuck::cast_slice(bytes_of(tensor)?))
}
