//! Contrastive pretraining: what does not go with it, and numbers that do not fit together.

use super::Tell;
use crate::{Arch, Balance, Contrastive, ContrastiveLoss, Curve, Loss, ProjectionHead, Recipe, Stage, Task};

pub(super) fn check(recipe: &Recipe, tell: &mut Tell<'_>) {
    let Some(asked) = &recipe.contrastive else {
        if recipe.task == Task::Contrastive {
            let help = "add it, such as `[contrastive]` with `queue = 4096`";
            tell(&["contrastive", "task"], "`contrastive` is missing".to_string(), help);
        }
        return others(recipe, tell);
    };
    if recipe.task != Task::Contrastive {
        let help = "write `task = \"contrastive\"`, or leave the table out";
        tell(&["contrastive", "task"], "this task contrasts nothing".to_string(), help);
        return others(recipe, tell);
    }
    out_of_place(recipe, tell);
    batches(recipe, asked, tell);
    heads(asked, tell);
    prototypes(recipe, asked, tell);
    for (index, stage) in recipe.stages.iter().enumerate() {
        in_stage(asked, stage, &format!("stages[{index}]"), tell);
    }
}

/// Keys of stages that mean something to a contrastive run alone.
fn others(recipe: &Recipe, tell: &mut Tell<'_>) {
    for (index, stage) in recipe.stages.iter().enumerate() {
        for (key, given) in [("loss", !stage.loss.is_empty()), ("heads", stage.heads.is_some())] {
            if given {
                let message = format!("`{key}` of a stage is for contrastive runs");
                tell(&[&format!("stages[{index}].{key}"), "task"], message, "leave it out");
            }
        }
    }
}

fn out_of_place(recipe: &Recipe, tell: &mut Tell<'_>) {
    let given = [
        ("loss", recipe.loss != Loss::default(), "what is minimised is in `[contrastive]`"),
        ("train.ema", recipe.train.ema.is_some(), "the key encoder is an average of the weights already"),
        ("model.lora", recipe.model.lora.is_some(), "an encoder that starts from nothing is trained whole"),
        ("streams", !recipe.streams.is_empty(), "one set of pictures is learned from"),
        ("data.balance", recipe.data.balance != Balance::None, "no label is used"),
        ("eval.batches", recipe.eval.batches.is_some(), "embeddings are looked at as a whole"),
        ("train.early_stopping", recipe.train.early_stopping.is_some(), "no validation loss can end the run"),
        (
            "schedule.type",
            matches!(recipe.schedule.curve, Curve::ReduceLROnPlateau { .. }),
            "no validation loss can lower the rate: `CosineAnnealingLR` is usual",
        ),
    ];
    for (key, _, why) in given.iter().filter(|(_, given, _)| *given) {
        tell(&[key, "task"], format!("`{key}` does not go with a contrastive run"), why);
    }
    if recipe.model.arch == Arch::Sequential {
        let help = "an encoder is a ResNet, an EfficientNet or a ViT";
        tell(&["model.arch", "task"], "`sequential` has no features before a head".to_string(), help);
    }
}

fn batches(recipe: &Recipe, asked: &Contrastive, tell: &mut Tell<'_>) {
    let batch = recipe.train.batch_size;
    if batch == 1 {
        let help = "take batches of 2 or more; 256 is usual";
        tell(&["train.batch_size"], "a batch of 1 has no other sample to contrast with".to_string(), help);
    } else if batch > 0 && !asked.queue.is_multiple_of(batch) {
        let whole = (asked.queue / batch).max(1) * batch;
        tell(
            &["contrastive.queue", "train.batch_size"],
            format!("a queue of {} keys is no multiple of the batch of {batch}", asked.queue),
            &format!("a batch replaces whole batches of keys: {whole} would do"),
        );
    }
}

fn heads(asked: &Contrastive, tell: &mut Tell<'_>) {
    twice(&asked.heads, "contrastive.heads", tell);
    if asked.heads.contains(&ProjectionHead::B) && asked.prototypes.is_none() {
        let help = "add `[contrastive.prototypes]`, or leave `b` out";
        tell(&["contrastive.heads"], "head `b` is for prototypes, and there are none".to_string(), help);
    }
}

fn twice(heads: &[ProjectionHead], key: &str, tell: &mut Tell<'_>) {
    if let Some(index) = (1..heads.len()).find(|index| heads[..*index].contains(&heads[*index])) {
        let message = format!("`{key}` names head `{}` twice", heads[index].as_str());
        tell(&[&format!("{key}[{index}]")], message, "name each once");
    }
}

fn prototypes(recipe: &Recipe, asked: &Contrastive, tell: &mut Tell<'_>) {
    let Some(prototypes) = &asked.prototypes else { return };
    let (clusters, key) = (&prototypes.clusters, "contrastive.prototypes");
    if let Some(index) = (1..clusters.len()).find(|index| clusters[..*index].contains(&clusters[*index])) {
        let message = format!("`{key}.clusters` has {} twice", clusters[index]);
        tell(&[&format!("{key}.clusters[{index}]")], message, "each granularity is one number of clusters");
    }
    let named = |stage: &Stage| stage.loss.contains(&ContrastiveLoss::ProtoNce);
    let open = recipe.stages.is_empty() || recipe.stages.iter().any(|stage| stage.loss.is_empty());
    if !recipe.stages.iter().any(named) && (!open || prototypes.warmup_epochs >= recipe.train.epochs) {
        let message = if open {
            format!(
                "the prototypes' warm-up takes {} epochs, and the run has {}",
                prototypes.warmup_epochs, recipe.train.epochs
            )
        } else {
            "no stage's `loss` names `proto_nce`".to_string()
        };
        let help =
            "they would never be contrasted with: leave `[contrastive.prototypes]` out, or begin earlier";
        tell(&[&format!("{key}.warmup_epochs"), key], message, help);
    }
}

fn in_stage(asked: &Contrastive, stage: &Stage, key: &str, tell: &mut Tell<'_>) {
    let name = &stage.name;
    if stage.loss.contains(&ContrastiveLoss::ProtoNce) && asked.prototypes.is_none() {
        let help = "add `[contrastive.prototypes]` with `clusters`";
        let message = format!("stage `{name}` contrasts with prototypes, and there are none");
        tell(&[&format!("{key}.loss")], message, help);
    }
    if (1..stage.loss.len()).any(|index| stage.loss[..index].contains(&stage.loss[index])) {
        let message = format!("`loss` of stage `{name}` names one twice");
        tell(&[&format!("{key}.loss")], message, "name each once");
    }
    let Some(heads) = &stage.heads else { return };
    twice(heads, &format!("{key}.heads"), tell);
    if let Some(head) = heads.iter().find(|head| !asked.heads.contains(head)) {
        let message = format!("stage `{name}` goes through head `{}`, which is not there", head.as_str());
        tell(&[&format!("{key}.heads")], message, "name it in `contrastive.heads`");
    }
}
