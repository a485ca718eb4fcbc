//! The set-up script: a tool that is missing is a sentence and how to get it, not a page of errors.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The interpreter itself: what lies on the path may be a script that looks for other programs.
fn python() -> PathBuf {
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

/// Runs the script with nothing but `tools` on the path, and another cache folder than the user's.
fn set_up(python: &Path, tools: &Path, cache: &Path, variables: &[(&str, &Path)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/libtorch.py");
    Command::new(python)
        .arg(script)
        .env_clear()
        .env("PATH", tools)
        .env("XDG_CACHE_HOME", cache)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_missing_is_said_with_how_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let tool = |tools: &Path, name: &str| std::os::unix::fs::symlink("/bin/sh", tools.join(name)).unwrap();
    let (nothing, compiler, both) = (at("nothing"), at("compiler"), at("both"));
    tool(&compiler, "c++");
    tool(&both, "c++");
    tool(&both, "cargo");
    let old = at("old");
    std::fs::create_dir_all(old.join("include/ATen")).unwrap();
    std::fs::create_dir_all(old.join("lib")).unwrap();
    std::fs::write(old.join("build-version"), "2.6.0\n").unwrap();
    let (cache, file) = (at("cache"), folder.path().join("file"));
    std::fs::write(&file, "").unwrap();
    let python = python();
    let no_pip = folder.path().join("no-pip");
    let made = Command::new(&python).args(["-m", "venv", "--without-pip"]).arg(&no_pip).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let bare = no_pip.join("bin/python");

    // (interpreter, tools, cache folder, variables, what the message says)
    type Case<'a> = (&'a Path, &'a Path, &'a Path, &'a [(&'a str, &'a Path)], [&'a str; 2]);
    let cases: &[Case<'_>] = &[
        (&python, &nothing, &cache, &[], ["no C++ compiler found", "g++"]),
        (&python, &compiler, &cache, &[], ["no Rust toolchain found", "install Rust"]),
        (&python, &both, &cache, &[("LIBTORCH", &old)], ["is libtorch 2.6.0, but", "unset it"]),
        (&python, &both, &cache, &[("LIBTORCH", &file)], ["is not a folder", "correct it"]),
        (&bare, &both, &cache, &[], ["Python has no pip", "python3-pip"]),
        (&bare, &both, &file, &[], ["libtorch could not be kept in", "XDG_CACHE_HOME"]),
    ];
    for (python, tools, cache, variables, says) in cases {
        let output = set_up(python, tools, cache, variables);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("error: ") && said.contains("\n\nhint: "), "{said}");
        assert!(says.iter().all(|words| said.contains(words)), "{says:?} is not in: {said}");
        assert!(said.lines().count() <= 4 && !said.contains("Traceback"), "{said}");
    }
    assert_eq!(std::fs::read_dir(cache.join("luthier")).unwrap().count(), 0, "something is left");
}
