//! Which of several processes this is, by the environment that the usual starters set.

use miette::Diagnostic;
use thiserror::Error;

/// One process of several that train a model together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Its number, from 0
    pub rank: u32,
    /// How many there are, at least 2
    pub size: u32,
    /// Its number on its machine: which GPU is its
    pub local_rank: u32,
    /// Where rank 0 listens
    pub master: String,
    /// The port it listens at
    pub port: u16,
}

/// An environment that names a rank by half, or an impossible one.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("{what}")]
pub struct WorldError {
    /// What is wrong
    pub what: String,
    /// What to do
    #[help]
    pub help: &'static str,
}

/// What torchrun sets, and PyTorchJob after it.
const WHOLE: &str = "start with `luthier train RECIPE --nproc-per-node N`, `torchrun`, `srun` or a PyTorchJob; by hand, set \
                     `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`, or none of them";

impl World {
    /// The process's place, by its environment; `None` for a process that is alone.
    ///
    /// `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT` are torchrun's and PyTorchJob's. Without `RANK`
    /// and `WORLD_SIZE`, a task of a Slurm step is a rank: `SLURM_PROCID`, `SLURM_NTASKS`, `SLURM_LOCALID`, at the first
    /// machine of `SLURM_STEP_NODELIST` and a port made from `SLURM_JOB_ID`.
    ///
    /// # Errors
    /// The environment names a rank by half, or an impossible one.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Option<World>, WorldError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let world = match (variable("RANK"), variable("WORLD_SIZE")) {
            (Some(_), Some(_)) => torchrun(&variable)?,
            (Some(_), None) => return Err(half("RANK", "WORLD_SIZE")),
            (None, Some(_)) => return Err(half("WORLD_SIZE", "RANK")),
            (None, None) if variable("SLURM_PROCID").is_some() => match slurm(&variable)? {
                Some(world) => world,
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        if world.rank >= world.size {
            return Err(WorldError {
                what: format!("rank {} of {} cannot be: ranks are counted from 0", world.rank, world.size),
                help: WHOLE,
            });
        }
        Ok((world.size > 1).then_some(world))
    }

    /// Rank 0, which logs and writes.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }
}

fn torchrun(variable: &impl Fn(&str) -> Option<String>) -> Result<World, WorldError> {
    let (rank, size) = (number(variable, "RANK")?, number(variable, "WORLD_SIZE")?);
    if size == Some(1) {
        // nobody to meet, so nowhere to meet them
        let alone = World { rank: rank.unwrap_or(0), size: 1, local_rank: 0, master: String::new(), port: 0 };
        return Ok(alone);
    }
    Ok(World {
        rank: rank.ok_or_else(|| half("WORLD_SIZE", "RANK"))?,
        size: size.ok_or_else(|| half("RANK", "WORLD_SIZE"))?,
        local_rank: number(variable, "LOCAL_RANK")?.unwrap_or(0),
        master: variable("MASTER_ADDR").ok_or_else(|| half("RANK", "MASTER_ADDR"))?,
        port: port(variable)?.ok_or_else(|| half("RANK", "MASTER_PORT"))?,
    })
}

fn slurm(variable: &impl Fn(&str) -> Option<String>) -> Result<Option<World>, WorldError> {
    let size = match number(variable, "SLURM_STEP_NUM_TASKS")? {
        Some(size) => Some(size),
        None => number(variable, "SLURM_NTASKS")?,
    };
    // an interactive shell of Slurm is a task, too
    let Some(size) = size.filter(|size| *size > 1) else { return Ok(None) };
    let step = variable("SLURM_STEP_ID").or_else(|| variable("SLURM_STEPID"));
    if step.is_none() && variable("MASTER_ADDR").is_none() {
        return Err(WorldError {
            what: format!("this is the batch script of a Slurm job of {size} tasks, not one of the tasks"),
            help: "start the tasks with `srun luthier train …`; for one process on its own, unset `SLURM_PROCID`",
        });
    }
    let nodes = ["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"];
    let first = || nodes.iter().find_map(|name| variable(name)).map(|nodes| first_host(&nodes));
    let job = variable("SLURM_JOB_ID").or_else(|| variable("SLURM_JOBID"));
    // jobs that share a machine get ports of their own
    let own = job.and_then(|job| job.parse::<u64>().ok()).map(|job| 15_000 + (job % 20_000) as u16);
    Ok(Some(World {
        rank: number(variable, "SLURM_PROCID")?.unwrap_or(0),
        size,
        local_rank: number(variable, "SLURM_LOCALID")?.unwrap_or(0),
        master: variable("MASTER_ADDR").or_else(first).ok_or_else(|| half("SLURM_PROCID", "MASTER_ADDR"))?,
        port: port(variable)?.or(own).ok_or_else(|| half("SLURM_PROCID", "MASTER_PORT"))?,
    }))
}

/// The first host of Slurm's short form: `node07` of `node[07-09,12],other`.
fn first_host(nodes: &str) -> String {
    let Some((prefix, rest)) = nodes.split_once('[').filter(|(prefix, _)| !prefix.contains(',')) else {
        return nodes.split(',').next().unwrap_or_default().to_owned();
    };
    let (ranges, suffix) = rest.split_once(']').unwrap_or((rest, ""));
    let first = ranges.split([',', '-']).next().unwrap_or_default();
    format!("{prefix}{first}{}", suffix.split(',').next().unwrap_or_default())
}

fn number(variable: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<u32>, WorldError> {
    let Some(text) = variable(name) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| WorldError {
        what: format!("`{name}` is `{text}`, which is not a number of processes"),
        help: WHOLE,
    })
}

fn port(variable: &impl Fn(&str) -> Option<String>) -> Result<Option<u16>, WorldError> {
    let Some(text) = variable("MASTER_PORT") else { return Ok(None) };
    let port = text.trim().parse().ok().filter(|port| *port > 0);
    port.map(Some).ok_or_else(|| WorldError {
        what: format!("`MASTER_PORT` is `{text}`, which is not a port"),
        help: "ports are numbers from 1 to 65535; 29500 is usual",
    })
}

fn half(there: &str, missing: &str) -> WorldError {
    WorldError { what: format!("`{there}` is set and `{missing}` is not"), help: WHOLE }
}
