//! Weights of another run: `run:` and its folder or its name, and behind it `@best` or `@last` where one is meant.

use std::path::{Path, PathBuf};

use luthier_model::Model;
use luthier_plan::{Plan, PlanError};
use luthier_recipe::{Recipe, Task};
use luthier_weights::Weights;

use crate::checkpoint;

/// Where runs are looked for by name.
const RUNS: &str = "runs";

/// What another run has learned.
pub(crate) struct FromRun {
    /// Its plan
    pub plan: Plan,
    /// Its weights, and notes of where they are from
    pub weights: Weights,
}

/// What weights of a recipe name, if that is a run.
pub(crate) fn named(weights: &str) -> Option<&str> {
    weights.strip_prefix("run:")
}

/// Reads the weights that a run has learned: of its best evaluation, or of its newest checkpoint where none is called the
/// best. `recipe` is the one that starts from them.
///
/// # Errors
/// No such run, none of its checkpoints is whole, or it trained another architecture or LoRA beside it.
pub(crate) fn read(name: &str, recipe: &Recipe, base: &Path) -> Result<FromRun, PlanError> {
    let (path, last) = divided(name);
    let folder = find(path, base)?;
    let plan = plan_of(&folder)?;
    fits(&plan, recipe, &folder)?;
    let checkpoints = folder.join("checkpoints");
    let picked = if last {
        checkpoint::newest(&checkpoints).map(|(found, passed)| (found, passed, None))
    } else {
        checkpoint::best(&checkpoints)
    };
    let (found, passed, missing) = picked.map_err(|_| {
        let none = checkpoint::list(&checkpoints).is_empty();
        let what = if none { "has no checkpoint" } else { "has no checkpoint that is whole" };
        refused(format!("the run `{}` {what}", folder.display())).help(
            "`luthier train --resume` goes on with it and writes one; `train.checkpoint.every` says how often",
        )
    })?;
    let mut weights = found.best();
    weights.origin = found.path.display().to_string();
    let best = found.state.best.is_some_and(|best| best.update == found.state.update) && !last;
    weights.notes.push(format!(
        "of the run `{}`, {} update {}",
        folder.display(),
        if best { "its best evaluation, after" } else { "its newest checkpoint, after" },
        found.state.update
    ));
    if let Some(best) = missing {
        weights
            .notes
            .push(format!("its best evaluation was after update {best}, where it wrote no checkpoint"));
    }
    for (path, why) in passed {
        weights.notes.push(format!("`{}` was passed over: {why}", path.display()));
    }
    Ok(FromRun { plan, weights })
}

/// The plan of the run that weights name.
///
/// # Errors
/// No such run.
pub(crate) fn plan_named(name: &str, base: &Path) -> Result<Plan, PlanError> {
    plan_of(&find(divided(name).0, base)?)
}

impl FromRun {
    /// Leaves out what the model has another use for: the heads of embeddings where classes are learned, heads that the model
    /// does not have, and a head of other classes.
    pub fn without_heads(&mut self, model: &Model, recipe: &Recipe, classes: &[String]) {
        let pretrained = self.plan.recipe.task == Task::Contrastive && recipe.task != Task::Contrastive;
        let others = !pretrained
            && self.plan.model.heads.is_empty()
            && !classes.is_empty()
            && recipe.task == self.plan.recipe.task
            && recipe.task != Task::Contrastive
            && self.plan.data.classes != classes;
        let of_heads =
            |name: &str| self.plan.model.heads.iter().any(|(head, _)| name.starts_with(&format!("{head}.")));
        let known = |name: &str| model.store.get(name).is_some();
        let before = self.weights.tensors.len();
        self.weights.tensors.retain(|name, _| {
            !((pretrained || others) && model.is_head(name) || of_heads(name) && !known(name))
        });
        if before == self.weights.tensors.len() {
            return;
        }
        self.weights.notes.push(
            if pretrained {
                "the heads of its embeddings are left out"
            } else if others {
                "its head is left out: it told other classes apart"
            } else {
                "its heads that this model does not have are left out"
            }
            .into(),
        );
    }
}

/// A run and whether its newest checkpoint is meant.
fn divided(name: &str) -> (&str, bool) {
    match name.rsplit_once('@') {
        Some((path, "last")) => (path, true),
        Some((path, "best")) => (path, false),
        _ => (name, false),
    }
}

fn refused(what: impl Into<String>) -> PlanError {
    PlanError::at("model.weights", what)
}

/// The folder of a run: a path, from the recipe or from here, or a name below `runs`, of which the newest is taken.
fn find(name: &str, base: &Path) -> Result<PathBuf, PlanError> {
    const HELP: &str = "give its folder, such as `run:runs/moco-20260131-120000`, or the recipe's name for its newest run in \
                        `runs`; `luthier runs` lists them";
    if name.is_empty() {
        return Err(refused("`run:` names no run").help(HELP));
    }
    let here = Path::new("");
    let places = [base.join(name), here.join(name), base.join(RUNS).join(name), here.join(RUNS).join(name)];
    if let Some(found) = places.iter().find(|place| place.join("plan.json").is_file()) {
        return Ok(found.clone());
    }
    let newest = [base, here].iter().filter_map(|place| newest_of(&place.join(RUNS), name)).max();
    if let Some((_, found)) = newest {
        return Ok(found);
    }
    Err(match places.iter().find(|place| place.is_dir()) {
        Some(folder) => {
            refused(format!("`{}` is no run: it has no `plan.json`", folder.display())).help(HELP)
        }
        None => refused(format!("there is no run `{name}`")).help(HELP),
    })
}

/// The newest run of a recipe of that name: its folder's name ends with when it began. Runs without a checkpoint and runs
/// that started from that name themselves, such as the one that asks, are taken only where there is no other.
fn newest_of(runs: &Path, name: &str) -> Option<(String, PathBuf)> {
    let began = |folder: &str| {
        let time = folder.strip_prefix(name)?.strip_prefix('-')?.to_owned();
        let digits = time.bytes().filter(u8::is_ascii_digit).count();
        let plain = time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        (plain && digits >= 14).then_some(time)
    };
    let entries = std::fs::read_dir(runs).ok()?;
    let found = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let time = began(&path.file_name()?.to_string_lossy())?;
        path.join("plan.json").is_file().then_some((time, path))
    });
    let mut found: Vec<(String, PathBuf)> = found.collect();
    found.sort();
    let usable = |path: &Path| {
        let began = |plan: Plan| named(plan.recipe.model.weights()).map(|from| divided(from).0.to_owned());
        let itself = plan_of(path).ok().and_then(began).is_some_and(|from| from == name);
        !itself && !checkpoint::list(&path.join("checkpoints")).is_empty()
    };
    let at = found.iter().rposition(|(_, path)| usable(path)).or(found.len().checked_sub(1))?;
    Some(found.swap_remove(at))
}

fn plan_of(folder: &Path) -> Result<Plan, PlanError> {
    let file = folder.join("plan.json");
    let torn = |why: String| {
        refused(format!("`{}` cannot be read: {why}", file.display()))
            .help("the run's folder is not whole: start from another one")
    };
    let text = std::fs::read(&file).map_err(|error| torn(error.to_string()))?;
    let mut plan: Plan = serde_json::from_slice(&text).map_err(|error| torn(error.to_string()))?;
    if !Path::new(&plan.base).is_dir() {
        plan.base = ".".into();
    }
    Ok(plan)
}

fn fits(plan: &Plan, recipe: &Recipe, folder: &Path) -> Result<(), PlanError> {
    let (theirs, ours) = (plan.recipe.model.arch, recipe.model.arch);
    if theirs != ours {
        let [theirs, ours] = [theirs, ours].map(luthier_model::arch_name);
        let what =
            format!("the run `{}` trained a `{theirs}`, and this recipe's is a `{ours}`", folder.display());
        let help = format!("write `arch = \"{theirs}\"`, or start from another run");
        return Err(refused(what).help(help));
    }
    if plan.model.lora.is_some() {
        let what = format!("the run `{}` trained LoRA beside its weights", folder.display());
        let help = format!(
            "`luthier export {} --to safetensors --merge out` adds it to them: start from `out/model.safetensors`",
            folder.display()
        );
        return Err(refused(what).help(help));
    }
    Ok(())
}
