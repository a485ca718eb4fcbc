use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use luthier_data::scenes::{By, Fixed};

/// `luthier data`
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// What to do
    #[command(subcommand)]
    pub command: DataCommand,
}

/// What to do with a data set.
#[derive(Debug, Clone, Subcommand)]
pub enum DataCommand {
    /// Draw a data set of lit solids: no download, exact labels
    Render(DataRenderArgs),
    /// Count classes, sizes, broken files and duplicates
    Scan(DataScanArgs),
}

/// `luthier data render`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier data render scenes --out data/scenes --count 1000 --seed 1 --valid 0.2
  luthier data render scenes --out data/shapes --count 1000 --fix texture=plain --fix background=flat
  luthier data render scenes --out data/walls --count 1000 --by background")]
pub struct DataRenderArgs {
    /// What to draw: `scenes`
    #[arg(value_name = "SET", hide_possible_values = true)]
    pub set: DataSet,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Pictures in all
    #[arg(long, value_name = "N")]
    pub count: usize,
    /// Seed: the same seed draws the same bytes
    #[arg(long, value_name = "S", default_value_t = 42)]
    pub seed: u64,
    /// Width and height of a picture, in pixels
    #[arg(long, value_name = "PX", default_value_t = 128)]
    pub size: u32,
    /// Share that goes to `valid/`; the rest goes to `train/`. Without it there is one folder, not two
    #[arg(long, value_name = "SHARE")]
    pub valid: Option<f64>,
    /// What the folders are named after, and so the pictures' classes: `shape`, or an attribute such as `background`
    #[arg(long, value_name = "ATTRIBUTE", default_value = "shape", hide_default_value = true)]
    pub by: By,
    /// Hold an attribute still, as in `background=flat` or `yaw=0`; may be given for several
    #[arg(long, value_name = "ATTRIBUTE=VALUE")]
    pub fix: Vec<Fixed>,
    /// Replace what is in the folder
    #[arg(long)]
    pub force: bool,
}

/// A data set that can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataSet {
    /// Lit 3-D solids, in folders by shape, with `attributes.csv`
    Scenes,
}
/// `luthier data scan`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier data scan photos/train
  luthier data scan photos --contact-sheet sheet.png   train/ and valid/ are scanned as splits")]
pub struct DataScanArgs {
    /// Folder with one folder per class, or with `train/` and `valid/` that have them
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// PNG to write: the first eight pictures of one class and the last eight of the other; of more classes, a row each
    #[arg(long, value_name = "FILE")]
    pub contact_sheet: Option<PathBuf>,
}
