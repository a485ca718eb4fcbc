use std::path::PathBuf;

use clap::Args;

/// Changes to a recipe.
#[derive(Debug, Clone, Default, Args)]
pub struct Overrides {
    /// Change a key of the recipe, such as `optim.lr=3e-4`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `luthier new`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier new                                list the templates
  luthier new image-classification           write ./image-classification.toml
  luthier new image-classification hotdog    write hotdog/recipe.toml")]
pub struct NewArgs {
    /// Name of the template; without it, the templates are listed
    #[arg(value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// Folder to write `recipe.toml` into; without it, `TEMPLATE.toml` is written here
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// `luthier check`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier check recipe.toml
  luthier check recipe.toml --set train.batch_size=64
  luthier check recipe.toml -v       every parameter on a line of its own
  luthier check recipe.toml --json   the plan as data")]
pub struct CheckArgs {
    /// The recipe
    #[arg(value_name = "RECIPE")]
    pub recipe: PathBuf,
    /// Plan for this many processes that train the model together
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub nproc_per_node: u32,
    /// Changes to the recipe
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `luthier render`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier render recipe.toml
  luthier render recipe.toml --set optim.lr=3e-4 > changed.toml")]
pub struct RenderArgs {
    /// The recipe
    #[arg(value_name = "RECIPE")]
    pub recipe: PathBuf,
    /// Changes to the recipe
    #[command(flatten)]
    pub overrides: Overrides,
}

/// `luthier explain`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier explain optim.lr
  luthier explain schedule
  luthier explain SCH001
  luthier explain rules")]
pub struct ExplainArgs {
    /// A key of the recipe, such as `optim.lr`; a rule of the doctor, by code or name; or `rules` for a list of them
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// `luthier schema`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  luthier schema > recipe.schema.json")]
pub struct SchemaArgs {}
