//! A panic is a bug of Luthier: said kindly, with exit code 1.

use std::{env, process::Command};

use luthier::{args::Common, voice};

#[test]
fn a_panic_is_a_sentence() {
    // this test calls itself, to panic in a process of its own
    if env::var_os("LUTHIER_TEST_PANIC").is_some() {
        let voice = voice::Voice::new(&Common::default());
        let code = voice::run(&voice, |_| panic!("the queue is empty"));
        let said = format!("{code:?}");
        std::process::exit(if said == format!("{:?}", std::process::ExitCode::FAILURE) { 1 } else { 3 });
    }
    let this = env::current_exe().expect("a test is a program");
    let output = Command::new(this)
        .args(["--exact", "a_panic_is_a_sentence", "--nocapture"])
        .env("LUTHIER_TEST_PANIC", "1")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the test starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: Luthier has a bug: the queue is empty at `"), "{stderr}");
    assert!(stderr.contains("hint: please report this"), "{stderr}");
}
