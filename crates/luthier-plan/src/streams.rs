//! Several streams of samples that one model is trained on in turn.

use luthier_recipe::{EpochEnds, Interleave, Recipe};

use crate::{Length, Patterns, Plan, PlanError, TensorPlan, schedule};

/// Leaves to a stream's optimizer what its patterns match; all that the model trains where there are none. `key` is
/// where the recipe has the patterns.
///
/// # Errors
/// A pattern is none, or matches nothing that the model trains.
pub fn narrow(tensors: &mut [TensorPlan], patterns: &[String], key: &str) -> Result<(), PlanError> {
    if patterns.is_empty() {
        return Ok(());
    }
    let matcher = Patterns::over_trained(patterns, key, tensors)?;
    for tensor in tensors.iter_mut().filter(|tensor| tensor.trainable) {
        tensor.trainable = matcher.first(&tensor.name).is_some();
    }
    Ok(())
}

/// The plans of all streams, the first one's included.
pub fn all(plan: &Plan) -> impl Iterator<Item = &Plan> {
    std::iter::once(plan).chain(&plan.streams)
}

/// The recipe that a run was planned by. The plan's own is the first stream's, whose tables stand where those of the whole run
/// were; another stream that gives none has them.
pub fn recipe(plan: &Plan) -> Recipe {
    let mut whole = plan.recipe.clone();
    for (stream, own) in plan.recipe.streams.iter().zip(all(plan)).skip(1) {
        let own = &own.recipe;
        if stream.data.is_none() {
            whole.data = own.data.clone();
        }
        if stream.optim.is_none() {
            whole.optim = own.optim.clone();
        }
        if stream.schedule.is_none() {
            whole.schedule = own.schedule.clone();
        }
        if stream.batch_size.is_none() {
            whole.train.batch_size = own.train.batch_size;
        }
        if stream.clip_grad_norm.is_none() {
            whole.train.clip_grad_norm = own.train.clip_grad_norm;
        }
    }
    whole
}

/// The first stream for which a recipe says something else than the plan: what it was and what it is.
pub fn changed(plan: &Plan, now: &Recipe) -> Option<(Recipe, Recipe)> {
    let count = now.streams.len().max(1 + plan.streams.len());
    let of = |recipe: &Recipe, at: usize| {
        let mut own = recipe.of_stream(at);
        // what a plan of several streams has for all of them
        if count > 1 {
            own.train.prefix_cache.enabled = false;
        }
        own
    };
    let then = recipe(plan);
    (0..count).map(|at| (of(&then, at), of(now, at))).find(|(then, now)| then != now)
}

/// Whether a run makes one update of the gradients of all its streams, with the first one's optimizer.
pub fn summed(plan: &Plan) -> bool {
    plan.recipe.train.interleave == Interleave::Sum && !plan.streams.is_empty()
}

/// The names of the streams whose optimizers move each tensor, in the plan's order.
pub fn movers(plan: &Plan) -> Vec<(&TensorPlan, Vec<&str>)> {
    let optimizers = if summed(plan) { 1 } else { usize::MAX };
    let of = |at: usize| {
        let moves =
            |stream: &&Plan| stream.model.tensors.get(at).is_some_and(|tensor| tensor.group.is_some());
        all(plan).take(optimizers).filter(moves).map(|stream| stream.stream.as_str()).collect()
    };
    plan.model.tensors.iter().enumerate().map(|(at, tensor)| (tensor, of(at))).collect()
}

/// Tensors that more than one optimizer moves, with the names of their streams.
pub fn shared(plan: &Plan) -> Vec<(&str, Vec<&str>)> {
    let several = movers(plan).into_iter().filter(|(_, movers)| movers.len() > 1);
    several.map(|(tensor, movers)| (tensor.name.as_str(), movers)).collect()
}

/// Makes several plans over one model a run: how many updates each has in an epoch, and so in the run, and its rates.
pub fn interleave(plans: &mut [Plan]) -> Result<(), PlanError> {
    let Some(first) = plans.first() else { return Ok(()) };
    let (ends, way) = (first.recipe.train.epoch_ends, first.recipe.train.interleave);
    let steps: Vec<u64> = first.recipe.streams.iter().map(|stream| stream.steps.max(1)).collect();
    let in_a_row = |index: usize| {
        if way == Interleave::Ratio { steps.get(index).copied().unwrap_or(1) } else { 1 }
    };
    let rounds = plans.iter().enumerate().map(|(index, plan)| {
        let (updates, steps) = (plan.length.updates_per_epoch, in_a_row(index));
        match ends {
            EpochEnds::Shortest => updates / steps,
            EpochEnds::Longest => updates.div_ceil(steps),
        }
    });
    let rounds = match ends {
        EpochEnds::Shortest => rounds.min(),
        EpochEnds::Longest => rounds.max(),
    }
    .unwrap_or(0);
    let few = |(index, plan): &(usize, &Plan)| plan.length.updates_per_epoch < in_a_row(*index);
    if let Some((index, plan)) = plans.iter().enumerate().find(few).filter(|_| rounds == 0) {
        let (name, updates, steps) = (&plan.stream, plan.length.updates_per_epoch, in_a_row(index));
        let what = format!("stream `{name}` has {updates} updates in an epoch, and takes {steps} in a row");
        return Err(PlanError::at("train.interleave", what).help("take fewer `steps`, or smaller batches"));
    }
    for (index, plan) in plans.iter_mut().enumerate() {
        let own = plan.length;
        let updates_per_epoch = rounds * in_a_row(index);
        let batches_per_epoch = updates_per_epoch * plan.recipe.train.grad_accum;
        let length = Length {
            samples: (batches_per_epoch * plan.recipe.train.batch_size * plan.ranks).min(match ends {
                EpochEnds::Shortest => own.samples,
                EpochEnds::Longest => u64::MAX,
            }),
            batches_per_epoch,
            updates_per_epoch,
            updates: updates_per_epoch * own.epochs,
            ..own
        };
        let passes = updates_per_epoch as f64 / own.updates_per_epoch as f64;
        if updates_per_epoch != own.updates_per_epoch {
            plan.notes.push(format!(
                "an epoch takes {updates_per_epoch} updates, {passes:.2} passes over this stream's {} samples",
                own.samples
            ));
        }
        plan.length = length;
        plan.lr_factors = schedule::factors(&plan.recipe.schedule, plan.recipe.optim.lr, &length);
        if plan.recipe.schedule.warmup.steps >= length.updates {
            let what = format!(
                "the warm-up takes {} steps, but the stream has {} updates",
                plan.recipe.schedule.warmup.steps, length.updates
            );
            return Err(PlanError::at("schedule.warmup.steps", what));
        }
    }
    Ok(())
}
