//! Folders of pictures are listed as torchvision lists them, and what is wrong with one is said by name.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests; their helpers are no test functions")]

use std::path::Path;

use luthier_data::{FolderError, FolderOptions, Limits, Listing, image_folder, image_folder_like};
use luthier_recipe::OnError;
use miette::Diagnostic;

mod common;

fn options(exclude: &[String], on_error: OnError) -> FolderOptions<'_> {
    FolderOptions { exclude, on_error, limits: Limits::default() }
}

fn list(root: &Path) -> Result<Listing, FolderError> {
    image_folder(root, &options(&[], OnError::Fail))
}

/// A folder with these files; each is a small PNG unless its content is given after `=`.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let (name, content) = match file.split_once('=') {
            Some((name, content)) => (name, content.as_bytes().to_vec()),
            None => (*file, common::fixture("pictures/rgb.png")),
        };
        let path = dir.path().join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
    dir
}

#[derive(serde::Deserialize)]
struct Torchvision {
    files: Vec<String>,
    links: Vec<(String, String)>,
    classes: Vec<String>,
    samples: Vec<(String, u32)>,
}

#[test]
fn the_order_is_torchvisions() {
    let theirs: Torchvision = serde_json::from_slice(&common::fixture("torchvision/folder.json")).unwrap();
    let dir = tree(&theirs.files.iter().map(String::as_str).collect::<Vec<_>>());
    for (link, target) in &theirs.links {
        std::os::unix::fs::symlink(target, dir.path().join(link)).unwrap();
    }
    let ours = list(dir.path()).unwrap();
    assert_eq!(ours.classes, theirs.classes);
    assert_eq!(ours.samples, theirs.samples);
    assert_eq!(ours.sizes, vec![(61, 43); ours.samples.len()]);
}

#[test]
fn a_folder_that_is_no_data_set_says_what_is_missing() {
    let cases = [
        (tree(&["a.png"]), "has no class folders"),
        (tree(&["only/a.png"]), "has only one class, `only`"),
        (tree(&["ants/a.png", "bees/"]), "the class folder `bees` of"),
        (tree(&["ants/a.png", "bees/notes.txt=x"]), "the class folder `bees` of"),
        (tree(&["ants/a.png", "bees/b.png=", "bees/c.png"]), "bees/b.png` is empty (0 bytes)"),
        (
            tree(&["ants/a.png", "bees/b.png=<html>", "bees/c.jpg="]),
            "`<html>` (and 1 other file can't be read)",
        ),
    ];
    for (dir, says) in cases {
        let error = list(dir.path()).unwrap_err();
        assert!(error.to_string().contains(says), "{error} should say {says}");
        assert!(error.help().is_some(), "{error}");
    }
    let missing = list(Path::new("nowhere")).unwrap_err();
    assert_eq!(missing.to_string(), "the data folder `nowhere` does not exist");
    let dir = tree(&["ants/a.png"]);
    let file = list(&dir.path().join("ants/a.png")).unwrap_err();
    assert!(matches!(file, FolderError::NotAFolder { .. }));
}

#[test]
fn broken_files_are_skipped_and_named_if_asked() {
    let dir = tree(&["ants/a.png", "ants/b.png=", "bees/c.png=GIF89a", "bees/d.png"]);
    let listing = image_folder(dir.path(), &options(&[], OnError::Skip)).unwrap();
    assert_eq!(listing.samples, [("ants/a.png".to_owned(), 0), ("bees/d.png".to_owned(), 1)]);
    let names: Vec<&str> = listing.skipped.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ants/b.png", "bees/c.png"]);
    assert_eq!(listing.skipped[1].1, "is truncated: the GIF data ends before the picture does");

    // a class must not vanish because all of it is broken
    let dir = tree(&["ants/a.png", "bees/c.png=", "bees/d.png="]);
    let error = image_folder(dir.path(), &options(&[], OnError::Skip)).unwrap_err();
    assert!(matches!(error, FolderError::AllBroken { .. }), "{error}");
}

#[test]
fn patterns_leave_files_and_folders_out() {
    let files = ["ants/a.png", "ants/b.gif", "ants/sub/c.png", "bees/d.png", "bees/e.gif", ".cache/f.png"];
    let rows: [(&[&str], &[&str], &str); 6] = [
        (
            &[".cache"],
            &["ants/a.png", "ants/b.gif", "ants/sub/c.png", "bees/d.png", "bees/e.gif"],
            "a class by name",
        ),
        (
            &[".cache", "*.gif"],
            &["ants/a.png", "ants/sub/c.png", "bees/d.png"],
            "no slash: names at any depth",
        ),
        (
            &[".cache", "ants/*.gif"],
            &["ants/a.png", "ants/sub/c.png", "bees/d.png", "bees/e.gif"],
            "a slash: paths",
        ),
        (
            &[".cache/**", ".cache", "ants/sub"],
            &["ants/a.png", "ants/b.gif", "bees/d.png", "bees/e.gif"],
            "a folder",
        ),
        (&[".cache", "ants/*"], &[], "everything of a class"),
        (
            &[".cache", "*.bmp"],
            &["ants/a.png", "ants/b.gif", "ants/sub/c.png", "bees/d.png", "bees/e.gif"],
            "no match",
        ),
    ];
    for (exclude, left, why) in rows {
        let dir = tree(&files);
        let exclude: Vec<String> = exclude.iter().map(|s| (*s).to_owned()).collect();
        let listing = image_folder(dir.path(), &options(&exclude, OnError::Fail));
        if left.is_empty() {
            let error = listing.unwrap_err().to_string();
            assert!(
                error.ends_with("has no pictures left: `data.exclude` leaves out all 3"),
                "{why}: {error}"
            );
            continue;
        }
        let listing = listing.unwrap();
        let names: Vec<&str> = listing.samples.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, left, "{why}");
        assert_eq!(
            listing.notes.len(),
            usize::from(why == "no match") + usize::from(why == "a folder"),
            "{why}"
        );
    }
    let dir = tree(&files);
    let error = image_folder(dir.path(), &options(&["[".to_owned()], OnError::Fail)).unwrap_err();
    assert!(matches!(error, FolderError::Pattern { .. }), "{error}");
}

#[test]
fn validation_folders_keep_the_labels_of_training() {
    let train: Vec<String> = ["ants", "bees", "wasps"].map(str::to_owned).to_vec();
    let dir = tree(&["wasps/a.png", "ants/b.png"]);
    let listing = image_folder_like(dir.path(), &train, &options(&[], OnError::Fail)).unwrap();
    assert_eq!(listing.samples, [("ants/b.png".to_owned(), 0), ("wasps/a.png".to_owned(), 2)]);
    assert_eq!(listing.classes, train);
    assert_eq!(listing.notes.len(), 1);
    assert!(listing.notes[0].contains("no pictures of `bees`"), "{}", listing.notes[0]);

    let dir = tree(&["ants/a.png", "flies/b.png"]);
    let error = image_folder_like(dir.path(), &train, &options(&[], OnError::Fail)).unwrap_err();
    assert!(error.to_string().contains("a class `flies` that the training data doesn't have"), "{error}");
    assert!(error.help().unwrap().to_string().contains("`ants`, `bees`, `wasps`"));
}

#[test]
fn a_link_that_leads_to_itself_is_an_error_and_not_an_endless_walk() {
    let dir = tree(&["ants/a.png", "bees/b.png"]);
    std::os::unix::fs::symlink("..", dir.path().join("bees/up")).unwrap();
    assert!(matches!(list(dir.path()).unwrap_err(), FolderError::Loop { .. }));
}

#[test]
fn a_placeholder_is_pointed_out() {
    let dir = tree(&["ants/a.png", "bees/b.png"]);
    std::fs::write(dir.path().join("bees/image_not_found.gif"), common::fixture("pictures/still.gif"))
        .unwrap();
    let many_colours = list(dir.path()).unwrap();
    assert_eq!(many_colours.notes, Vec::<String>::new(), "a photo may have any name");
    std::fs::write(dir.path().join("bees/ImageNotFound.png"), common::fixture("pictures/one-bit.png"))
        .unwrap();
    let listing = list(dir.path()).unwrap();
    assert_eq!(listing.notes.len(), 1);
    assert!(listing.notes[0].contains("data.exclude = [\"bees/ImageNotFound.png\"]"), "{}", listing.notes[0]);
}

#[test]
fn the_real_photos_have_one_placeholder() {
    let Some(data) = common::shared_data() else { return };
    let listing = list(&data.join("ants-bees/train")).unwrap();
    assert_eq!(listing.counts(), [124, 121]);
    assert_eq!(listing.notes.len(), 1, "{:?}", listing.notes);
    assert!(listing.notes[0].contains("ants/imageNotFound.gif"), "{}", listing.notes[0]);
}
