//! Plans for tests, from a small recipe and figures of data that nobody has to have.

use luthier_plan::{
    ColumnStats, DataPlan, FeatureKind, FeaturePlan, LoadReport, LoraPlan, Machine, ModelPlan, Patterns,
    Plan, PlanError, Repeats, ResolvedPrecision, Role, Scaling, SplitPlan, TablePlan, TargetPlan, TensorPlan,
    TextPlan, TextSplit, resolve,
};
use luthier_recipe::{Arch, LayerKind, Loaded, Recipe, Task, Width, literal, parse, render};

use crate::{Facts, Finding, Rule, Severity, patch, rules};

/// A classification of rows in which nothing is wrong.
pub(crate) const TABLE: &str = "\
name = \"t\"\ntask = \"classification\"\n[data]\nformat = \"csv\"\ntrain = \"t.csv\"\nvalid = \"v.csv\"\n\
target = \"y\"\nscale = \"standardize\"\n[model]\narch = \"sequential\"\nlayers = [{ linear = 32 }, { act = \"relu\" }, \
{ linear = \"classes\" }]\ninit = { weights = \"he_normal\", bias = 0.0 }\n[loss]\ntype = \"cross_entropy\"\n[optim]\ntype = \"SGD\"\nlr = 0.1\n[train]\n\
epochs = 20\nbatch_size = 32\n";

/// A regression in which nothing is wrong.
pub(crate) const NUMBERS: &str = "\
name = \"t\"\ntask = \"regression\"\n[data]\nformat = \"csv\"\ntrain = \"t.csv\"\nvalid = \"v.csv\"\ntarget = \"y\"\n\
scale = \"standardize\"\nscale_target = \"standardize\"\n[model]\narch = \"sequential\"\nlayers = [{ linear = 32 }, \
{ act = \"relu\" }, { linear = \"targets\" }]\ninit = { weights = \"he_normal\", bias = 0.0 }\n[loss]\ntype = \"mse\"\n\
[optim]\ntype = \"Adam\"\nlr = 0.001\n[train]\nepochs = 50\nbatch_size = 32\n";

/// A fine-tuning of pictures in which nothing is wrong.
pub(crate) const PICTURES: &str = "\
name = \"t\"\ntask = \"image-classification\"\n[data]\ntrain = \"t\"\nvalid = \"v\"\n[data.transform]\ntrain = [{ op = \
\"RandomResizedCrop\", size = 224 }, { op = \"Normalize\", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }]\n\
eval = [{ op = \"Resize\", size = 224 }, { op = \"Normalize\", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }]\n\
[model]\narch = \"resnet18\"\nweights = \"resnet18.pth\"\n[optim]\ntype = \"SGD\"\nlr = 0.01\nmomentum = 0.9\n[train]\n\
epochs = 5\nbatch_size = 64\n";

/// A fine-tuning of texts in which nothing is wrong.
pub(crate) const TEXTS: &str = "\
name = \"t\"\ntask = \"text-classification\"\n[data]\nformat = \"tsv\"\ntrain = \"t.tsv\"\nvalid = \"v.tsv\"\ncolumns = \
{ label = 0, text = 1 }\n[model]\narch = \"gpt2\"\nweights = \"hf:openai-community/gpt2\"\n[optim]\ntype = \"AdamW\"\n\
lr = 5e-5\nweight_decay = 0.1\n[train]\nepochs = 5\nbatch_size = 8\n";

/// A contrastive pretraining in which nothing is wrong.
pub(crate) const CONTRAST: &str = "\
name = \"t\"\ntask = \"contrastive\"\n[data]\ntrain = \"t\"\nvalid = \"v\"\n[data.transform]\ntrain = [{ op = \
\"RandomResizedCrop\", size = 64 }, { op = \"RandomHorizontalFlip\" }]\neval = [{ op = \"Resize\", size = [64, 64] }]\n\
[model]\narch = \"resnet18\"\nweights = \"none\"\n[contrastive]\nqueue = 256\n[optim]\ntype = \"SGD\"\nlr = 0.03\n\
momentum = 0.9\n[train]\nepochs = 50\nbatch_size = 64\ndrop_last = true\n";

/// Embeddings by class, by triplets, in which nothing is wrong.
pub(crate) const TRIPLETS: &str = "\
name = \"t\"\ntask = \"contrastive\"\n[data]\ntrain = \"t\"\nvalid = \"v\"\n[data.transform]\ntrain = [{ op = \
\"RandomResizedCrop\", size = 64 }, { op = \"RandomHorizontalFlip\" }]\neval = [{ op = \"Resize\", size = [64, 64] }]\n\
[model]\narch = \"resnet18\"\nweights = \"none\"\n[contrastive]\nloss = [\"triplet\"]\n[optim]\n\
type = \"SGD\"\nlr = 0.03\nmomentum = 0.9\n[train]\nepochs = 50\nbatch_size = 64\n";

/// Embeddings by class, by all of a class, in which nothing is wrong.
pub(crate) const SUP_CON: &str = "\
name = \"t\"\ntask = \"contrastive\"\n[data]\ntrain = \"t\"\nvalid = \"v\"\n[data.transform]\ntrain = [{ op = \
\"RandomResizedCrop\", size = 64 }, { op = \"RandomHorizontalFlip\" }]\neval = [{ op = \"Resize\", size = [64, 64] }]\n\
[model]\narch = \"resnet18\"\nweights = \"none\"\n[contrastive]\nloss = [\"sup_con\"]\n[optim]\n\
type = \"SGD\"\nlr = 0.03\nmomentum = 0.9\n[train]\nepochs = 50\nbatch_size = 64\n";

/// What the data hold.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// Training samples of each class; of a regression, of all in the first
    pub counts: Vec<u64>,
    /// Validation samples; 0 = no such split
    pub valid: u64,
    /// Feature columns, as in the file
    pub features: Vec<ColumnStats>,
    /// Target columns, as in the file
    pub targets: Vec<ColumnStats>,
    /// The training samples lie class by class
    pub sorted: bool,
    /// What loading matched
    pub load: LoadReport,
    /// Training texts that were cut
    pub cut: u64,
    /// The validation samples are the first of the training samples
    pub leak: bool,
    /// Rows that stand in the files more than once
    pub repeats: Repeats,
}

impl Default for World {
    fn default() -> Self {
        World {
            counts: vec![400, 400, 400],
            valid: 300,
            features: vec![column(0.0, 1.0, -3.0, 3.0); 4],
            targets: vec![column(0.0, 1.0, -3.0, 3.0)],
            sorted: false,
            load: LoadReport {
                matched: 8,
                head: ["fc", "_fc", "score"].map(|part| format!("{part}.weight")).to_vec(),
                ..LoadReport::default()
            },
            cut: 0,
            leak: false,
            repeats: Repeats::default(),
        }
    }
}

/// Figures of a column of a thousand numbers.
pub(crate) fn column(mean: f64, std: f64, min: f64, max: f64) -> ColumnStats {
    ColumnStats { min, max, mean, std, count: 1000, non_finite: 0 }
}

/// A recipe and its plan.
pub(crate) struct Subject {
    pub loaded: Loaded,
    pub plan: Plan,
}

impl Subject {
    pub fn new(text: &str, sets: &[&str], world: &World) -> Self {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let loaded = parse("recipe.toml", text, &sets).unwrap_or_else(|error| panic!("{sets:?}: {error:?}"));
        let plan = plan(&loaded.recipe, world).unwrap();
        Subject { loaded, plan }
    }

    /// The same; `None` where the recipe names parameters that the small nets of these tests have not.
    pub fn try_new(text: &str, sets: &[String], world: &World) -> Option<Self> {
        let loaded = parse("recipe.toml", text, sets).unwrap();
        let plan = plan(&loaded.recipe, world).ok()?;
        Some(Subject { loaded, plan })
    }

    pub fn facts(&self) -> Facts<'_> {
        Facts { recipe: Some(&self.loaded), plan: Some(&self.plan), ..Facts::default() }
    }

    /// What a rule finds; every fix must be a patch that the recipe takes, with another recipe as its result.
    pub fn look(&self, rule: &Rule) -> Vec<Finding> {
        let findings = (rule.look)(rule, &self.facts());
        for finding in &findings {
            assert!(
                !finding.place.is_empty() && !finding.evidence.is_empty(),
                "{} says nothing",
                finding.code
            );
            assert!(!finding.explanation.is_empty() && !finding.refute.is_empty(), "{}", finding.code);
            let Some(fix) = &finding.fix else { continue };
            let text = render(&self.loaded.recipe);
            let patched = patch::apply(&text, &fix.patch).unwrap_or_else(|error| panic!("{fix:?}: {error}"));
            let parsed = parse("patched.toml", &patched, &[]);
            let parsed =
                parsed.unwrap_or_else(|error| panic!("{}: {fix:?}: {error:?}\n{patched}", finding.code));
            if fix.patch.values().all(|value| !value.is_null()) {
                // on the recipe as it was typed, where tables may be missing
                let more = fix.patch.iter().map(|(key, value)| format!("{key}={}", literal(value)));
                let sets: Vec<String> = self.loaded.sets.iter().cloned().chain(more).collect();
                let set = parse("recipe.toml", &self.loaded.text, &sets);
                let set = set.unwrap_or_else(|error| panic!("{}: {fix:?}: {error:?}", finding.code));
                assert_eq!(set.recipe, parsed.recipe, "{}", finding.code);
            }
            assert_ne!(parsed.recipe, self.loaded.recipe, "{}: {fix:?} changes nothing", finding.code);
        }
        findings
    }
}

/// The finding of a rule that finds one thing.
pub(crate) fn found(rule: &Rule, text: &str, sets: &[&str], world: &World) -> Finding {
    let mut findings = Subject::new(text, sets, world).look(rule);
    assert_eq!(findings.len(), 1, "{} with {sets:?}: {findings:#?}", rule.code);
    findings.remove(0)
}

/// The severity of what a rule finds, the worst if it is several; `None` where it says nothing.
pub(crate) fn severity(rule: &Rule, text: &str, sets: &[&str], world: &World) -> Option<Severity> {
    Subject::new(text, sets, world).look(rule).iter().map(|finding| finding.severity).max()
}

/// All that is wrong with a subject by all rules, as `CODE: evidence`; `info` is not wrong.
pub(crate) fn wrong(subject: &Subject) -> Vec<String> {
    let findings = rules::all().iter().flat_map(|rule| subject.look(rule));
    findings
        .filter(|f| f.severity > Severity::Info)
        .map(|f| format!("{}: {:?}", f.code, f.evidence))
        .collect()
}

fn plan(recipe: &Recipe, world: &World) -> Result<Plan, PlanError> {
    let regression = recipe.task == Task::Regression;
    let classes =
        if regression { Vec::new() } else { (0..world.counts.len()).map(|c| format!("c{c}")).collect() };
    let mut splits = vec![split("train", labels(world, regression))];
    if world.valid > 0 && (recipe.data.valid.is_some() || recipe.data.split.is_some()) {
        splits.push(SplitPlan {
            root: if world.leak { "train".into() } else { "valid".into() },
            ..split("valid", vec![0; world.valid as usize])
        });
    }
    let table = recipe.task.reads_rows().then(|| table(recipe, world));
    let outputs = if regression { world.targets.len() } else { world.counts.len() };
    let inputs = table.as_ref().map_or(3, TablePlan::width);
    let model = model(recipe, inputs, outputs as u64, world);
    let machine = Machine {
        device: "cpu".into(),
        precision: ResolvedPrecision::Fp32,
        memory_format: "contiguous".into(),
        ranks: 1,
    };
    let text = recipe.model.arch.reads_text().then(|| texts(world));
    let data = DataPlan::new(classes, splits);
    let mut plan = resolve(recipe, ".", data, text, model, machine)?;
    plan.table = table;
    Ok(plan)
}

fn labels(world: &World, regression: bool) -> Vec<u32> {
    let blocks = world.counts.iter().enumerate();
    let mut labels: Vec<u32> = blocks.flat_map(|(c, n)| vec![c as u32; *n as usize]).collect();
    if !world.sorted {
        // far enough apart that neighbours differ, the same every time
        let n = labels.len();
        let stride = (n / 2 + 1..n).find(|s| gcd(*s, n) == 1).unwrap_or(1);
        labels = (0..n).map(|at| labels[at * stride % n]).collect();
    }
    if regression { vec![0; labels.len()] } else { labels }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn split(name: &str, labels: Vec<u32>) -> SplitPlan {
    let samples = labels.into_iter().enumerate();
    let samples = samples.map(|(at, label)| (at.to_string(), label)).collect();
    SplitPlan { name: name.into(), root: name.into(), hash: None, samples, skipped: Vec::new() }
}

fn table(recipe: &Recipe, world: &World) -> TablePlan {
    let features = world.features.iter().enumerate().map(|(at, stats)| FeaturePlan {
        name: format!("x{at}"),
        kind: FeatureKind::Numbers { stats: *stats, scale: Scaling::fit(recipe.data.scale, stats) },
    });
    let targets = world.targets.iter().enumerate().map(|(at, stats)| TargetPlan {
        name: format!("y{at}"),
        stats: *stats,
        scale: Scaling::fit(recipe.data.scale_target, stats),
    });
    let regression = recipe.task == Task::Regression;
    TablePlan {
        features: features.collect(),
        class_column: (!regression).then(|| "y".into()),
        targets: if regression { targets.collect() } else { Vec::new() },
        header: true,
        repeats: world.repeats,
    }
}

fn texts(world: &World) -> TextPlan {
    TextPlan {
        tokenizer: "t".into(),
        vocabulary: 50257,
        max_length: 1024,
        pad_token: None,
        padding_side: "right".into(),
        pool: "last-token".into(),
        splits: vec![TextSplit { tokens: 10_000, longest: 1024, cut: world.cut }; 2],
    }
}

fn model(recipe: &Recipe, inputs: u64, outputs: u64, world: &World) -> ModelPlan {
    let model = &recipe.model;
    let tensors = match model.arch {
        Arch::Sequential => sequential(recipe, inputs, outputs),
        Arch::EfficientnetLite0 => {
            named(&["_conv_stem", "_bn0", "blocks.0.0._depthwise_conv", "blocks.0.0._bn1", "_fc"])
        }
        Arch::Gpt2 if model.lora.is_some() => named(&[
            "wte",
            "h.0.ln_1",
            "h.0.attn.c_attn",
            "h.0.attn.c_attn.lora_A",
            "h.0.attn.c_attn.lora_B",
            "ln_f",
            "score",
        ]),
        Arch::Gpt2 => named(&["wte", "h.0.ln_1", "h.0.attn.c_attn", "ln_f", "score"]),
        _ => named(&["conv1", "bn1", "layer1.0.conv1", "layer1.0.bn1", "fc"]),
    };
    let mut parts: Vec<String> = Vec::new();
    let freeze = Patterns::new(&model.freeze, "model.freeze").unwrap();
    let train = model.train.as_ref().map(|train| Patterns::new(train, "model.train").unwrap());
    let tensors = tensors.into_iter().map(|(name, shape, role)| {
        let part = name.rsplit_once('.').map_or(name.clone(), |(part, _)| part.to_owned());
        if parts.last() != Some(&part) {
            parts.push(part);
        }
        let chosen = train.as_ref().is_none_or(|train| train.first(&name).is_some());
        let chosen = chosen && (model.lora.is_none() || name.contains("lora_") || name.starts_with("score"));
        let trainable = role != Role::Buffer && chosen && freeze.first(&name).is_none();
        TensorPlan {
            name,
            shape,
            dtype: "float32".into(),
            role,
            part: parts.len() - 1,
            trainable,
            group: None,
        }
    });
    let tensors: Vec<TensorPlan> = tensors.collect();
    let pretrained = model.weights() != "none";
    ModelPlan {
        arch: serde_json::to_value(model.arch).unwrap().as_str().unwrap().into(),
        weights: model.weights().into(),
        load: pretrained.then(|| world.load.clone()),
        config: None,
        heads: Vec::new(),
        lora: model.lora.as_ref().map(lora),
        parts,
        tensors,
    }
}

fn lora(asked: &luthier_recipe::Lora) -> LoraPlan {
    LoraPlan {
        r: asked.r.unwrap_or(8),
        alpha: asked.alpha.unwrap(),
        dropout: asked.dropout,
        bias: asked.bias,
        use_rslora: asked.use_rslora,
        use_dora: asked.use_dora,
        asked: vec!["c_attn".into()],
        modules: vec!["h.0.attn.c_attn".into()],
        modules_to_save: vec!["score".into()],
        adapter: None,
    }
}

type Tensor = (String, Vec<i64>, Role);

/// Tensors of an architecture of this many layers, told apart by their names.
fn named(layers: &[&str]) -> Vec<Tensor> {
    let tensors = layers.iter().flat_map(|layer| {
        let last = layer.rsplit('.').next().unwrap();
        if last.contains("bn") || last.contains("ln_") {
            let norm = |kind: &str| (format!("{layer}.{kind}"), vec![8], Role::Norm);
            let mut all = vec![norm("weight"), norm("bias")];
            if last.contains("bn") {
                all.push((format!("{layer}.running_mean"), vec![8], Role::Buffer));
            }
            all
        } else {
            vec![(format!("{layer}.weight"), vec![8, 8], Role::Weight)]
        }
    });
    tensors.collect()
}

fn sequential(recipe: &Recipe, inputs: u64, outputs: u64) -> Vec<Tensor> {
    let mut width = inputs as i64;
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut add = |index: usize, kind: &str, shape: &[i64], role| {
        tensors.push((format!("{index}.{kind}"), shape.to_vec(), role));
    };
    for (index, layer) in recipe.model.layers.iter().flatten().enumerate() {
        match layer.kind().unwrap() {
            LayerKind::Linear { width: to, .. } => {
                let to = match to {
                    Width::Outputs(to) => to as i64,
                    Width::Data(_) => outputs as i64,
                };
                add(index, "weight", &[to, width], Role::Weight);
                add(index, "bias", &[to], Role::Bias);
                width = to;
            }
            LayerKind::Conv { channels, kernel, .. } => {
                let (to, edge) = (channels as i64, kernel as i64);
                add(index, "weight", &[to, width, edge, edge], Role::Weight);
                add(index, "bias", &[to], Role::Bias);
                width = to;
            }
            LayerKind::BatchNorm | LayerKind::LayerNorm => {
                add(index, "weight", &[width], Role::Norm);
                add(index, "bias", &[width], Role::Norm);
            }
            LayerKind::Unflatten([channels, ..]) => width = channels as i64,
            // pictures in these tests are 4 × 4 where a linear layer follows
            LayerKind::Flatten => width *= 16,
            _ => {}
        }
    }
    tensors
}
