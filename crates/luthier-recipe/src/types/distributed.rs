use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How several processes train one model. How many there are is said when a run is started: `luthier train
/// --nproc-per-node N`, torchrun, Slurm or a Kubernetes PyTorchJob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distributed {
    /// What the ranks exchange tensors through
    #[serde(default)]
    pub backend: Backend,
    /// Seconds after which a rank that does not answer is given up
    #[serde(default = "timeout")]
    #[schemars(range(min = 1), example = 600)]
    pub timeout: u64,
    /// MiB of gradients that are exchanged in one message, while the backward pass goes on
    #[serde(default = "bucket_mb")]
    #[schemars(range(min = 1, max = 4096), example = 25)]
    pub bucket_mb: u64,
    /// Take BatchNorm's statistics over the batches of all ranks
    #[serde(default)]
    pub sync_batch_norm: bool,
}

impl Default for Distributed {
    fn default() -> Self {
        Distributed {
            backend: Backend::default(),
            timeout: timeout(),
            bucket_mb: bucket_mb(),
            sync_batch_norm: false,
        }
    }
}

/// What the ranks exchange tensors through, by PyTorch's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// TCP between processors
    #[default]
    Gloo,
    /// NVIDIA's library, between GPUs; an error where libtorch has none
    Nccl,
    /// Message Passing Interface; an error where libtorch has none
    Mpi,
}

impl Backend {
    /// As PyTorch and the recipe write it.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Gloo => "gloo",
            Backend::Nccl => "nccl",
            Backend::Mpi => "mpi",
        }
    }
}

fn timeout() -> u64 {
    600
}
fn bucket_mb() -> u64 {
    25
}
