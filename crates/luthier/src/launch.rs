//! `luthier train --nproc-per-node N`: starts the engine N times with the environment that torchrun would set, and keeps
//! watch over them.
//!
//! Rank 0 has the terminal; of the others, what they say on stderr is passed on with `[rank 1]` in front. They are told to
//! stop by a line on their standard input, and end when it closes: a launcher that is killed leaves nobody behind. Each is
//! a process group of its own, so that Ctrl-C on the terminal reaches them through here, and once.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    args::Command,
    engine,
    voice::{Failure, Sentence, Voice},
};

/// Set for every process that is started here.
pub const LAUNCHED: &str = "LUTHIER_LAUNCHED";

/// Exit code of a rank that ends because another one has: it has nothing to say.
pub const LEFT: u8 = 75;

/// What a rank reads when it is to stop.
pub const STOP: &str = "stop";

/// How long the others may take to end by themselves once one has failed.
const GRACE: Duration = Duration::from_secs(5);

/// How long the one may take that has something to say, once others have left because of it: rank 0 draws a report first.
const WORD: Duration = Duration::from_secs(60);

/// Exit code of a rank that was asked to stop.
const STOPPED: i32 = 130;

const PAUSE: Duration = Duration::from_millis(30);

/// Whether this process was started by [`run`].
pub fn launched() -> bool {
    env::var_os(LAUNCHED).is_some()
}

/// How many processes a command wants to be; `None` for one.
///
/// # Errors
/// It was started as one of several already.
pub fn wanted(command: &Command) -> Result<Option<u32>, Failure> {
    let Command::Train(args) = command else { return Ok(None) };
    let Some(ranks) = args.nproc_per_node.filter(|ranks| *ranks > 1 && !launched()) else { return Ok(None) };
    if env::var_os("RANK").is_some() {
        return Err(Failure::misuse(
            "`--nproc-per-node` starts ranks, and `RANK` says that this process is one already",
            "leave the flag out under torchrun, or unset `RANK`",
        ));
    }
    Ok(Some(ranks))
}

/// One process of the run.
struct Rank {
    child: Child,
    said: Option<JoinHandle<()>>,
    ended: Option<ExitStatus>,
}

/// Starts the engine at `path` once per rank with the words of this call and waits for all of them.
///
/// # Errors
/// A rank could not be started, or failed: then all others have been ended, and its own error was shown first.
pub fn run(
    path: &Path,
    words: impl IntoIterator<Item = OsString>,
    ranks: u32,
    voice: &Voice,
) -> Result<(), Failure> {
    let words: Vec<OsString> = words.into_iter().collect();
    let signals = Arc::new(AtomicUsize::new(0));
    let raised = Arc::clone(&signals);
    ctrlc::set_handler(move || {
        raised.fetch_add(1, Ordering::SeqCst);
    })
    .map_err(|error| sentence(format!("cannot listen for Ctrl-C: {error}")))?;
    let mut all = Vec::new();
    let environment = environment(ranks, &words)?;
    for rank in 0..ranks {
        match start(path, &words, rank, &environment, voice.json) {
            Ok(started) => all.push(started),
            Err(error) => {
                end(&mut all);
                return Err(sentence(format!("rank {rank} could not be started: {error}")));
            }
        }
    }
    let outcome = watch(&mut all, &signals);
    end(&mut all);
    conclude(&all, outcome)
}

/// What is the same for all ranks. Their threads share the processors.
fn environment(ranks: u32, words: &[OsString]) -> Result<Vec<(&'static str, String)>, Failure> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let master = set("MASTER_ADDR").unwrap_or_else(|| "127.0.0.1".into());
    let port = match set("MASTER_PORT") {
        Some(port) => port,
        None => TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| sentence(format!("there is no free port for the ranks to meet at: {error}")))?
            .port()
            .to_string(),
    };
    let mut environment = vec![
        ("WORLD_SIZE", ranks.to_string()),
        ("LOCAL_WORLD_SIZE", ranks.to_string()),
        ("MASTER_ADDR", master),
        ("MASTER_PORT", port),
        (LAUNCHED, "1".into()),
    ];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = (cores / ranks as usize).max(1).to_string();
    let threads = words.iter().any(|word| word.to_string_lossy().starts_with("--threads"));
    for name in ["OMP_NUM_THREADS", "RAYON_NUM_THREADS"] {
        if set(name).is_none() && !threads {
            environment.push((name, share.clone()));
        }
    }
    Ok(environment)
}

fn start(
    path: &Path,
    words: &[OsString],
    rank: u32,
    environment: &[(&'static str, String)],
    bare: bool,
) -> std::io::Result<Rank> {
    let mut command = engine::command(path);
    command.args(words).envs(environment.iter().map(|(name, value)| (name, value)));
    command.env("RANK", rank.to_string()).env("LOCAL_RANK", rank.to_string());
    command.stdin(Stdio::piped()).process_group(0);
    if rank > 0 {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
    }
    let mut child = command.spawn()?;
    let said = child.stderr.take().map(|stderr| {
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                // an object is a program's to read
                let line = if bare { line } else { format!("[rank {rank}] {line}") };
                let _ = writeln!(std::io::stderr().lock(), "{line}");
            }
        })
    });
    Ok(Rank { child, said, ended: None })
}

/// How the ranks ended.
enum Ended {
    /// All by themselves
    Together,
    /// This one failed first
    First(usize),
    /// A second Ctrl-C
    AtOnce,
}

/// Waits until all have ended, or one has failed and the others have had time to.
fn watch(all: &mut [Rank], signals: &AtomicUsize) -> Ended {
    let mut told = 0;
    let mut failed: Option<(usize, Instant)> = None;
    loop {
        for (rank, one) in all.iter_mut().enumerate() {
            if one.ended.is_none()
                && let Ok(Some(status)) = one.child.try_wait()
            {
                one.ended = Some(status);
                // what it said comes before what is said about it
                if let Some(said) = one.said.take() {
                    let _ = said.join();
                }
                if is_failure(status) && failed.is_none() {
                    failed = Some((rank, Instant::now()));
                }
            }
        }
        let left = || all.iter().position(|one| one.ended.is_some_and(is_left));
        if failed.is_none()
            && let Some(rank) = left()
        {
            // it knows of a failure that has not been seen yet
            failed = Some((rank, Instant::now()));
        }
        if let Some((rank, _)) = failed
            && all[rank].ended.is_some_and(is_left)
            && let Some(cause) = all.iter().position(|one| one.ended.is_some_and(is_failure))
        {
            failed = Some((cause, Instant::now()));
        }
        if all.iter().all(|one| one.ended.is_some()) {
            return failed.map_or(Ended::Together, |(rank, _)| Ended::First(rank));
        }
        if let Some((rank, since)) = failed {
            let left = all[rank].ended.is_some_and(is_left);
            if since.elapsed() > if left { WORD } else { GRACE } {
                return Ended::First(rank);
            }
        }
        let asked = signals.load(Ordering::SeqCst);
        if asked > 1 {
            return Ended::AtOnce;
        }
        if asked > told {
            told = asked;
            for one in all.iter_mut() {
                if let Some(stdin) = &mut one.child.stdin {
                    // one that has ended reads nothing any more
                    let _ = writeln!(stdin, "{STOP}").and_then(|()| stdin.flush());
                }
            }
        }
        thread::sleep(PAUSE);
    }
}

/// It ended of its own error, or was ended.
fn is_failure(status: ExitStatus) -> bool {
    !status.success() && !is_left(status) && status.code() != Some(STOPPED)
}

fn is_left(status: ExitStatus) -> bool {
    status.code() == Some(i32::from(LEFT))
}

/// Ends whoever still runs.
fn end(all: &mut [Rank]) {
    for one in all.iter_mut() {
        if one.ended.is_none() {
            // it may end by itself at this very moment
            let _ = one.child.kill();
            let _ = one.child.wait();
        }
        if let Some(said) = one.said.take() {
            let _ = said.join();
        }
    }
}

fn conclude(all: &[Rank], outcome: Ended) -> Result<(), Failure> {
    let rank = match outcome {
        Ended::Together if all.iter().any(|one| one.ended.is_some_and(|end| !end.success())) => {
            return Err(Failure::quiet(STOPPED as u8));
        }
        Ended::Together => return Ok(()),
        Ended::AtOnce => return Err(Failure::quiet(130)),
        Ended::First(rank) => rank,
    };
    let Some(status) = all.get(rank).and_then(|one| one.ended) else { return Err(Failure::quiet(1)) };
    if is_left(status) {
        return Err(Failure::subject(Sentence {
            message: "the ranks have lost each other: one of them did not answer in time".into(),
            hint: Some(
                "a machine that is busy with something else needs a longer `distributed.timeout`".into(),
            ),
        }));
    }
    if let Some(signal) = status.signal() {
        let name = match signal {
            6 => " (SIGABRT)",
            9 => " (SIGKILL)",
            11 => " (SIGSEGV)",
            _ => "",
        };
        let hint = match signal {
            9 => "somebody ended it, or the system did because memory ran out: `dmesg` says which",
            _ => "the other ranks were ended; `luthier train --resume` goes on from the last checkpoint",
        };
        return Err(Failure::subject(Sentence {
            message: format!("rank {rank} was ended by signal {signal}{name}"),
            hint: Some(hint.into()),
        }));
    }
    Err(Failure::quiet(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn sentence(message: String) -> Failure {
    Failure::subject(Sentence { message, hint: None })
}
