//! From text to a recipe that is known to be sound.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::dom::{self, At, Text};
use crate::error::RecipeError;
use crate::faults::{Faults, Places};
use crate::shape::root;
use crate::suggest::did_you_mean;
use crate::{Recipe, check, set, walk};

/// The largest recipe that is read, in bytes; a weight file given by mistake is refused before it fills the memory.
const LARGEST: u64 = 1 << 20;

/// A sound recipe and where its keys were written.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The recipe with every default filled in
    pub recipe: Recipe,
    /// The folder that relative paths start from: the recipe's own
    pub base: PathBuf,
    /// The file as it was typed
    pub text: String,
    /// The file's name as messages show it
    pub file: String,
    /// The `--set` arguments
    pub sets: Vec<String>,
    /// Worth saying: what a `--set` argument made moot
    pub notes: Vec<String>,
    places: Places,
}

/// A place in the recipe file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1
    pub line: usize,
    /// Character in the line, from 1
    pub column: usize,
    /// Bytes of the file
    pub span: Range<usize>,
}

/// Reads, overrides and checks a recipe file.
///
/// # Errors
/// [`RecipeError`] with every fault: syntax, unknown keys, wrong types, impossible values.
pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, RecipeError> {
    let text = read(path)?;
    let mut loaded = parse(&path.display().to_string(), &text, sets)?;
    let base = path.parent().unwrap_or(Path::new(""));
    loaded.base = if base.as_os_str().is_empty() { PathBuf::from(".") } else { base.to_path_buf() };
    Ok(loaded)
}

/// Checks the text of a recipe, which messages call `file_name`. Relative paths start from the working directory.
///
/// # Errors
/// [`RecipeError`] with every fault: syntax, unknown keys, wrong types, impossible values.
pub fn parse(file_name: &str, text: &str, sets: &[String]) -> Result<Loaded, RecipeError> {
    let mut places = Places::new(file_name, text, sets);
    let mut document = match dom::parse(text) {
        Ok(document) => document,
        Err(errors) => {
            let mut faults = Faults::new(&places);
            for (message, span) in errors {
                let at = At { text: Text::File, span };
                faults.push(&at, "", format!("not TOML: {message}"), "", None);
            }
            return Err(faults.into_error().unwrap_or_else(|| no_recipe(file_name)));
        }
    };
    let unlearned = places.clone();
    let mut set_faults = Faults::new(&unlearned);
    let notes = set::apply(&mut document, sets, &mut set_faults);
    places.learn(&document);

    let mut faults = set_faults.with_places(&places);
    walk::walk(&document, root(), "", &mut faults);
    // with an unknown key or an impossible number serde still has a recipe to offer, so that what is impossible
    // together can be told in the same breath
    let recipe = match Recipe::deserialize(document.to_json()) {
        Ok(recipe) => Some(recipe),
        Err(error) => {
            if faults.is_empty() {
                faults.push(&document.at, "", error.to_string(), "", None);
            }
            None
        }
    };
    let recipe = recipe.map(|recipe| {
        let mut tell = |keys: &[&str], message: String, help: &str| {
            if keys.iter().any(|key| faults.mentions(key)) {
                return;
            }
            let spots = || keys.iter().map(|key| (*key, places.nearest(key)));
            let set = spots().find(|(_, at)| at.text != Text::File);
            if let Some((key, at)) = set.or_else(|| spots().next()) {
                faults.push(&at, key, message, "", Some(help.to_string()));
            }
        };
        check::given(&recipe, &mut tell);
        let recipe = recipe.settled();
        check::check(&recipe, &mut tell);
        recipe
    });
    match (faults.into_error(), recipe) {
        (None, Some(recipe)) => Ok(Loaded {
            recipe,
            base: PathBuf::from("."),
            text: text.to_string(),
            file: file_name.to_string(),
            sets: sets.to_vec(),
            notes,
            places,
        }),
        (error, _) => Err(error.unwrap_or_else(|| no_recipe(file_name))),
    }
}

impl Loaded {
    /// Where the value of a key such as `optim.groups[0].lr_scale` stands; `None` when the file does not give it.
    pub fn place(&self, key: &str) -> Option<Place> {
        let at = self.places.exact(key).filter(|at| at.text == Text::File)?;
        let (line, column) = self.places.line_column(at.span.start);
        Some(Place { line, column, span: at.span.clone() })
    }

    /// An error that later stages found in a value: it points to the key, or to the nearest table around it.
    pub fn error_at(&self, key: &str, message: impl Into<String>, help: impl Into<String>) -> RecipeError {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        let problem = self.places.problem(&self.places.nearest(key), key, message.into(), "", help);
        RecipeError::Problem(Box::new(problem))
    }

    /// A path of the recipe, seen from the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

fn no_recipe(file_name: &str) -> RecipeError {
    unreadable(Path::new(file_name), "it holds no recipe", "`luthier new` writes one to start from")
}

fn read(path: &Path) -> Result<String, RecipeError> {
    if path.is_dir() {
        let help = format!("name the file in it, such as `{}`", path.join("recipe.toml").display());
        return Err(unreadable(path, "it is a folder", &help));
    }
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => unreadable(path, "there is no such file", &not_found_help(path)),
        _ => unreadable(path, &error.to_string(), "is it yours to read?"),
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error.to_string(), "is it yours to read?"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(path, "it is larger than 1 MiB", "a recipe is a short TOML file"));
    }
    String::from_utf8(bytes)
        .map_err(|_| unreadable(path, "it is not UTF-8 text", "a recipe is a TOML file, saved as UTF-8"))
}

fn unreadable(path: &Path, reason: &str, help: &str) -> RecipeError {
    RecipeError::Unreadable { path: path.to_path_buf(), reason: reason.to_string(), help: help.to_string() }
}

/// A file of a like name in the same folder, or the way to get one.
fn not_found_help(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    let wanted = path.file_name().unwrap_or_default().to_string_lossy();
    match did_you_mean(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{}`?", path.with_file_name(name).display()),
        None => "`luthier new` writes one to start from".to_string(),
    }
}
