//! What a contrastive run contrasts, and through which heads.

use luthier_plan::Plan;
use luthier_recipe::{ContrastiveLoss, KeyNorm};

use super::Page;
use crate::text::{self, Align};

/// Queue, prototypes, and what each stage minimises.
pub fn contrast(page: &mut Page, plan: &Plan) {
    let Some(asked) = &plan.recipe.contrastive else { return };
    page.section("Contrast", &format!("embeddings of {} numbers", asked.dim));
    let own = plan.contrast.as_ref().map_or(0.0, |contrast| contrast.false_negatives);
    page.line(&format!(
        "queue         {}, {own:.2} of them a sample's own",
        text::count(asked.queue, "key", "keys")
    ));
    if asked.in_batch {
        page.line("in the batch  the other samples' keys as well");
    }
    page.line(&format!("key encoder   keeps {} of itself at each update", text::number(asked.momentum)));
    let norms = match asked.key_norm {
        KeyNorm::Ema => "running, follow the query encoder's",
        KeyNorm::Batch => "of the batch",
    };
    if plan.model.tensors.iter().any(|tensor| tensor.name.ends_with("running_mean")) {
        page.line(&format!("  statistics  {norms}"));
    }
    page.line(&format!("temperature   {}", text::number(asked.temperature)));
    if let Some(prototypes) = &asked.prototypes {
        let counts: Vec<String> = prototypes.clusters.iter().map(|count| text::grouped(*count)).collect();
        page.line(&format!("prototypes    {} clusters, found anew each epoch", counts.join(", ")));
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

fn names(losses: &[ContrastiveLoss]) -> String {
    losses.iter().map(|loss| loss.as_str()).collect::<Vec<_>>().join(" + ")
}
