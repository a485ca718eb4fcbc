//! What was probably meant.

/// What other tools call it, and what it is called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("learningrate", "lr"),
    ("baselr", "lr"),
    ("loraalpha", "alpha"),
    ("loradropout", "dropout"),
    ("wd", "weight_decay"),
    ("decay", "weight_decay"),
    ("optimizer", "optim"),
    ("optimiser", "optim"),
    ("scheduler", "schedule"),
    ("lrscheduler", "schedule"),
    ("criterion", "loss"),
    ("dataset", "data"),
    ("evaluation", "eval"),
    ("training", "train"),
    ("transforms", "transform"),
    ("augmentation", "transform"),
    ("architecture", "arch"),
    ("backbone", "arch"),
    ("pretrained", "weights"),
    ("checkpoint", "weights"),
    ("samplesperclass", "m_per_class"),
    ("k", "m_per_class"),
    ("supconloss", "sup_con"),
    ("tripletloss", "triplet"),
    ("margin", "triplet"),
    ("mining", "triplet"),
    ("distance", "triplet"),
    ("ntxent", "info_nce"),
    ("hard", "batch-hard"),
    ("l2", "euclidean"),
    ("tau", "temperature"),
    ("frozen", "freeze"),
    ("val", "valid"),
    ("validation", "valid"),
    ("test", "valid"),
    ("valsplit", "split"),
    ("numworkers", "workers"),
    ("numepochs", "epochs"),
    ("numtrainepochs", "epochs"),
    ("bs", "batch_size"),
    ("gradientaccumulationsteps", "grad_accum"),
    ("accumulategradbatches", "grad_accum"),
    ("maxgradnorm", "clip_grad_norm"),
    ("gradclip", "clip_grad_norm"),
    ("gradientclipval", "clip_grad_norm"),
    ("amp", "precision"),
    ("dtype", "precision"),
    ("mixedprecision", "precision"),
    ("lossscale", "grad_scaler"),
    ("lossscaling", "grad_scaler"),
    ("savetotallimit", "keep"),
    ("params", "match"),
    ("randomseed", "seed"),
    ("name", "op"),
    ("imagefolder", "image-folder"),
    ("ce", "cross_entropy"),
    ("cosine", "CosineAnnealingLR"),
    ("onecycle", "OneCycleLR"),
    ("step", "StepLR"),
    ("multistep", "MultiStepLR"),
    ("plateau", "ReduceLROnPlateau"),
    ("exponential", "ExponentialLR"),
    ("linear", "LinearLR"),
    ("none", "constant"),
    ("float16", "fp16"),
    ("half", "fp16"),
    ("float32", "fp32"),
    ("bfloat16", "bf16"),
    ("acc", "accuracy"),
    ("steps", "step"),
    ("epochs", "epoch"),
];

/// The candidate that `word` probably stands for: the same but for case, `-` and `_`; or the name that other tools
/// use for it; or a few typing errors away (at most a third of its letters).
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let plain_word = plain(word);
    if plain_word.is_empty() {
        return None;
    }
    if let Some(same) = candidates.iter().find(|candidate| plain(candidate) == plain_word) {
        return Some(same);
    }
    let known = ELSEWHERE.iter().filter(|(elsewhere, _)| *elsewhere == plain_word);
    if let Some(same) =
        known.flat_map(|(_, here)| candidates.iter().find(|candidate| *candidate == here)).next()
    {
        return Some(same);
    }
    let allowed = (plain_word.chars().count() / 3).max(1);
    let near = candidates.iter().map(|candidate| {
        let plain = plain(candidate);
        (strsim::damerau_levenshtein(&plain_word, &plain), plain.chars().count(), *candidate)
    });
    near.filter(|(distance, length, _)| *distance <= allowed && distance < length)
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, candidate)| candidate)
}

fn plain(word: &str) -> String {
    // a stranger's file may hold a word of any length, and the distance is quadratic
    word.chars().take(64).filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// "`a`, `b` or `c`"
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [firsts @ .., last] => format!("{} or {last}", firsts.join(", ")),
    }
}
