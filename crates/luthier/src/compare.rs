//! Runs side by side, for `luthier compare` and for the engine when it has trained them.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use luthier_track::{Comparison, RunDir};

use crate::{
    show, text,
    voice::{Blame, Failure, Voice, print, print_json},
};

/// More settings than these would make a legend that nobody reads.
const MOST_SETTINGS: usize = 3;

/// Characters of a setting's value, and of a run's whole label, in a legend.
const VALUE: usize = 24;
const LABEL: usize = 64;

/// Prints the comparison, and draws the curves into `out` (`.svg`, `.png` and `.pdf`) if given.
///
/// # Errors
/// A path is not a run, a run cannot be read (exit code 2), or the picture cannot be written (exit code 1).
pub fn run(
    paths: &[PathBuf],
    out: Option<&(impl AsRef<Path> + ?Sized)>,
    voice: &Voice,
) -> Result<(), Failure> {
    let runs = paths.iter().map(|path| RunDir::open(path)).collect::<Result<Vec<_>, _>>().or_call()?;
    make_room(out.map(AsRef::as_ref))?;
    let comparison = luthier_track::compare(&runs).or_call()?;
    let pictures = match out {
        None => Vec::new(),
        Some(out) => {
            let labels = labels(&comparison).into_iter();
            let metrics = runs.iter().zip(labels).map(|(run, label)| Ok((label, run.metrics()?)));
            let metrics = metrics.collect::<Result<Vec<_>, luthier_track::TrackError>>().or_call()?;
            luthier_track::compare_plot(&metrics, &stem(out.as_ref())).or_subject()?
        }
    };
    if voice.json {
        print_json(&comparison)?;
    } else {
        print(&show::comparison_text(&comparison, &voice.stdout_look()))?;
    }
    match pictures.iter().find(|path| path.extension() == Some(OsStr::new("png"))) {
        Some(picture) => {
            voice.status("drew", &format!("`{}`, and the same as SVG and PDF", picture.display()));
        }
        None if out.is_some() => voice.warn("no run has a curve yet, so no picture was drawn"),
        None => {}
    }
    Ok(())
}

/// What each run is called in the picture: its name, or, where names are dates alone, the settings that set it apart.
fn labels(comparison: &Comparison) -> Vec<String> {
    let names: Vec<String> = comparison.runs.iter().map(|run| run.name.clone()).collect();
    let differences = &comparison.differences;
    if differences.is_empty() || differences.len() > MOST_SETTINGS || !names.iter().all(|name| is_dated(name))
    {
        return names;
    }
    let label = |run: usize| {
        let settings = differences.iter().map(|difference| {
            let value = difference.values.get(run).and_then(Option::as_deref).unwrap_or("not given");
            format!("{} {}", difference.key, text::shorten(value.trim_matches('"'), VALUE))
        });
        text::shorten(&settings.collect::<Vec<_>>().join(", "), LABEL)
    };
    let labels: Vec<String> = (0..names.len()).map(label).collect();
    let alike = labels.iter().enumerate().any(|(at, label)| labels[..at].contains(label));
    if alike { names } else { labels }
}

/// Whether a run was named after the clock: `hotdog-20261126-111412`, and `-2` for the second within a second.
fn is_dated(name: &str) -> bool {
    let digits = |part: Option<&str>, count| {
        part.is_some_and(|part| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut parts = name.rsplit('-');
    let mut time = parts.next();
    if !digits(time, 6) {
        time = parts.next();
    }
    digits(time, 6) && digits(parts.next(), 8)
}

/// Makes the folder that the picture is to lie in. To be asked before anything is trained: a picture that cannot be written
/// should not be what hours of training end with.
///
/// # Errors
/// The folder cannot be made (exit code 2).
pub fn make_room(out: Option<&Path>) -> Result<(), Failure> {
    let Some(folder) = out.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::misuse(
            format!("cannot make the folder `{}` for the picture: {error}", folder.display()),
            "give another place with `--out`",
        )
    })
}

/// `curves.png` means `curves`, of which there will be all three kinds; a dot elsewhere in the name stays.
fn stem(out: &Path) -> PathBuf {
    match out.extension().and_then(OsStr::to_str) {
        Some("png" | "svg" | "pdf") => out.with_extension(""),
        _ => out.to_path_buf(),
    }
}
