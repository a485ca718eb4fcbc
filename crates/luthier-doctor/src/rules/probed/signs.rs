//! Signs that several rules ask for: one rule reports each as its cause, the others keep silent because of it.

use super::view::View;
use crate::FitFacts;

/// Inputs this large (root mean square of a channel) make the first layer's curvature, which grows with their square,
/// 400 times that of standardised ones: no rate that suits the rest suits it.
pub(super) const HUGE: f64 = 20.0;
/// Largest |x| of inputs that were divided twice: one division by 255 gives up to 1, two give up to 0.004.
pub(super) const TINY: f64 = 0.02;
/// Targets this far from the outputs' size at the start, which is about 1.
pub(super) const FAR_TARGETS: f64 = 100.0;

/// Inputs are far larger than what initial weights are made for.
pub(super) fn huge_inputs(view: View<'_>) -> bool {
    view.input_rms().is_some_and(|rms| rms > HUGE)
}

/// Inputs are all but zero, and do differ.
pub(super) fn tiny_inputs(view: View<'_>) -> bool {
    view.probes.inputs.as_ref().is_some_and(|inputs| {
        let largest = inputs.max.abs().max(inputs.min.abs());
        largest > 0.0 && largest < TINY && inputs.max > inputs.min
    })
}

/// Targets of a regression are far larger than what a network gives at the start.
pub(super) fn far_targets(view: View<'_>) -> bool {
    view.target_rms().is_some_and(|rms| rms > FAR_TARGETS)
}

/// Times by which the gradient grows when a batch is repeated, where it grows as a sum would.
pub(super) fn summed(view: View<'_>) -> Option<f64> {
    let reduction = view.probes.reduction?;
    let times = reduction.sizes[1] as f64 / reduction.sizes[0].max(1) as f64;
    let grown = reduction.grads[1] / reduction.grads[0];
    // the large batch is the small one several times over: a mean stays exactly, a sum grows exactly
    (times >= 2.0 && (0.8 * times..1.25 * times).contains(&grown)).then_some(times)
}

/// A whole layer of ReLUs gives nothing, and what is before it never gets a gradient.
pub(super) fn dead_layer(view: View<'_>) -> Option<String> {
    // all of them: in a narrow layer, and of few samples, most may be silent by chance
    let dead = |point: &&crate::OutputPoint| {
        point.dead > 0.99 && view.act(point).is_some_and(|act| act.starts_with("relu"))
    };
    let found = view.hidden().into_iter().find(dead)?;
    view.cut_off().then(|| found.name.clone())
}

/// Layers before the head in which two units are the same unit, where that keeps them from learning apart.
pub(super) fn twin_layers(view: View<'_>) -> Vec<String> {
    let Some(start) = view.start().filter(|_| !view.pretrained()) else { return Vec::new() };
    let Some((_, hidden)) = start.twins.split_last() else { return Vec::new() };
    let twins = |(layer, cosine): &&(String, f64)| {
        let weight = start.gradients.iter().find(|point| point.name == format!("{layer}.weight"));
        let zero = weight.is_some_and(|weight| weight.norm == 0.0);
        // cosines are computed in double precision: the same unit is 1 to many digits. Two of many random directions in
        // a plane come as near by chance, so layers of one or two inputs tell nothing. A layer of zeros inside a
        // network that goes round it is a way to start
        *cosine > 1.0 - 1e-9
            && !layer.contains("lora_")
            && inputs_of(view, layer) > 2.0
            && (!zero || view.cut_off())
    };
    hidden.iter().filter(twins).map(|(layer, _)| layer.clone()).collect()
}

fn inputs_of(view: View<'_>, layer: &str) -> f64 {
    let tensors = view.facts().plan.map(|plan| plan.model.tensors.as_slice()).unwrap_or_default();
    let tensor = tensors.iter().find(|tensor| tensor.name == format!("{layer}.weight"));
    let planned = tensor.map(|tensor| tensor.shape.iter().skip(1).map(|size| *size as f64).product());
    planned.unwrap_or_else(|| {
        let features = view.probes.inputs.as_ref().map_or(3, |inputs| inputs.mean.len());
        features.max(1) as f64
    })
}

/// How the signal is lost on its way to the output, in words, where it is.
pub(super) fn vanishing(view: View<'_>) -> Option<Vec<String>> {
    /// Outputs' deviation over that of the inputs. Six layers of PyTorch's default, which keeps 0.41 a layer, leave
    /// 5e-3; what is below 1e-4 was lost faster than any usual start loses it.
    const LOST: f64 = 1e-4;
    /// First layer's relative gradient over the last one's. Three squashing layers leave 2e-2, six 4e-4.
    const FADED: f64 = 3e-3;
    let start = view.start()?;
    let matrices = view.matrices();
    if view.pretrained() || matrices.len() < 3 || view.cut_off() || tiny_inputs(view) {
        return None;
    }
    let [first, .., last] = &matrices[..] else { return None };
    let mut seen = Vec::new();
    // an input that is constant gives outputs that are, and a head of zeros too
    let spread =
        view.probes.inputs.as_ref().map_or(1.0, |inputs| inputs.std.iter().copied().fold(0.0, f64::max));
    let spread = spread.min(1.0);
    if last.norm > 0.0 && spread > 1e-3 && start.output_std < LOST * spread {
        seen.push(format!(
            "outputs differ by {:.1e} between samples, inputs by {spread:.2}: the signal is lost on the way",
            start.output_std
        ));
    }
    let relative = |point: &crate::TensorPoint| point.grad / point.norm;
    let faded = relative(first) / relative(last);
    if first.grad > 0.0 && first.norm > 0.0 && last.grad > 0.0 && faded < FADED && view.squashing() > 1 {
        seen.push(format!(
            "the gradient of {} is {faded:.1e} of that of {}, each relative to its weights",
            first.name, last.name
        ));
    }
    (!seen.is_empty()).then_some(seen)
}

/// The loss starts so far above theory that outputs are far too large, and inputs are not to blame.
pub(super) fn large_start(view: View<'_>) -> bool {
    /// He's start with standardised inputs gives outputs of deviation 1.4, and up to 1.6 times theory for two classes;
    /// outputs of deviation 4 have eight times that variance.
    const LOSS: f64 = 3.0;
    const OUTPUT: f64 = 4.0;
    let Some(start) = view.start().filter(|_| !view.pretrained()) else { return false };
    let classes = view.probes.targets.as_ref().is_none_or(|targets| targets.ranges.is_empty());
    let scale = view.input_rms().unwrap_or(1.0).max(1.0);
    // what larger inputs account for is theirs
    view.loss_over_theory().is_some_and(|times| times > LOSS) && start.output_std > OUTPUT * scale && classes
        || !classes
            && start.output_std > 30.0 * scale
            && view.loss_over_theory().is_some_and(|times| times > 30.0)
}

/// Clipping, not the rate, decides how far the first updates go, and leaves next to nothing: threshold over norm.
pub(super) fn overclipped(view: View<'_>) -> Option<f64> {
    let clip = view.recipe()?.train.clip_grad_norm?;
    let steps = &view.probes.steps;
    if view.adaptive() || steps.is_empty() || !steps.iter().all(|step| step.clipped) {
        return None;
    }
    let smallest = steps.iter().map(|step| step.grad_norm).fold(f64::INFINITY, f64::min);
    let (share, ratio) = (clip / smallest, view.ratio()?);
    // without clipping the updates would be of a sane size: otherwise it is what holds the run together
    (share < 0.05 && ratio < 5e-4 && ratio / share < 0.1).then_some(share)
}

/// Largest share of what Adam's first step should be: the rate in every element that has a gradient.
pub(super) fn adam_share(view: View<'_>) -> Option<f64> {
    let step = view.first()?;
    let share = |point: &crate::TensorPoint| {
        let lr = step.lr.iter().copied().fold(f64::INFINITY, f64::min);
        Some(point.update / (lr * view.scalars(&point.name)?.sqrt())).filter(|share| share.is_finite())
    };
    step.tensors.iter().filter_map(share).max_by(f64::total_cmp)
}

/// `eps` is larger than the gradients: Adam's steps shrink with them.
pub(super) fn large_eps(view: View<'_>) -> Option<(f64, f64)> {
    use luthier_recipe::Rule;
    let eps = match view.recipe()?.optim.rule {
        Rule::Adam { eps, .. } | Rule::AdamW { eps, .. } => eps,
        _ => return None,
    };
    // the first step alone: later ones have other signs
    let first = view.probes.steps.first()?;
    let is_first = view.first().is_some_and(|step| std::ptr::eq(step, first));
    let share = adam_share(view)?;
    // the default is 1e-8, and 1e-4 is used with half precision
    (is_first && eps > 1e-4 && share < 0.1).then_some((eps, share))
}

/// A fit of one batch that got there.
pub(super) fn learned(fit: &FitFacts) -> bool {
    // of the last few losses: with dropout, one alone is as good as its mask
    let lowest = fit.losses.iter().rev().take(5).min_by(|a, b| a.total_cmp(b));
    fit.losses.first().zip(lowest).is_some_and(|(first, last)| *last <= 0.1 * first)
}

/// Loss after a fit of one batch over the loss before; infinite where it diverged.
pub(super) fn left(fit: &FitFacts) -> Option<f64> {
    let (first, last) = fit.losses.first().zip(fit.losses.last())?;
    Some(if *last >= f64::MAX { f64::INFINITY } else { last / first.max(1e-12) })
}

/// Adam at 1e-3 learned a batch that the recipe's own optimizer and rate did not: what its own left of the loss.
pub(super) fn own_fails(view: View<'_>) -> Option<f64> {
    let (own, other) = (view.probes.overfit_own.as_ref()?, view.probes.overfit.as_ref()?);
    if learned(own) || !learned(other) || other.own {
        return None;
    }
    left(own)
}

/// The recipe's own optimizer and rate learn one batch.
pub(super) fn own_learns(view: View<'_>) -> bool {
    view.probes.overfit.as_ref().is_some_and(|fit| fit.own && learned(fit))
}

/// The recipe's own optimizer and rate bring one batch at least about as far down as Adam at 1e-3.
pub(super) fn own_is_as_good(view: View<'_>) -> bool {
    let lowest = |fit: &FitFacts| fit.losses.iter().rev().take(5).copied().min_by(f64::total_cmp);
    match (&view.probes.overfit_own, &view.probes.overfit) {
        (Some(own), Some(other)) => {
            lowest(own).zip(lowest(other)).is_some_and(|(own, other)| own <= 1.3 * other)
        }
        (None, Some(own)) => own.own && learned(own),
        _ => false,
    }
}

/// What the rehearsal of the run's beginning says of its rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rehearsed {
    /// It is no worse off than at a tenth of the rate, or has learned well by then
    Bears,
    /// It is where knowing nothing is, or worse, and a tenth of the rate is far ahead: loss of each, infinite where it
    /// diverged
    Fails(f64, f64),
    /// Neither
    Open,
}

/// Whether the run's beginning is better at a tenth of its rate. Updates that bounce at first and learn from there are
/// ahead of slower ones before long.
pub(super) fn rehearsed(view: View<'_>) -> Rehearsed {
    /// Batches are the same in both, so that the noise is small.
    const AHEAD: f64 = 1.15;
    const BEHIND: f64 = 1.5;
    /// Shares of what knowing nothing costs.
    const LEARNED: f64 = 0.1;
    const NOTHING: f64 = 0.3;
    /// Updates that show whether a bounce settles; and the fewest in which a rate that is better shows to be.
    const ENOUGH: usize = 20;
    const FEW: usize = 5;
    // a run that was not played is no run that learned
    let played = view.probes.rehearsal.as_ref().filter(|played| !played.tenth.is_empty());
    let Some(played) = played else { return Rehearsed::Open };
    let (own, tenth) = (level(&played.own), level(&played.tenth));
    let first = played.own.first().copied().unwrap_or(0.0);
    let chance =
        view.start().and_then(|start| start.expected).filter(|theory| *theory > 0.0).unwrap_or(first);
    if own.is_infinite() {
        return if tenth.is_finite() { Rehearsed::Fails(own, tenth) } else { Rehearsed::Open };
    }
    if played.own.len() < ENOUGH {
        // of so few, only the good news is certain: ahead of the slower one, and below where it began
        let ahead = played.own.len() >= FEW && own <= tenth && own < first;
        return if ahead { Rehearsed::Bears } else { Rehearsed::Open };
    }
    if own > BEHIND * tenth && own > NOTHING * chance {
        return Rehearsed::Fails(own, tenth);
    }
    if own <= AHEAD * tenth || own < LEARNED * chance { Rehearsed::Bears } else { Rehearsed::Open }
}

/// The run's beginning, played, brings the loss well below what knowing nothing costs.
pub(super) fn rehearses_well(view: View<'_>) -> bool {
    let Some(played) = view.probes.rehearsal.as_ref().filter(|played| played.own.len() >= 20) else {
        return false;
    };
    let chance = view.start().and_then(|start| start.expected).filter(|theory| *theory > 0.0);
    chance.is_some_and(|chance| level(&played.own) < 0.7 * chance)
}

/// The run's beginning stands still, and would not at ten times the rate: what the whole run would take off the loss at
/// this pace, as a share, and the share that ten times the rate takes off in the beginning alone.
pub(super) fn crawls(view: View<'_>) -> Option<[f64; 2]> {
    let played = view
        .probes
        .rehearsal
        .as_ref()
        .filter(|played| played.own.len() >= 40 && !played.tenfold.is_empty())?;
    let [own, tenth, tenfold] = [&played.own, &played.tenth, &played.tenfold].map(|losses| level(losses));
    let chance = view.start().and_then(|start| start.expected).filter(|theory| *theory > 0.0)?;
    // a tenth of the rate is next to standing still, on the same batches
    let taken = 1.0 - own / tenth;
    let (whole, faster) = (taken / played.share.max(1e-9), 1.0 - tenfold / own);
    let slow = own > 0.9 * chance && whole < 0.25 && played.share >= 0.1;
    // ten times the rate takes off ten times as much, less where it comes to what knowing nothing costs
    (slow && taken > 0.0 && faster > 0.15 && faster > 2.0 * taken).then_some([whole, faster])
}

/// The run's beginning never came below what knowing nothing costs, at no rate that was tried: updates, loss, chance.
pub(in crate::rules) fn learns_nothing(played: &crate::RehearsalFacts, chance: f64) -> Option<(usize, f64)> {
    let arms = [&played.own, &played.tenth, &played.tenfold];
    let none = arms.into_iter().filter(|arm| !arm.is_empty()).all(|arm| level(arm) > 0.9 * chance);
    let own = level(&played.own);
    (none && played.own.len() >= 100 && own.is_finite()).then_some((played.own.len(), own))
}

/// Mean of the last quarter; infinite where it diverged.
fn level(losses: &[f64]) -> f64 {
    let last = &losses[losses.len() - losses.len().div_ceil(4)..];
    if last.iter().any(|loss| !loss.is_finite() || *loss >= f64::MAX) {
        return f64::INFINITY;
    }
    last.iter().sum::<f64>() / last.len().max(1) as f64
}

/// Something other than the rate makes updates large or gradients nothing, so that the rate can't be judged.
pub(super) fn not_the_rate(view: View<'_>) -> bool {
    // behind a normalisation huge inputs do nothing, and what divides by the gradient's size does not see a sum
    let large = view.start().is_none_or(|start| start.output_std > 2.0)
        || view.loss_over_theory().is_some_and(|times| times > 2.0);
    (summed(view).is_some() && !view.adaptive())
        || (huge_inputs(view) && large)
        || far_targets(view)
        || large_start(view)
        || tiny_inputs(view)
        || dead_layer(view).is_some()
        || !twin_layers(view).is_empty()
        || vanishing(view).is_some()
}
