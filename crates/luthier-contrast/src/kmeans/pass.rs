//! One pass over all rows: the nearest centre of each, and the sums of each cluster.

use luthier_torch::{
    Looked, Moved, Nearest, PackedLinear, Rough, Then, Whole, bytes_of, cluster_sums, int8_is_fast, nearest,
    quantise,
};
use tch::{Device, Kind, Tensor};

use super::Rows;
use crate::ContrastError;
use crate::error::refused;

/// Numbers of a block's products: 16 MB, which stay in the last cache until they are looked through. Smaller blocks are no
/// faster, and threads wait for one another after each.
const PRODUCTS: i64 = 1 << 22;

/// Numbers of a block's rows: 4 MB. With few centres, products alone would allow all rows of a middling set at once.
const NUMBERS: i64 = 1 << 20;

/// Of so many rough products one may be made again in fp32, for them to be the faster way.
const OFTEN: u64 = 16;

/// Rows that are looked at again are filled up to a multiple of this: oneDNN compiles a product for every number of rows.
const AGAIN: usize = 256;

/// What passes over the rows know and find. A value is ‖c‖² − 2 x·c, which orders centres as distances do.
pub(super) struct Pass {
    /// ‖row‖²
    squares: Vec<f32>,
    /// Whether products are made of whole numbers first
    rough: bool,
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
            squares.extend_from_slice(floats(&lengths(&part)?.f_to_device(Device::Cpu)?)?);
        }
        if let Some(row) = squares.iter().position(|square| !square.is_finite()) {
            return Err(refused(
                format!("row {row} holds numbers that are not finite"),
                "the encoder has diverged: look at its loss before clustering",
            ));
        }
        // what is so small that its square is none has no bound, and of wider rows sums are beyond 32 bits
        let bounded = squares.iter().all(|square| *square == 0.0 || *square > 1e-30) && width < 1 << 17;
        Ok(Pass {
            squares,
            rough: bounded && int8_is_fast(rows.device()),
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
    /// most of those the distance to the second nearest tells. The sums of the clusters follow on the way, while a block is
    /// in the caches.
    pub fn run(&mut self, rows: &dyn Rows, centres: &Tensor) -> Result<bool, ContrastError> {
        let block = (PRODUCTS / centres.size()[0]).min(NUMBERS / rows.width().max(1)).max(64);
        let which = self.moved(centres)?;
        if which.as_ref().is_some_and(Vec::is_empty) {
            return Ok(false);
        }
        let mut place_of = vec![-1; self.counts.len()];
        let some = match &which {
            Some(which) => {
                which.iter().zip(0..).for_each(|(centre, place)| place_of[*centre as usize] = place);
                let index: Vec<i64> = which.iter().map(|centre| i64::from(*centre)).collect();
                let index = Tensor::f_from_slice(&index)?.f_to_device(centres.device())?;
                centres.f_index_select(0, &index)?
            }
            None => centres.shallow_clone(),
        };
        let mut columns = Columns::new(&some, block, self.rough)?;
        let moved = which.as_ref().map(|centres| Moved { centres, place_of: &place_of });
        let mut all = None;
        let mut again = vec![0; block as usize];
        let mut changed = 0;
        for (first, count) in blocks(rows.rows(), block) {
            let part = rows.block(first, count)?;
            let at = first as usize..(first + count) as usize;
            let again = &mut again[..count as usize];
            let before = self.assignment[at.clone()].to_vec();
            let known = Nearest {
                assignment: &mut self.assignment[at.clone()],
                first: &mut self.first[at.clone()],
                second: &mut self.second[at.clone()],
                again,
            };
            let looked = columns.nearest(&part, &self.squares[at.clone()], moved, known)?;
            changed += looked.changed;
            if self.rough && looked.computed > some.rows().unsigned_abs() * count.unsigned_abs() / OFTEN {
                // embeddings that are one point, or about to be: eight bits tell nothing
                self.rough = false;
                (columns, all) = (Columns::new(&some, block, false)?, None);
            }
            if again.contains(&1) {
                let all = match &mut all {
                    Some(all) => all,
                    none => none.insert(Columns::new(centres, block, self.rough)?),
                };
                changed += self.look_again(&part, first as usize, again, all)?;
            }
            let now = &self.assignment[at];
            for (before, now) in before.iter().zip(now).filter(|(before, now)| before != now) {
                self.counts[*now as usize] += 1;
                if let Some(count) = self.counts.get_mut(*before as usize) {
                    *count -= 1;
                }
            }
            cluster_sums(&part.f_to_device(Device::Cpu)?, &before, now, &mut self.sums)?;
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
        let mut rows: Vec<usize> = marked.map(|(row, _)| row).collect();
        let count = rows.len();
        rows.resize(count.next_multiple_of(AGAIN), rows[0]);
        let index: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
        let index = Tensor::f_from_slice(&index)?.f_to_device(part.device())?;
        let mut own: Vec<u32> = rows.iter().map(|row| self.assignment[offset + row]).collect();
        let squares: Vec<f32> = rows.iter().map(|row| self.squares[offset + row]).collect();
        let (mut first, mut second) = (vec![0.0; own.len()], vec![0.0; own.len()]);
        let mut again = vec![0; own.len()];
        let known =
            Nearest { assignment: &mut own, first: &mut first, second: &mut second, again: &mut again };
        all.nearest(&part.f_index_select(0, &index)?, &squares, None, known)?;
        let mut changed = 0;
        for (at, row) in rows[..count].iter().map(|row| offset + row).enumerate() {
            changed += u64::from(self.assignment[row] != own[at]);
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
    by: Product,
}

/// How rows are multiplied with centres.
enum Product {
    /// In fp32
    Plain,
    /// By oneDNN, a sixth faster, with the centres as it reads them
    Packed(PackedLinear),
    /// In eight bits, four times faster, and what could decide once more in fp32
    Rough { whole: Whole, longest: f32, most_lost: f32 },
}

impl Columns {
    /// For blocks of `block` rows.
    fn new(centres: &Tensor, block: i64, rough: bool) -> Result<Columns, ContrastError> {
        let (turned, lengths) = (centres.f_mul_scalar(-2.0)?, lengths(centres)?);
        let by = if rough {
            let whole = quantise(&turned)?;
            let longest = 2.0 * floats(&lengths.f_max()?)?[0].sqrt();
            Product::Rough { longest, most_lost: whole.lost.iter().copied().fold(0.0, f32::max), whole }
        } else {
            PackedLinear::new(&turned, block).map_or(Product::Plain, Product::Packed)
        };
        Ok(Columns { turned, lengths, by })
    }

    /// Assigns rows, whose squared lengths are `squares`, to the nearest of the columns.
    fn nearest(
        &self,
        rows: &Tensor,
        squares: &[f32],
        moved: Option<Moved<'_>>,
        known: Nearest<'_>,
    ) -> Result<Looked, ContrastError> {
        let values = match &self.by {
            Product::Plain => self.lengths.f_addmm(rows, &self.turned.f_tr()?)?,
            Product::Packed(packed) => packed.forward(rows, Some(&self.lengths), Then::Nothing)?,
            Product::Rough { whole, longest, most_lost } => {
                let (turned, lengths) = (&self.turned, &self.lengths);
                let Whole { numbers, scales, lost } = quantise(rows)?;
                let products = numbers.f_internal_int_mm(&whole.numbers.f_tr()?)?;
                // what adding up in fp32 loses
                let adding = 2.0 * rows.width() as f32 * f32::EPSILON * longest;
                // x·c − x̂·ĉ = (x − x̂)·c + x̂·(c − ĉ), and no product is greater than the lengths' (Cauchy and Schwarz)
                let off = |(lost, square): (&f32, &f32)| {
                    let length = square.sqrt();
                    let off = lost * longest + (length + lost) * most_lost + adding * (length + longest);
                    let off = 1.001 * off;
                    // of what is beyond fp32 nothing is known
                    if off.is_nan() { f32::INFINITY } else { off }
                };
                let slack: Vec<f32> = lost.iter().zip(squares).map(off).collect();
                let (row_scales, column_scales, slack) = (&scales, &whole.scales, &slack);
                let rough = Rough { rows, turned, row_scales, column_scales, lengths, slack };
                return Ok(nearest(&products, Some(rough), moved, known)?);
            }
        };
        Ok(nearest(&values.f_to_device(Device::Cpu)?.f_contiguous()?, None, moved, known)?)
    }
}

/// ‖row‖² of each
fn lengths(rows: &Tensor) -> Result<Tensor, ContrastError> {
    Ok(rows.f_square()?.f_sum_dim_intlist(1, false, None::<Kind>)?)
}

/// `0 .. rows` as (first, count) of blocks.
pub(crate) fn blocks(rows: i64, block: i64) -> impl Iterator<Item = (i64, i64)> {
    let block = block.max(1);
    (0..rows).step_by(block as usize).map(move |first| (first, block.min(rows - first)))
}

pub(crate) fn floats(tensor: &Tensor) -> Result<&[f32], ContrastError> {
    Ok(bytemuck::cast_slice(bytes_of(tensor)?))
}
