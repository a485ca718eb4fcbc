//! What a contrastive run contrasts, and through which heads.

use luthier_plan::Plan;
use luthier_recipe::{Contrastive, ContrastiveLoss, KeyNorm, Mining, TripletMargin};

use super::Page;
use crate::text::{self, Align};

/// What is contrasted with what, and what each stage minimises.
pub fn contrast(page: &mut Page, plan: &Plan) {
    let Some(asked) = &plan.recipe.contrastive else { return };
    page.section("Contrast", &format!("embeddings of {} numbers", asked.dim));
    if plan.recipe.contrasts_in_batch() {
        by_class(page, plan, asked)
    } else {
        with_queue(page, plan, asked)
    }
    let mut rows = vec![["", "minimises", "through"].map(|title| page.dim(title)).to_vec()];
    for (index, stage) in plan.stages.iter().enumerate() {
        let heads: Vec<&str> = plan.heads_of(index).iter().map(|head| head.as_str()).collect();
        // the prototypes' warm-up may end within a stage
        let ends = [stage.first_epoch, stage.first_epoch + stage.epochs.saturating_sub(1)];
        let [first, last] = ends.map(|epoch| names(&plan.losses_of(epoch)));
        let losses = if first == last { first } else { format!("{first}, then {last}") };
        let name = if stage.name.is_empty() { "all epochs" } else { &stage.name };
        let heads = if heads.is_empty() { "no further head".to_owned() } else { heads.join(", ") };
        rows.push(vec![name.to_owned(), losses, heads]);
    }
    page.table(&rows, &[Align::Left; 3]);
}

/// Queue and prototypes.
fn with_queue(page: &mut Page, plan: &Plan, asked: &Contrastive) {
    let own = plan.contrast.as_ref().map_or(0.0, |contrast| contrast.false_negatives);
    page.line(&format!(
        "queue         {}, {own:.2} of them a sample's own",
        text::count(asked.queue(), "key", "keys")
    ));
    if asked.in_batch {
        page.line("in the batch  the other samples' keys as well");
    }
    page.line(&format!("key encoder   keeps {} of itself at each update", text::number(asked.momentum())));
    let norms = match asked.key_norm {
        KeyNorm::Ema => "running, follow the query encoder's",
        KeyNorm::Batch => "of the batch",
    };
    if plan.model.tensors.iter().any(|tensor| tensor.name.ends_with("running_mean")) {
        page.line(&format!("  statistics  {norms}"));
    }
    page.line(&format!("temperature   {}", text::number(asked.temperature())));
    if let Some(prototypes) = &asked.prototypes {
        let counts: Vec<String> = prototypes.clusters.iter().map(|count| text::grouped(*count)).collect();
        page.line(&format!("prototypes    {} clusters, found anew each epoch", counts.join(", ")));
    }
}

/// What of a batch is contrasted.
fn by_class(page: &mut Page, plan: &Plan, asked: &Contrastive) {
    let losses = plan.recipe.contrasts();
    let batch = plan.recipe.train.batch_size;
    let each = match (plan.views(), asked.m_per_class) {
        (1, None) => text::count(batch, "sample", "samples"),
        (_, None) => format!("two views of {}", text::count(batch, "sample", "samples")),
        (views, Some(m)) => {
            let of = text::count(batch / m.max(1), "class", "classes");
            format!("{of} of {m} samples each{}", if views > 1 { ", in two views" } else { "" })
        }
    };
    page.line(&format!("batch         {each}, contrasted with each other; no queue, no key encoder"));
    let found = plan.contrast.as_ref().and_then(|contrast| contrast.positives);
    page.line(&match found {
        _ if plan.views() > 1 => "positives     a sample's other view, and all of its class".to_owned(),
        Some(share) => {
            format!("positives     {:.0} % of the samples have another of their class", share * 100.0)
        }
        None => "positives     others of a sample's class".to_owned(),
    });
    if losses.contains(&ContrastiveLoss::SupCon) {
        page.line(&format!("temperature   {}", text::number(asked.temperature())));
    }
    if let Some(triplet) = asked.triplet.as_ref().filter(|_| losses.contains(&ContrastiveLoss::Triplet)) {
        let mined = match triplet.mining {
            Mining::BatchHard => "the farthest of its class against the nearest of another, for every sample",
            Mining::SemiHard => "every two of a class against the nearest of another that is farther",
        };
        let margin = match &triplet.margin {
            TripletMargin::Hinge(margin) => format!("margin {}", text::number(*margin)),
            TripletMargin::Soft(_) => "soft margin".to_owned(),
        };
        page.line(&format!("triplets      {}: {mined}", triplet.mining.as_str()));
        page.line(&format!(
            "distance      {} on the unit sphere, {margin}",
            triplet.distance.as_str().replace('-', " ")
        ));
    }
}

fn names(losses: &[ContrastiveLoss]) -> String {
    losses.iter().map(|loss| loss.as_str()).collect::<Vec<_>>().join(" + ")
}
