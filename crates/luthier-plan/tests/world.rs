//! The environments of torchrun, PyTorchJob and Slurm, whole and broken.

use std::collections::HashMap;

use luthier_plan::{World, WorldError};

fn of(environment: &str) -> Result<Option<World>, WorldError> {
    let variables: HashMap<&str, &str> =
        environment.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
    World::of(|name| variables.get(name).map(|value| (*value).to_owned()))
}

fn place(rank: u32, size: u32, local_rank: u32, master: &str, port: u16) -> Option<World> {
    Some(World { rank, size, local_rank, master: master.into(), port })
}

#[test]
fn whole_environments_are_places() {
    let cases = [
        ("", None, "a process on its own"),
        ("MASTER_ADDR=a MASTER_PORT=1", None, "addresses that a shell happens to have name no rank"),
        (
            "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 MASTER_ADDR=10.0.0.7 MASTER_PORT=29500 TORCHELASTIC_RUN_ID=x",
            place(3, 4, 1, "10.0.0.7", 29500),
            "torchrun on two machines",
        ),
        (
            "RANK=1 WORLD_SIZE=3 MASTER_ADDR=job-master-0 MASTER_PORT=23456",
            place(1, 3, 0, "job-master-0", 23456),
            "PyTorchJob: one process per pod, no local rank",
        ),
        ("RANK=0 WORLD_SIZE=1", None, "torchrun with one process"),
        (
            "SLURM_PROCID=5 SLURM_NTASKS=8 SLURM_LOCALID=1 SLURM_STEP_ID=0 SLURM_JOB_ID=1234567 \
             SLURM_STEP_NODELIST=gpu[07-08,11],big1",
            place(5, 8, 1, "gpu07", 15000 + 14567),
            "srun",
        ),
        (
            "SLURM_PROCID=1 SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_ID=3 SLURM_JOB_ID=5 \
             SLURM_NODELIST=a1,a2",
            place(1, 2, 0, "a1", 15005),
            "a step of fewer tasks than the job",
        ),
        (
            "SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_LOCALID=0 MASTER_ADDR=n1 MASTER_PORT=1234",
            place(1, 2, 0, "n1", 1234),
            "Slurm, with a meeting place of one's own",
        ),
        ("SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_STEP_ID=0", None, "an interactive shell"),
        (
            "RANK=0 WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT=9 SLURM_PROCID=4 SLURM_NTASKS=9",
            place(0, 2, 0, "h", 9),
            "torchrun inside a Slurm task",
        ),
    ];
    for (environment, expected, reason) in cases {
        assert_eq!(of(environment), Ok(expected), "{reason}");
    }
}

#[test]
fn broken_environments_are_sentences() {
    let cases = [
        ("RANK=0", "`RANK` is set and `WORLD_SIZE` is not"),
        ("WORLD_SIZE=2", "`WORLD_SIZE` is set and `RANK` is not"),
        ("RANK=0 WORLD_SIZE=", "`RANK` is set and `WORLD_SIZE` is not"),
        ("RANK=0 WORLD_SIZE=2 MASTER_PORT=1", "`RANK` is set and `MASTER_ADDR` is not"),
        ("RANK=0 WORLD_SIZE=2 MASTER_ADDR=h", "`RANK` is set and `MASTER_PORT` is not"),
        ("RANK=one WORLD_SIZE=2", "`RANK` is `one`, which is not a number of processes"),
        ("RANK=-1 WORLD_SIZE=2", "`RANK` is `-1`, which is not a number of processes"),
        (
            "RANK=2 WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT=1",
            "rank 2 of 2 cannot be: ranks are counted from 0",
        ),
        (
            "RANK=0 WORLD_SIZE=0 MASTER_ADDR=h MASTER_PORT=1",
            "rank 0 of 0 cannot be: ranks are counted from 0",
        ),
        (
            "RANK=0 WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT=70000",
            "`MASTER_PORT` is `70000`, which is not a port",
        ),
        ("RANK=0 WORLD_SIZE=2 MASTER_ADDR=h MASTER_PORT=0", "`MASTER_PORT` is `0`, which is not a port"),
        (
            "SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0 SLURM_JOB_ID=9 SLURM_NODELIST=n1",
            "this is the batch script of a Slurm job of 4 tasks, not one of the tasks",
        ),
        ("SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_STEP_ID=0", "`SLURM_PROCID` is set and `MASTER_ADDR` is not"),
    ];
    for (environment, sentence) in cases {
        match of(environment) {
            Err(error) => assert_eq!(error.to_string(), sentence, "{environment}"),
            Ok(place) => panic!("{environment} is {place:?}"),
        }
    }
}
