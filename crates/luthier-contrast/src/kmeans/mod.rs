//! k-means (Lloyd 1982) on libtorch's matrix products, block by block.

mod pass;
mod repair;
mod rows;
mod seed;

use tch::{Kind, Tensor};

use crate::ContrastError;
use crate::checks::shaped;
use crate::error::refused;
use crate::geometry::normalize;
use pass::Pass;
pub(crate) use pass::{blocks, floats};

pub use rows::Rows;
pub use seed::plus_plus;

/// How clusters are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeans {
    /// Rounds of assigning and averaging; fewer if nothing changes any more
    pub iterations: u64,
    /// Centres are put on the unit sphere after every round; for rows that lie there
    pub spherical: bool,
}

/// What was found.
#[derive(Debug)]
pub struct Clusters {
    /// `[k, d]` fp32
    pub centres: Tensor,
    /// The nearest centre of every row
    pub assignment: Vec<i64>,
    /// Squared distance of every row to it
    pub squared_distances: Vec<f32>,
    /// Sum of the squared distances
    pub inertia: f64,
    /// Rounds that were made
    pub iterations: u64,
    /// How often a cluster was left without rows and got a new centre
    pub repaired: u64,
}

/// Clusters of `rows`, from the initial centres `[k, d]` on. A cluster that is left without rows becomes the row that is
/// farthest from its centre. Memory beyond the rows': one block's products, and 24 bytes a row. Where the processor
/// multiplies whole numbers of eight bits faster, products are made in them first, and those that could decide in fp32.
///
/// # Errors
/// More clusters than rows, centres of another width, rows with numbers that are not finite.
pub fn kmeans(rows: &dyn Rows, start: &Tensor, options: KMeans) -> Result<Clusters, ContrastError> {
    tch::no_grad(|| lloyd(rows, start, options))
}

fn lloyd(rows: &dyn Rows, start: &Tensor, options: KMeans) -> Result<Clusters, ContrastError> {
    shaped(start, "initial centres", None, rows.width())?;
    if start.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(refused(
            "initial centres hold numbers that are not finite",
            "take rows, or what `plus_plus` draws",
        ));
    }
    enough(rows, start.size()[0])?;
    let mut centres = start.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?.f_detach_copy()?;
    if options.spherical {
        centres = normalize(&centres)?;
    }
    let mut pass = Pass::new(rows, centres.size()[0])?;
    let (mut iterations, mut repaired, mut settled) = (0, 0, false);
    while iterations < options.iterations && !settled {
        settled = !pass.run(rows, &centres)?;
        if settled {
            break;
        }
        repaired += repair::repair(rows, &mut pass)?;
        centres = pass.means(&centres)?;
        if options.spherical {
            centres = normalize(&centres)?;
        }
        iterations += 1;
    }
    if !settled {
        pass.run(rows, &centres)?;
    }
    let squared_distances = pass.distances();
    let inertia = squared_distances.iter().map(|one| f64::from(*one)).sum();
    Ok(Clusters {
        centres,
        assignment: pass.assignment.iter().map(|at| i64::from(*at)).collect(),
        squared_distances,
        inertia,
        iterations,
        repaired,
    })
}

pub(crate) fn enough(rows: &dyn Rows, clusters: i64) -> Result<(), ContrastError> {
    if clusters < 1 {
        return Err(refused(format!("{clusters} clusters hold no rows"), "ask for 1 or more"));
    }
    if clusters > rows.rows() {
        return Err(refused(
            format!("{clusters} clusters of {} samples: some would have none", rows.rows()),
            "ask for fewer; a tenth of the samples at most is usual",
        ));
    }
    if clusters > i64::from(u32::MAX) {
        return Err(refused(format!("{clusters} clusters are more than can be counted"), "ask for fewer"));
    }
    Ok(())
}
