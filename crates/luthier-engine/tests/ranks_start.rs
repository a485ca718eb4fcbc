//! How several processes find each other, and which are refused at the start.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::rows::workspace;
use common::{engine, run, stderr};

/// Two ranks with words of their own, by hand.
fn by_hand(at: &Path, words: [&[&str]; 2]) -> [Output; 2] {
    let program = env!("CARGO_BIN_EXE_luthier-engine");
    by_hand_of(at, words, [program, program])
}

/// The same, each of a program of its own.
fn by_hand_of(at: &Path, words: [&[&str]; 2], programs: [&str; 2]) -> [Output; 2] {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string();
    let mut children = Vec::new();
    for (rank, (words, program)) in words.iter().zip(programs).enumerate() {
        let mut command = Command::new(program);
        command.args(*words).current_dir(at).env("NO_COLOR", "1").env("OMP_NUM_THREADS", "1");
        command.env("RANK", rank.to_string()).env("WORLD_SIZE", "2").env("LOCAL_RANK", rank.to_string());
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", &port);
        children.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    outputs.try_into().unwrap()
}

#[test]
fn ranks_with_other_recipes_or_seeds_are_refused_at_the_start() {
    let folder = workspace();
    let at = folder.path();
    let plain = ["train", "recipe.toml", "--out", "run"];
    let cases: [(&[&str], &str); 2] = [
        (&["--set", "optim.lr=0.2"], "`optim.lr` is 0.2 there and 0.1 on rank 0"),
        (&["--set", "seed=4"], "`seed` is 4 there and 3 on rank 0"),
    ];
    for (more, sentence) in cases {
        let [first, second] = by_hand(at, [&plain, &[&plain[..], more].concat()]);
        for said in [first, second] {
            let text = stderr(&said);
            assert_eq!(said.status.code(), Some(1), "{text}");
            assert!(text.contains("rank 1 is not like rank 0") && text.contains(sentence), "{text}");
        }
        assert!(!at.join("run").exists(), "a run directory was made");
    }
}

#[test]
fn ranks_of_another_build_are_refused_at_the_start() {
    let folder = workspace();
    let at = folder.path();
    let own = env!("CARGO_BIN_EXE_luthier-engine");
    // what is behind the end of a program changes its hash and nothing else
    let other = at.join("another-engine");
    fs::copy(own, &other).unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&other).unwrap();
    std::io::Write::write_all(&mut file, b"another build").unwrap();
    drop(file);
    let words: &[&str] = &["train", "recipe.toml", "--out", "run"];
    for said in by_hand_of(at, [words, words], [own, other.to_str().unwrap()]) {
        let text = stderr(&said);
        assert_eq!(said.status.code(), Some(1), "{text}");
        assert!(text.contains("rank 1 is not like rank 0") && text.contains("the program is "), "{text}");
        assert!(text.matches("(build ").count() >= 2, "{text}");
    }
    assert!(!at.join("run").exists(), "a run directory was made");
}

#[test]
fn started_by_hand_as_torchrun_does() {
    let folder = workspace();
    let at = folder.path();
    let words: &[&str] = &["train", "recipe.toml", "--out", "run", "--threads", "1"];
    let [first, second] = by_hand(at, [words, words]);
    assert!(first.status.success() && second.status.success(), "{}{}", stderr(&first), stderr(&second));
    assert_eq!(stderr(&second), "", "a rank that is not the first says nothing");
    assert!(at.join("run/report.html").exists());
}

#[test]
fn half_an_environment_and_a_port_in_use_are_sentences() {
    let folder = workspace();
    let at = folder.path();
    let words = ["train", "recipe.toml", "--out", "run"];
    let half = engine(at, &words).env("RANK", "0").output().unwrap();
    assert_eq!(half.status.code(), Some(2));
    assert!(stderr(&half).contains("`RANK` is set and `WORLD_SIZE` is not"), "{}", stderr(&half));

    let taken = TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let began = Instant::now();
    let mut command = engine(at, &[&words[..], &["--nproc-per-node", "2"]].concat());
    let said = command.env("MASTER_PORT", &port).output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{}", stderr(&said));
    assert!(stderr(&said).contains(&format!("the port {port} is in use")), "{}", stderr(&said));
    assert!(began.elapsed() < Duration::from_secs(30));

    let both =
        engine(at, &[&words[..], &["--nproc-per-node", "2"]].concat()).env("RANK", "0").output().unwrap();
    assert!(stderr(&both).contains("`RANK` says that this process is one already"), "{}", stderr(&both));
    let mpi = run(at, &[&words[..], &["--nproc-per-node", "2", "--set", "distributed.backend=mpi"]].concat());
    assert!(stderr(&mpi).contains("this libtorch has no `mpi` backend"), "{}", stderr(&mpi));
}

/// Two machines, as far as the network goes: each rank in a network namespace, with a cable between them.
#[test]
fn two_network_namespaces_train_together() {
    let ip = |words: &str| {
        let output = Command::new("ip").args(words.split_whitespace()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let (one, two) = (format!("lu{}a", std::process::id()), format!("lu{}b", std::process::id()));
    let made = ip(&format!("netns add {one}"))
        && ip(&format!("netns add {two}"))
        && ip(&format!("link add v0 netns {one} type veth peer name v1 netns {two}"))
        && ip(&format!("-n {one} addr add 10.83.0.1/24 dev v0"))
        && ip(&format!("-n {two} addr add 10.83.0.2/24 dev v1"))
        && [&one, &two].iter().all(|name| ip(&format!("-n {name} link set lo up")))
        && ip(&format!("-n {one} link set v0 up"))
        && ip(&format!("-n {two} link set v1 up"));
    if !made {
        eprintln!("skipped: this system makes no network namespaces");
        ip(&format!("netns del {one}"));
        ip(&format!("netns del {two}"));
        return;
    }
    let folder = workspace();
    let at = folder.path();
    let mut children = Vec::new();
    for (rank, name) in [&one, &two].into_iter().enumerate() {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name, env!("CARGO_BIN_EXE_luthier-engine")]);
        command.args(["train", "recipe.toml", "--out", "run", "--threads", "1"]).current_dir(at);
        command.env("NO_COLOR", "1").env("RANK", rank.to_string()).env("WORLD_SIZE", "2");
        command.env("MASTER_ADDR", "10.83.0.1").env("MASTER_PORT", "29500");
        children.push(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    }
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    ip(&format!("netns del {one}"));
    ip(&format!("netns del {two}"));
    for output in outputs {
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert!(at.join("run/report.html").exists());
}
