//! Do the labels of a table depend on its features at all: distance correlation (Székely, Rizzo and Bakirov 2007), which
//! is zero for what is independent and nothing else. No model is asked.

use luthier_data::epoch_order;
use luthier_doctor::{ProbeFacts, RelationFacts};
use tch::{Kind, Tensor};

use super::{Left, Outcome};
use crate::bench::Bench;
use crate::clock::Clock;
use crate::samples::{numbers, plain};

/// Rows at most, and the fewest that show anything.
const MOST: usize = 300;
const FEWEST: usize = 50;
/// Ways to deal the labels out anew.
const DEALS: u64 = 199;

pub(super) fn run(bench: &mut Bench, facts: &mut ProbeFacts, _: Clock) -> Outcome {
    let _quiet = tch::no_grad_guard();
    let plan = bench.plan();
    if !plan.recipe.task.reads_rows() {
        return Err(Left("only rows of a table are compared without a model".into()));
    }
    let count = plan.data.split("train").map_or(0, |split| split.samples.len());
    if count < FEWEST {
        return Err(Left(format!("it takes {FEWEST} training rows")));
    }
    let mut rows = epoch_order(count, plan.recipe.seed, u64::MAX, true);
    rows.truncate(MOST);
    let batches = plain(bench.runner(), "train", rows, MOST)?;
    let Some((batch, x)) = batches.first().and_then(|batch| Some((batch, numbers(batch)?))) else {
        return Err(Left("its rows do not go in as numbers".into()));
    };
    let y = match &batch.values {
        Some(values) => values.shallow_clone(),
        // two labels are as far apart as any other two
        None => {
            let labels = Tensor::f_from_slice(&batch.labels)?;
            labels.f_one_hot(plan.data.classes.len().max(1) as i64)?
        }
    };
    let y = y.f_to_device(x.device())?;
    facts.relation =
        Some(relation(x, &y)?.ok_or_else(|| Left("all rows or all labels are the same".into()))?);
    Ok(())
}

/// Compares rows `[N, features]` with labels `[N, targets]`; `None` where one of them does not vary.
fn relation(x: &Tensor, y: &Tensor) -> Result<Option<RelationFacts>, Left> {
    let x = x.f_flatten(1, -1)?.f_to_kind(Kind::Double)?;
    let y = standard(&y.f_to_kind(Kind::Double)?)?;
    let samples = x.size()[0];
    if !x.f_sum(Kind::Double)?.f_double_value(&[])?.is_finite() {
        return Err(Left("there are numbers that are not finite".into()));
    }
    let labels = centred(&y)?;
    // as the model gets them, and each column as long as any other: one of them shows what the other hides
    let [raw, even] = [centred(&x)?, centred(&standard(&x)?)?];
    let product = |a: &Tensor, b: &Tensor| -> Result<f64, Left> {
        Ok(a.f_mul(b)?.f_sum(Kind::Double)?.f_double_value(&[])?)
    };
    let sizes = [product(&labels, &labels)?, product(&raw, &raw)?];
    if sizes.iter().any(|size| *size <= 1e-12) {
        return Ok(None);
    }
    let found = [product(&raw, &labels)?, product(&even, &labels)?];
    let mut as_much = [0.0; 2];
    for deal in 0..DEALS {
        let order = epoch_order(samples as usize, deal, 0, true);
        let order: Vec<i64> = order.into_iter().map(i64::from).collect();
        let order = Tensor::f_from_slice(&order)?.f_to_device(x.device())?;
        let dealt = labels.f_index_select(0, &order)?.f_index_select(1, &order)?;
        for ((count, rows), found) in as_much.iter_mut().zip([&raw, &even]).zip(found) {
            *count += f64::from(u8::from(product(rows, &dealt)? >= found));
        }
    }
    // the better of two looks, paid for
    let chance = as_much.map(|count| (1.0 + count) / (1.0 + DEALS as f64));
    let chance = (2.0 * chance[0].min(chance[1])).min(1.0);
    let size = [sizes[1], product(&even, &even)?];
    let correlation = |at: usize| (found[at].max(0.0) / (size[at] * sizes[0]).sqrt().max(1e-300)).sqrt();
    let correlation = correlation(0).max(correlation(1));
    Ok(Some(RelationFacts { samples: samples as u64, correlation, chance }))
}

/// Each column with mean 0 and deviation 1; one that does not vary stays 0.
fn standard(x: &Tensor) -> Result<Tensor, Left> {
    let apart = x.f_sub(&x.f_mean_dim(0, true, Kind::Double)?)?;
    let deviation = apart.f_square()?.f_mean_dim(0, true, Kind::Double)?.f_sqrt()?;
    Ok(apart.f_div(&deviation.f_clamp_min(1e-12)?)?)
}

/// Distances of the rows, less the means of both.
fn centred(x: &Tensor) -> Result<Tensor, Left> {
    let distances = Tensor::f_cdist(x, x, 2.0, 2)?;
    let mean = |dim: i64| distances.f_mean_dim(dim, true, Kind::Double);
    let all = distances.f_mean(Kind::Double)?;
    Ok(distances.f_sub(&mean(0)?)?.f_sub(&mean(1)?)?.f_add(&all)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use tch::{Device, Kind, Tensor};

    use super::relation;
    use crate::probes::common;

    #[test]
    fn what_follows_from_the_features_is_told_from_what_does_not() {
        let _alone = common::alone();
        let _draws = luthier_torch::manual_seed(3);
        let x = Tensor::randn([200, 2], (Kind::Float, Device::Cpu));
        let first = x.narrow(1, 0, 1);
        let noise = Tensor::randn([200, 1], (Kind::Float, Device::Cpu));
        let related = [
            ("a line with noise", &first + &noise),
            ("a square", first.square() + 0.3 * &noise),
            ("a ring", x.square().sum_dim_intlist(1, true, Kind::Float).gt(1.4).to_kind(Kind::Float)),
        ];
        for (what, y) in related {
            let found = relation(&x, &y).ok().flatten().unwrap();
            assert!(found.chance <= 0.01 && found.samples == 200, "{what}: {found:?}");
        }
        // a column whose size hides the others
        let hidden = Tensor::cat(&[&first, &(Tensor::randn([200, 1], (Kind::Float, Device::Cpu)) * 1e5)], 1);
        let found = relation(&hidden, &(&first + 0.5 * &noise)).ok().flatten().unwrap();
        assert!(found.chance <= 0.01, "{found:?}");
        let found = relation(&x, &noise).ok().flatten().unwrap();
        assert!(found.chance > 0.05, "{found:?}");
        assert!(relation(&x, &Tensor::ones([200, 1], (Kind::Float, Device::Cpu))).ok().unwrap().is_none());
    }
}
