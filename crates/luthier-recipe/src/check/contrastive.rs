//! Contrastive pretraining: what does not go with it, and numbers that do not fit together.

use super::Tell;
use crate::{
    Arch, Balance, Contrastive, ContrastiveLoss, Curve, KeyNorm, Loss, ProjectionHead, Recipe, Stage, Task,
    TripletMargin,
};

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
    kinds(recipe, asked, tell);
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
        (
            "data.balance",
            recipe.data.balance != Balance::None && !recipe.contrasts_in_batch(),
            "no label is used",
        ),
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
        return;
    }
    if recipe.contrasts_in_batch() {
        return per_class(recipe, asked, tell);
    }
    let queue = asked.queue();
    if batch > 0 && !queue.is_multiple_of(batch) {
        let whole = (queue / batch).max(1) * batch;
        tell(
            &["contrastive.queue", "train.batch_size"],
            format!("a queue of {queue} keys is no multiple of the batch of {batch}"),
            &format!("a batch replaces whole batches of keys: {whole} would do"),
        );
    }
}

/// Batches of so many samples of each class.
fn per_class(recipe: &Recipe, asked: &Contrastive, tell: &mut Tell<'_>) {
    let Some(m) = asked.m_per_class else { return };
    let batch = recipe.train.batch_size;
    let keys = ["contrastive.m_per_class", "train.batch_size"];
    if m < 2 {
        // the key's own range says so
    } else if !batch.is_multiple_of(m) {
        let whole = (batch / m).max(2) * m;
        let message = format!("a batch of {batch} is no multiple of {m} samples of a class");
        tell(&keys, message, &format!("a batch has whole classes: {whole} would do"));
    } else if batch < 2 * m {
        let message = format!("a batch of {batch} with {m} samples of a class has one class, and no other");
        tell(&keys, message, &format!("take batches of {} or more: they have no negatives else", 2 * m));
    }
    if !recipe.train.shuffle {
        let help = "leave `shuffle = false` out: which classes and samples a batch has is drawn";
        tell(
            &["train.shuffle", keys[0]],
            "`m_per_class` does not go with samples in file order".into(),
            help,
        );
    }
}

/// What belongs to a queue, and what to contrasts within a batch.
fn kinds(recipe: &Recipe, asked: &Contrastive, tell: &mut Tell<'_>) {
    let all = recipe.contrasts();
    let has = |loss| all.contains(&loss);
    twice_of(&asked.loss, "contrastive.loss", "`contrastive.loss`", tell);
    no_prototypes(asked, &asked.loss, "contrastive.loss", "`contrastive.loss`", tell);
    let queued = all.iter().find(|loss| !loss.in_batch());
    let (Some(own), Some(queued)) = (all.iter().find(|loss| loss.in_batch()), queued) else {
        return if queued.is_some() { no_classes(asked, tell) } else { no_queue(asked, has, tell) };
    };
    let [own, queued] = [own.as_str(), queued.as_str()];
    let named =
        |loss: &str| recipe.stages.iter().position(|stage| stage.loss.iter().any(|one| one.as_str() == loss));
    let key = named(own)
        .or_else(|| named(queued))
        .map_or("contrastive.loss".to_owned(), |at| format!("stages[{at}].loss"));
    tell(
        &[&key],
        format!(
            "`{own}` and `{queued}` do not go together: one contrasts a batch with itself, the other with a queue"
        ),
        "make two runs of it: the second one starts from the first with `weights = \"run:…\"` in `[model]`",
    );
}

/// A run with a queue knows no classes.
fn no_classes(asked: &Contrastive, tell: &mut Tell<'_>) {
    for (key, given) in [("m_per_class", asked.m_per_class.is_some()), ("triplet", asked.triplet.is_some())] {
        if given {
            let message =
                format!("`{key}` is for contrasts by class, and this run contrasts keys of a queue");
            let help = if key == "triplet" {
                "leave it out, or write `loss = [\"triplet\"]` in `[contrastive]`"
            } else {
                "leave it out, or write `loss = [\"sup_con\"]` or `[\"triplet\"]` in `[contrastive]`"
            };
            tell(&[&format!("contrastive.{key}")], message, help);
        }
    }
    let [warmup, losses] =
        [asked.prototypes.as_ref().map_or(0, |all| all.warmup_epochs), asked.loss.len() as u64];
    if warmup > 0 && losses == 1 && asked.loss.contains(&ContrastiveLoss::ProtoNce) {
        let message = format!("nothing is minimised in the {warmup} epochs of the prototypes' warm-up");
        let help = "name `info_nce` in `contrastive.loss`, too, or leave `warmup_epochs` out";
        tell(&["contrastive.prototypes.warmup_epochs", "contrastive.loss"], message, help);
    }
}

/// A run within batches has no queue and what belongs to one.
fn no_queue(asked: &Contrastive, has: impl Fn(ContrastiveLoss) -> bool, tell: &mut Tell<'_>) {
    let (sup_con, triplet) = (has(ContrastiveLoss::SupCon), has(ContrastiveLoss::Triplet));
    let names = match (sup_con, triplet) {
        (true, true) => "`sup_con` and `triplet` have",
        (true, false) => "`sup_con` has",
        _ => "`triplet` has",
    };
    let given = [
        ("queue", asked.queue.is_some(), "no queue: the samples of a batch are contrasted with each other"),
        ("in_batch", asked.in_batch, "nothing but the batch"),
        ("momentum", asked.momentum.is_some(), "no key encoder that follows by it"),
        ("key_norm", asked.key_norm == KeyNorm::Batch, "no key encoder"),
        ("prototypes", asked.prototypes.is_some(), "no prototypes: the classes are known"),
        ("temperature", !sup_con && asked.temperature.is_some(), "no temperature: it has a margin"),
        ("triplet", !triplet && asked.triplet.is_some(), "no triplets: name `triplet` in `contrastive.loss`"),
    ];
    for (key, _, why) in given.iter().filter(|(_, given, _)| *given) {
        tell(
            &[&format!("contrastive.{key}"), "contrastive.loss"],
            format!("`contrastive.{key}` does nothing here"),
            &format!("{names} {why}; leave it out"),
        );
    }
    if let Some(asked) = asked.triplet.as_ref().filter(|_| triplet)
        && let TripletMargin::Hinge(margin) = asked.margin
        && margin >= asked.distance.largest()
    {
        let most = asked.distance.largest();
        tell(
            &["contrastive.triplet.margin", "contrastive.triplet.distance"],
            format!(
                "a margin of {margin} is never reached: embeddings on the unit sphere are at most {most} apart"
            ),
            "0.1 to 0.5 are usual",
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

fn twice_of(losses: &[ContrastiveLoss], key: &str, name: &str, tell: &mut Tell<'_>) {
    if (1..losses.len()).any(|index| losses[..index].contains(&losses[index])) {
        tell(&[key], format!("{name} names one twice"), "name each once");
    }
}

fn prototypes(recipe: &Recipe, asked: &Contrastive, tell: &mut Tell<'_>) {
    let Some(prototypes) = &asked.prototypes else { return };
    let (clusters, key) = (&prototypes.clusters, "contrastive.prototypes");
    if let Some(index) = (1..clusters.len()).find(|index| clusters[..*index].contains(&clusters[*index])) {
        let message = format!("`{key}.clusters` has {} twice", clusters[index]);
        tell(&[&format!("{key}.clusters[{index}]")], message, "each granularity is one number of clusters");
    }
    if recipe.contrasts_in_batch() {
        return;
    }
    let named = |stage: &Stage| stage.loss.contains(&ContrastiveLoss::ProtoNce);
    let open = asked.losses().contains(&ContrastiveLoss::ProtoNce);
    let open = open && (recipe.stages.is_empty() || recipe.stages.iter().any(|stage| stage.loss.is_empty()));
    if !recipe.stages.iter().any(named) && (!open || prototypes.warmup_epochs >= recipe.train.epochs) {
        let message = if open {
            format!(
                "the prototypes' warm-up takes {} epochs, and the run has {}",
                prototypes.warmup_epochs, recipe.train.epochs
            )
        } else if recipe.stages.is_empty() {
            "`contrastive.loss` does not name `proto_nce`".to_string()
        } else {
            "no stage's `loss` names `proto_nce`".to_string()
        };
        let help =
            "they would never be contrasted with: leave `[contrastive.prototypes]` out, or begin earlier";
        tell(&[&format!("{key}.warmup_epochs"), key], message, help);
    }
}

/// Prototypes that are named and not there.
fn no_prototypes(asked: &Contrastive, losses: &[ContrastiveLoss], key: &str, who: &str, tell: &mut Tell<'_>) {
    if losses.contains(&ContrastiveLoss::ProtoNce) && asked.prototypes.is_none() {
        let help = "add `[contrastive.prototypes]` with `clusters`";
        tell(&[key], format!("{who} contrasts with prototypes, and there are none"), help);
    }
}

fn in_stage(asked: &Contrastive, stage: &Stage, key: &str, tell: &mut Tell<'_>) {
    let name = &stage.name;
    no_prototypes(asked, &stage.loss, &format!("{key}.loss"), &format!("stage `{name}`"), tell);
    twice_of(&stage.loss, &format!("{key}.loss"), &format!("`loss` of stage `{name}`"), tell);
    let Some(heads) = &stage.heads else { return };
    twice(heads, &format!("{key}.heads"), tell);
    if let Some(head) = heads.iter().find(|head| !asked.heads.contains(head)) {
        let message = format!("stage `{name}` goes through head `{}`, which is not there", head.as_str());
        tell(&[&format!("{key}.heads")], message, "name it in `contrastive.heads`");
    }
}
