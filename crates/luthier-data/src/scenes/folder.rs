//! A folder that appears whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf, absolute};

use tempfile::TempDir;

use super::error::ScenesError;

/// By this file a folder is known as a scenes data set.
pub(super) const DESCRIPTION: &str = "attributes.json";
/// The value of its `format` key.
pub(super) const FORMAT: &str = "luthier-scenes";

/// A target folder and the temporary one beside it in which it is made.
pub(super) struct Staged {
    target: PathBuf,
    replaces: bool,
    room: TempDir,
}

impl Staged {
    /// Checks the target and makes the temporary folder; refuses before anything is drawn.
    pub(super) fn open(out: &Path, force: bool) -> Result<Staged, ScenesError> {
        // an existing target is resolved, so that a link to a folder stays a link
        let target = match fs::canonicalize(out) {
            Ok(path) => path,
            Err(_) => absolute(out).map_err(ScenesError::disk("find", out))?,
        };
        let replaces = holds_something(&target)?;
        if replaces && !force {
            return Err(ScenesError::NotEmpty { path: out.into() });
        }
        if replaces && !holds_scenes(&target) {
            return Err(ScenesError::NotScenes { path: out.into() });
        }
        let Some(parent) = target.parent() else { return Err(ScenesError::NotEmpty { path: out.into() }) };
        fs::create_dir_all(parent).map_err(ScenesError::disk("create", parent))?;
        let mut prefix = OsString::from(".");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push("-");
        let room = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(parent)
            .map_err(ScenesError::disk("write in", parent))?;
        let staged = Staged { target, replaces, room };
        // inside the private temporary folder: this one gets the usual permissions and becomes the target
        fs::create_dir(staged.path()).map_err(ScenesError::disk("create", staged.path()))?;
        Ok(staged)
    }

    /// Where to write.
    pub(super) fn path(&self) -> PathBuf {
        self.room.path().join("new")
    }

    /// Puts the finished folder in the target's place. An earlier one is moved aside first and moved back if that
    /// fails.
    pub(super) fn publish(self) -> Result<(), ScenesError> {
        let target = &self.target;
        let aside = self.room.path().join("old");
        if self.replaces {
            fs::rename(target, &aside).map_err(ScenesError::disk("replace", target))?;
        } else {
            match fs::remove_dir(target) {
                Err(problem) if problem.kind() != ErrorKind::NotFound => {
                    return Err(ScenesError::Disk {
                        doing: "replace",
                        path: target.clone(),
                        source: problem,
                    });
                }
                _ => {}
            }
        }
        if let Err(source) = fs::rename(self.path(), target) {
            if self.replaces && fs::rename(&aside, target).is_err() {
                // the old pictures are worth more than a tidy disk: keep the folder that holds them
                let kept = self.room.keep().join("old");
                return Err(ScenesError::Disk {
                    doing: "bring back the earlier scenes, kept in",
                    path: kept,
                    source,
                });
            }
            return Err(ScenesError::Disk { doing: "create", path: target.clone(), source });
        }
        // what is left is the old folder; failing to remove it does not undo the new one
        drop(self.room.close());
        Ok(())
    }
}

/// Whether the target is a folder with something in it.
fn holds_something(target: &Path) -> Result<bool, ScenesError> {
    match fs::read_dir(target) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(false),
        Err(_) if target.is_file() => Err(ScenesError::NotAFolder { path: target.into() }),
        Err(source) => Err(ScenesError::Disk { doing: "read", path: target.into(), source }),
    }
}

fn holds_scenes(target: &Path) -> bool {
    fs::read(target.join(DESCRIPTION))
        .ok()
        .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok())
        .is_some_and(|description| description["format"] == FORMAT)
}
