use std::path::PathBuf;

use clap::Args;

/// `luthier optimizer`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  luthier optimizer runs/hotdog              at its newest checkpoint
  luthier optimizer runs/hotdog --at 137     after that update: the run is repeated from the checkpoint before it
  luthier optimizer runs/hotdog --json | jq '.optimizers[0].tensors[0]'

Nothing in the run directory changes.")]
pub struct OptimizerArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Number of updates that are done; those of the newest checkpoint if not given
    #[arg(long, value_name = "UPDATE", value_parser = clap::value_parser!(u64).range(1..))]
    pub at: Option<u64>,
}
