//! What can be wrong with a recipe, and what is said about it.

mod common;

use common::SOUND;
use luthier_recipe::{RecipeError, load, parse};
use miette::{GraphicalReportHandler, GraphicalTheme};

/// As a terminal without colours would show it.
fn shown(error: &RecipeError) -> String {
    let mut out = String::new();
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(110).without_cause_chain();
    handler.render_report(&mut out, error).expect("text takes anything");
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn fault(text: &str, sets: &[&str]) -> RecipeError {
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    match parse("recipe.toml", text, &sets) {
        Ok(loaded) => panic!("accepted: {:?}", loaded.recipe),
        Err(error) => error,
    }
}

/// The sound recipe with one piece of it replaced.
fn with(old: &str, new: &str) -> String {
    assert_eq!(SOUND.matches(old).count(), 1, "`{old}` is not there exactly once");
    SOUND.replace(old, new)
}

/// Faults by what is replaced in the sound recipe. One table, one snapshot: the messages are read side by side.
const FAULTS: &[(&str, &str, &str)] = &[
    // (why it is wrong, what is replaced, by what)
    ("misspelt key", "momentum = 0.9", "momentun = 0.9"),
    ("name of another tool", "lr = 0.01", "learning_rate = 0.01"),
    ("key of another table", "weights = \"none\"", "weights = \"none\"\nepochs = 5"),
    ("key of the top, below a table", "batch_size = 32", "batch_size = 32\nseed = 1"),
    ("key like no other", "[model]", "[model]\nxyzzy = 1"),
    ("key of another optimizer", "momentum = 0.9", "betas = [0.9, 0.99]"),
    ("key like no other in a long table", "[data]", "[data]\nqqq = 1"),
    ("unknown table", "[model]", "[modle]"),
    ("key in a list entry", "lr_scale = 10", "lr_scal = 10"),
    ("text for a number", "lr = 0.01", "lr = \"fast\""),
    ("quoted number", "lr = 0.01", "lr = \"0.01\""),
    ("float for a whole number", "epochs = 5", "epochs = 5.0"),
    ("number for text", "name = \"hotdog\"", "name = 7"),
    ("scalar for a table", "split = { valid = 0.2 }", "split = 0.2"),
    ("scalar for a list", "[model]", "[model]\nfreeze = \"layer1.*\""),
    ("date", "name = \"hotdog\"", "name = 2024-01-01"),
    ("number too large", "epochs = 5", "epochs = 99999999999999999999"),
    ("unknown word", "arch = \"resnet18\"", "arch = \"resnet-81\""),
    ("unknown optimizer", "type = \"SGD\"", "type = \"sgd\""),
    ("unknown transform", "op = \"CenterCrop\"", "op = \"CentreCrop\""),
    ("wrong type of a tag", "type = \"SGD\"", "type = 3"),
    ("no tag", "type = \"StepLR\"\n", ""),
    ("required key", "lr = 0.01\n", ""),
    ("required key of a variant", "step_size = 3\n", ""),
    ("required table", "[train]\nepochs = 5\nbatch_size = 32\n", ""),
    ("both of one", "batch_size = 32", "batch_size = 32\n[eval]\nevery = { epochs = 1, steps = 5 }"),
    ("none of one", "batch_size = 32", "batch_size = 32\n[eval]\nevery = {}"),
    ("short list", "mean = [0.5, 0.5, 0.5]", "mean = [0.5, 0.5]"),
    ("size of the wrong kind", "op = \"Resize\", size = 256", "op = \"Resize\", size = \"big\""),
    ("lr = 0", "lr = 0.01", "lr = 0"),
    ("lr infinite", "lr = 0.01", "lr = inf"),
    ("lr not a number", "lr = 0.01", "lr = nan"),
    ("epochs = 0", "epochs = 5", "epochs = 0"),
    ("epochs negative", "epochs = 5", "epochs = -5"),
    ("batch_size = 0", "batch_size = 32", "batch_size = 0"),
    ("grad_accum = 0", "epochs = 5", "epochs = 5\ngrad_accum = 0"),
    ("momentum = 1", "momentum = 0.9", "momentum = 1"),
    ("nesterov without momentum", "momentum = 0.9", "nesterov = true"),
    ("nesterov with dampening", "momentum = 0.9", "momentum = 0.9\ndampening = 0.1\nnesterov = true"),
    (
        "beta = 1",
        "type = \"SGD\"\nlr = 0.01\nmomentum = 0.9",
        "type = \"Adam\"\nlr = 0.01\nbetas = [0.9, 1.0]",
    ),
    ("eps = 0", "type = \"SGD\"\nlr = 0.01\nmomentum = 0.9", "type = \"AdamW\"\nlr = 0.01\neps = 0.0"),
    ("split.valid = 1", "valid = 0.2", "valid = 1.0"),
    ("fold too far", "valid = 0.2", "valid = 0.2, fold = 5"),
    ("two ways to validate", "split = {", "valid = \"test\"\nsplit = {"),
    ("label_smoothing = 1", "[optim]", "[loss]\ntype = \"cross_entropy\"\nlabel_smoothing = 1.0\n[optim]"),
    (
        "negative class weight",
        "[optim]",
        "[loss]\ntype = \"cross_entropy\"\nclass_weights = [1.0, -1.0]\n[optim]",
    ),
    ("no class weight", "[optim]", "[loss]\ntype = \"cross_entropy\"\nclass_weights = []\n[optim]"),
    (
        "unknown class weights",
        "[optim]",
        "[loss]\ntype = \"cross_entropy\"\nclass_weights = \"ballanced\"\n[optim]",
    ),
    ("group with two rates", "lr_scale = 10", "lr_scale = 10, lr = 0.1"),
    ("group without effect", ", lr_scale = 10", ""),
    ("two ways to freeze", "[model]", "[model]\nfreeze = [\"layer1.*\"]\ntrain = [\"fc.*\"]"),
    ("nothing to train", "[model]", "[model]\ntrain = []"),
    ("rank 0", "[model]", "[model]\nlora = { r = 0, alpha = 8.0, target_modules = [\"fc\"] }"),
    ("lora without alpha", "[model]", "[model]\nlora = { r = 8, target_modules = [\"fc\"] }"),
    ("lora.alpha = 0", "[model]", "[model]\nlora = { alpha = 0.0, target_modules = [\"fc\"] }"),
    (
        "lora.dropout = 1",
        "[model]",
        "[model]\nlora = { alpha = 8.0, dropout = 1.0, target_modules = [\"fc\"] }",
    ),
    ("lora of nothing", "[model]", "[model]\nlora = { alpha = 8.0, target_modules = [] }"),
    ("lora without targets", "[model]", "[model]\nlora = { alpha = 8.0 }"),
    ("unknown targets", "[model]", "[model]\nlora = { alpha = 8.0, target_modules = \"all_linear\" }"),
    (
        "unknown bias",
        "[model]",
        "[model]\nlora = { alpha = 8.0, target_modules = [\"fc\"], bias = \"lora-only\" }",
    ),
    ("PEFT's name of alpha", "[model]", "[model]\nlora = { lora_alpha = 8.0, target_modules = [\"fc\"] }"),
    (
        "lora and freezing",
        "[model]",
        "[model]\nfreeze = [\"layer1.*\"]\nlora = { alpha = 8.0, target_modules = [\"fc\"] }",
    ),
    ("adapter and rank", "[model]", "[model]\nlora = { r = 8, adapter = \"adapter\" }"),
    ("pool of pictures", "[model]", "[model]\npool = \"mean\""),
    ("config of pictures", "[model]", "[model]\nconfig = \"config.json\""),
    ("shape of another architecture", "[model]", "[model]\nvit = { size = \"tiny\" }"),
    (
        "shape beside weights",
        "arch = \"resnet18\"\nweights = \"none\"",
        "arch = \"vit\"\nweights = \"vit.safetensors\"\nvit = { size = \"tiny\" }",
    ),
    (
        "heads that do not share",
        "arch = \"resnet18\"",
        "arch = \"vit\"\nvit = { size = \"tiny\", hidden_size = 64, num_attention_heads = 5 }",
    ),
    ("unknown size", "arch = \"resnet18\"", "arch = \"vit\"\nvit = { size = \"medium\" }"),
    ("unknown pool", "[model]", "[model]\npool = \"last_token\""),
    ("ema.decay = 1", "epochs = 5", "epochs = 5\nema = { decay = 1.0 }"),
    ("clip_grad_norm = 0", "epochs = 5", "epochs = 5\nclip_grad_norm = 0.0"),
    ("checkpoint.keep = 0", "epochs = 5", "epochs = 5\ncheckpoint = { keep = 0 }"),
    ("every = 0", "epochs = 5", "epochs = 5\ncheckpoint = { every = { steps = 0 } }"),
    ("gamma = 0", "step_size = 3", "step_size = 3\ngamma = 0"),
    ("step_size = 0", "step_size = 3", "step_size = 0"),
    (
        "milestones that fall",
        "type = \"StepLR\"\nstep_size = 3",
        "type = \"MultiStepLR\"\nmilestones = [3, 3]",
    ),
    ("milestone at 0", "type = \"StepLR\"\nstep_size = 3", "type = \"MultiStepLR\"\nmilestones = [0, 3]"),
    ("no milestones", "type = \"StepLR\"\nstep_size = 3", "type = \"MultiStepLR\"\nmilestones = []"),
    ("OneCycleLR by epoch", "type = \"StepLR\"\nstep_size = 3", "type = \"OneCycleLR\""),
    (
        "OneCycleLR with warm-up",
        "type = \"StepLR\"\nstep_size = 3\nunit = \"epoch\"",
        "type = \"OneCycleLR\"\nunit = \"step\"\nwarmup = { steps = 9 }",
    ),
    ("size = 0", "op = \"CenterCrop\", size = 224", "op = \"CenterCrop\", size = [224, 0]"),
    ("scale upside down", "size = 224 },\n", "size = 224, scale = [1.0, 0.5] },\n"),
    ("ratio negative", "size = 224 },\n", "size = 224, ratio = [-1.0, 0.5] },\n"),
    ("p > 1", "op = \"RandomResizedCrop\", size = 224", "op = \"RandomHorizontalFlip\", p = 1.5"),
    ("hue > 0.5", "op = \"RandomResizedCrop\", size = 224", "op = \"ColorJitter\", hue = 0.6"),
    ("std = 0", "std = [0.25, 0.25, 0.25]", "std = [0.25, 0.0, 0.25]"),
    ("std = 0 in 32 bits", "std = [0.25, 0.25, 0.25]", "std = [0.25, 1e-60, 0.25]"),
    ("even kernel", "op = \"RandomResizedCrop\", size = 224", "op = \"GaussianBlur\", kernel_size = 4"),
    ("max_megapixels = 0", "[data.transform]", "max_megapixels = 0\n[data.transform]"),
    (
        "step after Normalize",
        "  { op = \"RandomResizedCrop\", size = 224 },\n  { op = \"Normalize\", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] },\n",
        "  { op = \"Normalize\", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] },\n  { op = \"RandomResizedCrop\", size = 224 },\n",
    ),
    ("dropout = 1", "[model]", "[model]\ndropout = 1.0"),
    ("empty pattern", "match = \"fc.*\"", "match = \"\""),
    ("name is a path", "name = \"hotdog\"", "name = \"../hotdog\""),
    ("name is hidden", "name = \"hotdog\"", "name = \".hotdog\""),
    ("name is a device", "name = \"hotdog\"", "name = \"COM1\""),
    ("name is empty", "name = \"hotdog\"", "name = \"\""),
    (
        "early stopping without validation",
        "split = { valid = 0.2 }\n\n[data.transform]",
        "[train.early_stopping]\npatience = 3\n[data.transform]",
    ),
];

/// A sound recipe for texts.
const TEXTS: &str = r#"name = "spam"
task = "text-classification"

[data]
format = "tsv"
path = "SMSSpamCollection"
columns = { label = 0, text = 1 }
split = { train = 0.7, valid = 0.1, test = 0.2 }

[model]
arch = "resnet18"
weights = "none"

[optim]
type = "AdamW"
lr = 5e-5

[train]
epochs = 5
batch_size = 8
"#;

/// A sound recipe over a table of numbers and words.
const ROWS: &str = r#"name = "iris"
task = "classification"

[data]
format = "csv"
path = "iris.csv"
target = "species"
split = { valid = 0.2 }

[model]
arch = "sequential"
layers = [{ linear = 64 }, { act = "relu" }, { dropout = 0.1 }, { linear = "classes" }]
init = { weights = "he_normal", bias = 0.0 }

[loss]
type = "cross_entropy"

[optim]
type = "Adam"
lr = 0.01

[train]
epochs = 5
batch_size = 8
"#;

/// Faults of tables of numbers and words and of layers, by what is replaced in [`ROWS`].
const ROW_FAULTS: &[(&str, &str, &str)] = &[
    ("no target", "target = \"species\"\n", ""),
    ("several classes", "target = \"species\"", "target = [\"species\", \"kind\"]"),
    (
        "a target twice",
        "classification\"\n\n[data]\nformat = \"csv\"\npath = \"iris.csv\"\ntarget = \"species\"",
        "regression\"\n\n[data]\nformat = \"csv\"\npath = \"iris.csv\"\ntarget = [\"a\", \"a\"]",
    ),
    ("rows from a folder", "format = \"csv\"", "format = \"image-folder\""),
    (
        "a number of a JSON line",
        "format = \"csv\"\npath = \"iris.csv\"\ntarget = \"species\"",
        "format = \"jsonl\"\npath = \"iris.jsonl\"\ntarget = 4",
    ),
    ("columns of texts", "target =", "columns = { label = 0, text = 1 }\ntarget ="),
    ("scaled classes", "target =", "scale_target = \"minmax\"\ntarget ="),
    ("unknown scale", "target =", "scale = \"standardise\"\ntarget ="),
    ("no features", "target =", "features = []\ntarget ="),
    ("a regression of classes", "task = \"classification\"", "task = \"regression\""),
    ("another architecture", "arch = \"sequential\"", "arch = \"resnet18\""),
    (
        "no layers",
        "layers = [{ linear = 64 }, { act = \"relu\" }, { dropout = 0.1 }, { linear = \"classes\" }]\n",
        "",
    ),
    (
        "an empty list of layers",
        "[{ linear = 64 }, { act = \"relu\" }, { dropout = 0.1 }, { linear = \"classes\" }]",
        "[]",
    ),
    ("unknown activation", "act = \"relu\"", "act = \"rellu\""),
    ("unknown layer", "{ dropout = 0.1 }", "{ droput = 0.1 }"),
    ("two layers in one", "{ linear = 64 }, { act = \"relu\" }", "{ linear = 64, act = \"relu\" }"),
    ("no layer", "{ dropout = 0.1 }", "{ batch_norm = false }"),
    ("an option of another layer", "{ dropout = 0.1 }", "{ dropout = 0.1, kernel = 3 }"),
    ("a layer of no width", "linear = 64", "linear = 0"),
    ("an unknown width", "\"classes\"", "\"class\""),
    ("targets of classes", "\"classes\"", "\"targets\""),
    ("unknown start", "he_normal", "he_norm"),
    ("a start without its number", "he_normal", "normal"),
    ("a number of another start", "\"he_normal\"", "\"he_normal\", std = 0.1"),
    ("unknown loss", "cross_entropy", "crossentropy"),
    (
        "smoothed probabilities",
        "type = \"cross_entropy\"",
        "type = \"cross_entropy\"\ninput = \"probabilities\"\nlabel_smoothing = 0.1",
    ),
    ("r2 of classes", "batch_size = 8", "batch_size = 8\n[eval]\nmetric = \"r2\""),
];

#[test]
fn faults_of_rows_and_layers() {
    let messages = messages(ROW_FAULTS.iter().map(|(why, old, new)| {
        assert_eq!(ROWS.matches(old).count(), 1, "`{old}` is not there exactly once");
        (*why, ROWS.replace(old, new))
    }));
    insta::assert_snapshot!("row_messages", messages);
    let layers = SOUND
        .replace("weights = \"none\"", "weights = \"none\"\nlayers = [{ linear = 3 }]\noutput = \"relu\"");
    let no_weights = SOUND.replace("weights = \"none\"\n", "");
    let others = [("layers of a named architecture", layers), ("no weights", no_weights)];
    insta::assert_snapshot!("layer_messages", self::messages(others.into_iter()));
}

/// Faults of tables, splits and stages, by what is replaced in [`TEXTS`].
const TEXT_FAULTS: &[(&str, &str, &str)] = &[
    ("pictures from a table", "text-classification", "image-classification"),
    ("texts from a folder", "format = \"tsv\"", "format = \"image-folder\""),
    ("no place", "path = \"SMSSpamCollection\"\n", ""),
    ("two places", "path =", "train = \"a\"\npath ="),
    ("a place that is not divided", "split = { train = 0.7, valid = 0.1, test = 0.2 }\n", ""),
    ("shares that miss a part", "test = 0.2", "test = 0.1"),
    ("shares that leave nothing", "train = 0.7, valid = 0.1, test = 0.2", "valid = 0.5, test = 0.5"),
    ("a fold of three parts", "test = 0.2 }", "test = 0.2, fold = 1 }"),
    ("two tests", "columns =", "test = \"other.tsv\"\ncolumns ="),
    ("no columns", "columns = { label = 0, text = 1 }\n", ""),
    ("one column for both", "text = 1", "text = 0"),
    ("a column without its text", "{ label = 0, text = 1 }", "{ label = 0 }"),
    ("numbers for JSON", "format = \"tsv\"", "format = \"jsonl\""),
    ("transforms of texts", "[model]", "[data.transform]\ntrain = []\neval = []\n\n[model]"),
    ("files of a table left out", "columns =", "exclude = [\"*.gif\"]\ncolumns ="),
    ("no tokens", "columns =", "max_length = 0\ncolumns ="),
    ("a length that is neither", "columns =", "max_length = \"long\"\ncolumns ="),
    ("layer_decay = 1", "lr = 5e-5", "lr = 5e-5\nlayer_decay = 1.0"),
    ("no batches to estimate on", "batch_size = 8\n", "batch_size = 8\n[eval]\nbatches = 0\n"),
    ("an unknown split", "batch_size = 8\n", "batch_size = 8\n[eval]\nat_end = [\"tset\"]\n"),
    (
        "stages that do not add up",
        "batch_size = 8\n",
        "batch_size = 8\n[[stages]]\nname = \"a\"\nepochs = 1\n[[stages]]\nname = \"b\"\nepochs = 3\n",
    ),
    (
        "two stages of one name, one of both kinds",
        "batch_size = 8\n",
        "batch_size = 8\n[[stages]]\nname = \"a\"\nepochs = 2\n[[stages]]\nname = \"a\"\nepochs = 3\ntrain = [\"*\"]\nfreeze = [\"*\"]\n",
    ),
    (
        "an average over stages",
        "batch_size = 8\n",
        "batch_size = 8\nema = { decay = 0.9 }\n[[stages]]\nname = \"a\"\nepochs = 5\n",
    ),
];

#[test]
fn the_recipe_that_faults_are_put_into_is_sound() {
    assert!(parse("recipe.toml", TEXTS, &[]).is_ok());
}

#[test]
fn every_fault_of_texts_and_stages_has_its_message() {
    let rows = TEXT_FAULTS.iter().map(|(why, old, new)| {
        assert_eq!(TEXTS.matches(old).count(), 1, "`{old}` is not there exactly once");
        (*why, TEXTS.replace(old, new))
    });
    insta::assert_snapshot!("text_messages", messages(rows));
}

#[test]
fn every_fault_has_its_message() {
    insta::assert_snapshot!(
        "messages",
        messages(FAULTS.iter().map(|(why, old, new)| (*why, with(old, new))))
    );
}

/// What is said about each, one below the other.
fn messages<'a>(rows: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut all = String::new();
    for (why, text) in rows {
        let error = fault(&text, &[]);
        all.push_str(&format!("# {why}\n"));
        for problem in error.problems() {
            all.push_str(&format!("{problem}\n"));
            assert!(problem.help.as_deref() != Some(""), "{why}");
            if let Some(help) = &problem.help {
                all.push_str(&format!("  help: {help}\n"));
            }
        }
        all.push('\n');
    }
    all
}

#[test]
fn a_plateau_schedule_needs_validation() {
    let text = with("split = { valid = 0.2 }\n", "");
    let error = fault(&text.replace("type = \"StepLR\"\nstep_size = 3", "type = \"ReduceLROnPlateau\""), &[]);
    assert_eq!(error.problems()[0].key, "schedule.type");
    // without such a wish a recipe may well do without validation
    assert!(parse("recipe.toml", &text, &[]).is_ok());
}

#[test]
fn one_fault_is_shown_in_its_line() {
    insta::assert_snapshot!("one_fault", shown(&fault(&with("momentum", "momentun"), &[])));
}

#[test]
fn all_faults_are_told_at_once() {
    let text = with("lr = 0.01", "lr = -1").replace("epochs", "epoch").replace("resnet18", "resnet19");
    let text = text.replace("valid = 0.2", "valid = 0.2, fold = 9").replace("256", "\"256\"");
    insta::assert_snapshot!("all_faults", shown(&fault(&text, &[])));
}

#[test]
fn what_is_impossible_together_is_told_beside_a_misspelt_key() {
    let text = with("momentum = 0.9", "momentun = 0.9").replace("valid = 0.2", "valid = 0.2, fold = 9");
    let keys: Vec<String> = fault(&text, &[]).problems().iter().map(|problem| problem.key.clone()).collect();
    assert_eq!(keys, ["data.split.fold", "optim.momentun"]);
}

#[test]
fn every_syntax_error_is_told() {
    insta::assert_snapshot!("syntax", shown(&fault("name = hotdog\n[data\ntrain = 'x'\nname = 3\n", &[])));
}

#[test]
fn an_empty_file_lacks_its_tables() {
    let error = fault("", &[]);
    let messages: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(messages[0], "recipe.toml:1:1: `name` is missing");
    assert_eq!(messages.len(), 6, "{messages:#?}");
    assert!(shown(&error).contains("add a table `[train]`"));
}

#[test]
fn columns_count_characters() {
    let error = fault(&with("epochs = 5", "\"épöchs\" = 5"), &[]);
    assert_eq!(error.problems()[0].line_column, Some((31, 1)));
    let error = fault("name = \"é\" ; x", &[]);
    assert_eq!(error.problems()[0].line_column, Some((1, 12)));
}

#[test]
fn faults_of_set_arguments_name_the_argument() {
    let rows: &[(&str, &[&str])] = &[
        ("misspelt key", &["optim.lrr=3"]),
        ("misspelt table", &["optin.lr=3"]),
        ("value out of bounds", &["optim.lr=-1"]),
        ("wrong type", &["train.epochs=many"]),
        ("unknown word", &["optim.type=AdmW"]),
        ("no =", &["optim.lr"]),
        ("no key", &["=3"]),
        ("not a key", &["optim..lr=3"]),
        ("not an index", &["optim.groups[x].lr=3"]),
        ("index too far", &["optim.groups[7].lr=3"]),
        ("key of a number", &["optim.lr.x=3"]),
        ("index of a number", &["optim.lr[0]=3"]),
        ("key of another variant", &["schedule.milestones=[3]"]),
        ("required keys of the new variant", &["schedule.type=MultiStepLR"]),
        ("required key of a new table", &["train.early_stopping.min_delta=0.1"]),
        ("impossible together", &["data.valid=test"]),
        ("impossible together, file first", &["data.split.fold=7"]),
        ("impossible with the file", &["train.ema.decay=0.9", "optim.dampening=0.5", "optim.nesterov=true"]),
        ("escape sequences", &["name=\u{1b}[2J"]),
        ("two arguments", &["optim.lr=0", "train.epochs=0"]),
        ("a list that the shell unquoted", &["model.freeze=[layer1.*]"]),
        ("a second line", &["optim.lr=3\nname = 'x'"]),
    ];
    let mut all = String::new();
    for (why, sets) in rows {
        let error = fault(SOUND, sets);
        all.push_str(&format!("# {why}\n"));
        for problem in error.problems() {
            all.push_str(&format!("{problem}\n"));
            if let Some(help) = &problem.help {
                all.push_str(&format!("  help: {help}\n"));
            }
        }
        all.push('\n');
    }
    insta::assert_snapshot!("set_messages", all);
    insta::assert_snapshot!(
        "set_entry_shown",
        shown(&fault(SOUND, &["optim.betas=[ 0.9, 2 ]", "optim.type=Adam"]))
    );
    insta::assert_snapshot!("set_shown", shown(&fault(SOUND, &["optim.groups[0].lr_scale=-5"])));
}

#[test]
fn files_that_are_no_recipes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("recipe.toml"), SOUND).unwrap();
    std::fs::write(path("weights.toml"), [0xff_u8, 0xfe, 0]).unwrap();
    std::fs::write(path("large.toml"), vec![b'#'; 2 << 20]).unwrap();
    let rows = [
        ("recpie.toml", "there is no such file", "did you mean"),
        ("nothing-like-it.toml", "there is no such file", "luthier new"),
        ("", "it is a folder", "name the file in it"),
        ("weights.toml", "it is not UTF-8 text", "saved as UTF-8"),
        ("large.toml", "it is larger than 1 MiB", "a short TOML file"),
    ];
    for (name, reason, help) in rows {
        let error = load(&path(name), &[]).unwrap_err();
        assert!(error.to_string().contains(reason), "{name}: {error}");
        assert!(shown(&error).contains(help), "{name}: {}", shown(&error));
        assert!(error.problems().is_empty());
    }
    let loaded = load(&path("recipe.toml"), &[]).unwrap();
    assert_eq!(loaded.base, folder.path());
    assert_eq!(loaded.resolve("train".as_ref()), path("train"));
}

#[test]
fn weights_that_nothing_can_learn() {
    let told = |sets: &[&str]| {
        let text = shown(&fault(SOUND, sets));
        text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
    };
    let uncertain = "train.task_weighting={ type = \"uncertainty\" }";
    let one = told(&[uncertain]);
    assert!(one.contains("`train.task_weighting` is for several heads, and there is one"), "{one}");
    let heads = ["task=multi-task", "model.heads={ a = {}, b = { weight = 0.0 } }"];
    let none = told(&[&heads[..], &[uncertain]].concat());
    assert!(
        none.contains("`model.heads.b.weight` is 0, and `uncertainty` has no way up from there"),
        "{none}"
    );
    let off = "train.monitor={ enabled = false, gradient_cosine = true }";
    let off = told(&[&heads[..], &[off]].concat());
    assert!(off.contains("`train.monitor` is off"), "{off}");
    let alpha = told(&["train.task_weighting={ type = \"gradnorm\", alpha = -1.0 }"]);
    assert!(alpha.contains("`train.task_weighting.alpha` must be at least 0"), "{alpha}");
    let way = told(&["train.task_weighting={ type = \"gradnrom\" }"]);
    assert!(way.contains("gradnorm"), "{way}");
}
