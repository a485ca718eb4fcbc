use luthier_plan::Plan;
use luthier_recipe::{ClassWeightRule, ClassWeights, Loss, LossInput, Metric, Reduction};

use super::{Page, words};
use crate::text;

/// Length, loss, numbers, evaluation, checkpoints: one line each.
pub fn run(page: &mut Page, plan: &Plan) {
    page.section("Run", "");
    let rows = [
        ("length", length(page, plan)),
        ("batch", batch(plan)),
        ("ranks", ranks(plan)),
        ("loss", loss(plan)),
        ("computing", computing(plan)),
        ("gradients", gradients(plan)),
        ("evaluation", evaluation(plan)),
        ("checkpoints", checkpoints(plan)),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        let first = page.dim(&format!("{name:<13}"));
        page.wrapped(&first, &value);
    }
}

fn length(page: &Page, plan: &Plan) -> String {
    let length = plan.length;
    format!(
        "{} {} {} = {}",
        text::count(length.epochs, "epoch", "epochs"),
        page.look.sign("×", "x"),
        text::count(length.updates_per_epoch, "update", "updates"),
        text::count(length.updates, "update", "updates"),
    )
}

fn batch(plan: &Plan) -> String {
    let train = &plan.recipe.train;
    let mut text = text::count(plan.length.effective_batch, "sample", "samples") + " per update";
    if plan.ranks > 1 {
        let batches =
            if train.grad_accum > 1 { format!("{} batches", train.grad_accum) } else { "one".into() };
        text.push_str(&format!(" ({} ranks, {batches} of {} on each)", plan.ranks, train.batch_size));
    } else if train.grad_accum > 1 {
        text.push_str(&format!(" ({} batches of {})", train.grad_accum, train.batch_size));
    }
    if !train.shuffle {
        text.push_str(", in file order");
    }
    if train.drop_last {
        text.push_str(", a short last batch is left out");
    }
    text
}

/// Empty for one process.
fn ranks(plan: &Plan) -> String {
    if plan.ranks <= 1 {
        return String::new();
    }
    let settings = &plan.recipe.distributed;
    format!(
        "{} ranks over {}, gradients summed in messages of {} MiB during the backward pass, each rank its own share of an \
         order that is drawn anew each epoch; given up after {}",
        plan.ranks,
        settings.backend.name(),
        settings.bucket_mb,
        text::duration(settings.timeout as f64)
    )
}

fn loss(plan: &Plan) -> String {
    if plan.recipe.contrastive.is_some() {
        return "that of the contrast, above".to_owned();
    }
    let loss = &plan.recipe.loss;
    let mut text = match loss {
        Loss::CrossEntropy { .. } => "cross-entropy".to_owned(),
        Loss::Bce { .. } => "binary cross-entropy".to_owned(),
        Loss::Mse { .. } => "mean squared error".to_owned(),
        Loss::Mae { .. } => "mean absolute error".to_owned(),
        Loss::SmoothL1 { beta, .. } => format!("smooth L1, squared below {}", text::number(*beta)),
        Loss::Hinge { .. } => "hinge".to_owned(),
    };
    if loss.input() == Some(LossInput::Probabilities) {
        text.push_str(" on probabilities");
    }
    if loss.reduction() == Reduction::Sum {
        text.push_str(", gradients of the sum over a batch");
    }
    if let Loss::CrossEntropy { label_smoothing, .. } = loss
        && *label_smoothing > 0.0
    {
        text.push_str(&format!(", label smoothing {}", text::number(*label_smoothing)));
    }
    let weights = match loss.class_weights() {
        None | Some(ClassWeights::Rule(ClassWeightRule::None)) => return text,
        Some(ClassWeights::Rule(ClassWeightRule::Balanced)) => "balanced class weights",
        Some(ClassWeights::Each(_)) => "class weights",
    };
    text.push_str(&format!(", {weights}"));
    let bounds = plan
        .class_weights
        .iter()
        .copied()
        .reduce(f64::min)
        .zip(plan.class_weights.iter().copied().reduce(f64::max));
    if let Some((low, high)) = bounds {
        text.push_str(&format!(" from {} to {}", text::number(low), text::number(high)));
    }
    text
}

fn computing(plan: &Plan) -> String {
    let precision = plan.precision.words();
    if plan.text.is_some() {
        return format!("{precision}, sequences packed, on {}", plan.device);
    }
    if plan.table.is_some() {
        return format!("{precision}, on {}", plan.device);
    }
    format!("{precision}, {}, on {}", plan.memory_format.replace('_', " "), plan.device)
}

fn gradients(plan: &Plan) -> String {
    let train = &plan.recipe.train;
    let mut parts = vec![match train.clip_grad_norm {
        Some(norm) => format!("clipped to a global norm of {}", text::number(norm)),
        None => "not clipped".to_owned(),
    }];
    if let Some(ema) = train.ema {
        parts.push(format!("weights averaged with decay {}", ema.decay));
    }
    parts.join(", ")
}

fn evaluation(plan: &Plan) -> String {
    let eval = &plan.recipe.eval;
    if plan.recipe.contrastive.is_some() {
        // no figure of embeddings decides: a smaller contrast is no better encoder
        let classes = plan.data.classes.len() > 1 && plan.data.split("valid").is_some();
        let neighbours = if classes { "nearest neighbours' accuracy, " } else { "" };
        let how = words::every(eval.every);
        return format!(
            "{how} and at the end: {neighbours}alignment, uniformity, spread; none is called the best"
        );
    }
    if plan.data.split("valid").is_none() {
        return "none: there is no validation split".to_owned();
    }
    let metric = match eval.metric {
        Metric::Loss => "loss",
        Metric::Accuracy => "accuracy",
        Metric::R2 => "R²",
    };
    let mut text = match eval.batches {
        Some(batches) => format!(
            "quick estimates on {} of both splits {}; the whole validation split after each epoch, best by {metric}",
            text::count(batches, "batch", "batches"),
            words::every(eval.every)
        ),
        None => format!("{} and at the end, best by {metric}", words::every(eval.every)),
    };
    let others: Vec<&str> = eval.at_end.iter().map(|split| split.as_str()).collect();
    let others: Vec<&str> =
        others.into_iter().filter(|split| *split != "valid" && plan.data.split(split).is_some()).collect();
    if !others.is_empty() {
        text.push_str(&format!("; {} once, at the end", others.join(" and ")));
    }
    if let Some(stop) = plan.recipe.train.early_stopping {
        let forgiven = text::count(stop.patience, "evaluation", "evaluations");
        text.push_str(&format!(", stops after more than {forgiven} without improvement"));
    }
    text
}

fn checkpoints(plan: &Plan) -> String {
    let checkpoint = &plan.recipe.train.checkpoint;
    let kept = if checkpoint.keep == 1 {
        "the newest".to_owned()
    } else {
        format!("the newest {}", checkpoint.keep)
    };
    let best = if plan.recipe.contrastive.is_some() { "" } else { " and the best" };
    format!("{}, {kept}{best} kept", words::every(checkpoint.every))
}
