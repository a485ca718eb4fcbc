//! Checkpoints: a folder each, written under a temporary name, synced, then renamed. One that is torn is never loaded.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use luthier_weights::Weights;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::contrast::KEY;
use crate::tensors::write;
use crate::{State, TrainError};

const STATE: &str = "state.json";
const MODEL: &str = "model.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const AVERAGE: &str = "ema.safetensors";
const FROZEN: &str = "frozen.safetensors";
const CONTRAST: &str = "contrast.safetensors";

/// `state.json`: where the run stands, and what the files beside it must be.
#[derive(Serialize, Deserialize)]
struct Written {
    schema: u32,
    state: State,
    files: Vec<FileSum>,
}

#[derive(Serialize, Deserialize)]
struct FileSum {
    name: String,
    bytes: u64,
    crc32: u32,
}

/// A checkpoint that was read and found whole.
pub struct Checkpoint {
    /// Its folder
    pub path: PathBuf,
    /// Where the run stands
    pub state: State,
    model: Weights,
    frozen: Option<Weights>,
    optimizer: Weights,
    average: Option<Weights>,
    contrast: Option<Weights>,
}

/// What a checkpoint holds besides the state, as named tensors.
pub struct Tensors {
    /// Parameters that are trained, and buffers
    pub model: Vec<(String, Tensor)>,
    /// Parameters that no stage trains
    pub frozen: Vec<(String, Tensor)>,
    /// What the update rule remembers
    pub optimizer: Vec<(String, Tensor)>,
    /// Averaged parameters, where the run keeps an average
    pub average: Option<Vec<(String, Tensor)>>,
    /// Key encoder, queue and prototypes of a contrastive run
    pub contrast: Option<Vec<(String, Tensor)>>,
}

impl Tensors {
    /// Bytes of what changes from one checkpoint to the next.
    pub(crate) fn moving_bytes(&self) -> u64 {
        let moving = self.model.iter().chain(&self.optimizer).chain(self.average.iter().flatten());
        let moving = moving.chain(self.contrast.iter().flatten());
        moving.map(|(_, tensor)| (tensor.numel() * tensor.kind().elt_size_in_bytes()) as u64).sum()
    }

    /// The same, as it is now: what training changes is copied.
    pub(crate) fn aside(self) -> Result<Self, TrainError> {
        let copies = |tensors: Vec<(String, Tensor)>| {
            let copy = |(name, tensor): (String, Tensor)| Ok((name, tensor.f_detach_copy()?));
            tensors.into_iter().map(copy).collect::<Result<Vec<_>, TrainError>>()
        };
        let average = self.average.map(copies).transpose()?;
        let contrast = self.contrast.map(copies).transpose()?;
        let (model, optimizer) = (copies(self.model)?, copies(self.optimizer)?);
        Ok(Tensors { model, optimizer, average, contrast, ..self })
    }
}

impl Checkpoint {
    /// Weights as the optimizer moves them.
    pub fn raw(&self) -> Weights {
        let mut weights = self.model.clone();
        let frozen = self.frozen.iter().flat_map(|frozen| &frozen.tensors);
        weights.tensors.extend(frozen.map(|(name, tensor)| (name.clone(), tensor.clone())));
        weights
    }

    /// Weights to evaluate, predict and export with: the averaged ones where the run keeps an average.
    pub fn best(&self) -> Weights {
        let mut weights = self.raw();
        for (name, tensor) in self.average.iter().flat_map(|average| &average.tensors) {
            weights.tensors.insert(name.clone(), tensor.clone());
        }
        weights
    }

    /// What the update rule remembers, by name.
    pub fn optimizer(&self, name: &str) -> Result<Tensor, TrainError> {
        tensor(Some(&self.optimizer), name)
    }

    /// An averaged parameter.
    pub fn average(&self, name: &str) -> Result<Tensor, TrainError> {
        tensor(self.average.as_ref(), name)
    }

    /// A tensor of a contrastive run: of the key encoder, the queue or the prototypes.
    pub fn contrast(&self, name: &str) -> Result<Tensor, TrainError> {
        tensor(self.contrast.as_ref(), name)
    }

    /// The key encoder's weights, under the model's names.
    pub(crate) fn key_encoder(&self) -> Weights {
        let all = self.contrast.iter().flat_map(|contrast| &contrast.tensors);
        let own = all.filter_map(|(name, raw)| Some((name.strip_prefix(KEY)?.to_owned(), raw.clone())));
        Weights { tensors: own.collect(), ..Weights::default() }
    }
}

fn tensor(weights: Option<&Weights>, name: &str) -> Result<Tensor, TrainError> {
    let raw = weights.and_then(|weights| weights.tensors.get(name));
    let raw = raw.ok_or_else(|| TrainError::State(format!("it holds no `{name}`")))?;
    Ok(luthier_model::tensor_of(name, raw)?)
}

/// Name of the checkpoint folder after `update` updates.
pub fn folder_name(update: u64) -> String {
    format!("step-{update:08}")
}

/// Writes a checkpoint below `folder` and returns its path.
///
/// What no stage trains is written with the first checkpoint; later ones have the same file by another link, so each
/// folder is whole by itself.
pub fn save(folder: &Path, state: &State, tensors: &Tensors) -> Result<PathBuf, TrainError> {
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, error))?;
    let name = folder_name(state.update);
    let temporary = folder.join(format!(".{name}.tmp"));
    let _ = fs::remove_dir_all(&temporary); // left over from a run that was killed in this place
    let written = fill(&temporary, state, tensors);
    if written.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    written?;
    let path = folder.join(&name);
    if path.exists() {
        // the same update, reached again: replace it, so that the newest of equals is the one that is whole
        fs::remove_dir_all(&path).map_err(|error| unwritten(&path, error))?;
    }
    fs::rename(&temporary, &path).map_err(|error| unwritten(&path, error))?;
    sync(folder)?;
    Ok(path)
}

fn fill(temporary: &Path, state: &State, tensors: &Tensors) -> Result<(), TrainError> {
    fs::create_dir(temporary).map_err(|error| unwritten(temporary, error))?;
    let mut files = Vec::new();
    if !tensors.frozen.is_empty() {
        files.push(frozen(temporary, &tensors.frozen)?);
    }
    let parts = [
        (MODEL, Some(&tensors.model)),
        (OPTIMIZER, Some(&tensors.optimizer)),
        (AVERAGE, tensors.average.as_ref()),
        (CONTRAST, tensors.contrast.as_ref()),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            let written = write(&temporary.join(name), part)?;
            files.push(FileSum { name: name.into(), bytes: written.bytes, crc32: written.crc32 });
        }
    }
    let path = temporary.join(STATE);
    let written = Written { schema: 1, state: state.clone(), files };
    let text = serde_json::to_vec_pretty(&written).map_err(|error| unwritten(&path, error.into()))?;
    fs::write(&path, text).map_err(|error| unwritten(&path, error))?;
    sync(&path)?;
    sync(temporary)
}

/// The file of frozen parameters: linked from the newest checkpoint that has it, or written.
fn frozen(temporary: &Path, tensors: &[(String, Tensor)]) -> Result<FileSum, TrainError> {
    let path = temporary.join(FROZEN);
    for older in list(temporary.parent().unwrap_or(Path::new("."))) {
        let sum = read_state(&older)
            .ok()
            .and_then(|written| written.files.into_iter().find(|file| file.name == FROZEN));
        if let Some(sum) = sum
            && fs::metadata(older.join(FROZEN)).is_ok_and(|about| about.len() == sum.bytes)
            && fs::hard_link(older.join(FROZEN), &path).is_ok()
        {
            return Ok(sum);
        }
    }
    let written = write(&path, tensors)?;
    Ok(FileSum { name: FROZEN.into(), bytes: written.bytes, crc32: written.crc32 })
}

/// Checkpoints below `folder`, newest first, whole or not.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-")))
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// The newest whole checkpoint below `folder`, and the ones that had to be passed over, with the reason.
pub fn newest(folder: &Path) -> Result<(Checkpoint, Vec<(PathBuf, String)>), TrainError> {
    let mut passed = Vec::new();
    for path in list(folder) {
        match load(&path) {
            Ok(checkpoint) => return Ok((checkpoint, passed)),
            Err(error) => passed.push((path, error.to_string())),
        }
    }
    Err(TrainError::NoCheckpoint(folder.to_path_buf()))
}

/// A checkpoint, the newer ones that had to be passed over, and the update of the best evaluation where it is another.
pub type Picked = (Checkpoint, Vec<(PathBuf, String)>, Option<u64>);

/// The checkpoint of the best evaluation; the newest one where there was none, or where none was written then, as
/// evaluations may be more frequent than checkpoints, or where it is torn.
///
/// # Errors
/// There is none that is whole.
pub fn best(folder: &Path) -> Result<Picked, TrainError> {
    let (newest, mut passed) = newest(folder)?;
    let Some(best) = newest.state.best.filter(|best| best.update != newest.state.update) else {
        return Ok((newest, passed, None));
    };
    let path = folder.join(folder_name(best.update));
    if !path.exists() {
        return Ok((newest, passed, Some(best.update)));
    }
    match load(&path) {
        Ok(found) => Ok((found, passed, None)),
        Err(error) => {
            passed.push((path, error.to_string()));
            Ok((newest, passed, None))
        }
    }
}

/// Reads one checkpoint and holds every file against its checksum.
pub fn load(path: &Path) -> Result<Checkpoint, TrainError> {
    let written = read_state(path)?;
    for wanted in &written.files {
        let found = sum(path, &wanted.name)?;
        if (found.bytes, found.crc32) != (wanted.bytes, wanted.crc32) {
            let what = format!("`{}` is torn: {} bytes, {} expected", wanted.name, found.bytes, wanted.bytes);
            return Err(TrainError::State(what));
        }
    }
    let model = luthier_weights::read(&path.join(MODEL))?;
    let optimizer = luthier_weights::read(&path.join(OPTIMIZER))?;
    let optional = |name: &str| {
        let there = written.files.iter().any(|file| file.name == name);
        there.then(|| luthier_weights::read(&path.join(name))).transpose()
    };
    let (average, frozen, contrast) = (optional(AVERAGE)?, optional(FROZEN)?, optional(CONTRAST)?);
    let path = path.to_path_buf();
    Ok(Checkpoint { path, state: written.state, model, frozen, optimizer, average, contrast })
}

fn read_state(path: &Path) -> Result<Written, TrainError> {
    let file = path.join(STATE);
    let text = fs::read(&file).map_err(|error| unread(&file, error))?;
    serde_json::from_slice(&text).map_err(|error| unread(&file, error.into()))
}

/// Removes all but the newest `keep` checkpoints and those of the updates `spared`: the best one, say.
pub fn rotate(folder: &Path, keep: u64, spared: &[u64]) -> Result<(), TrainError> {
    let spared: Vec<String> = spared.iter().copied().map(folder_name).collect();
    let kept = usize::try_from(keep).unwrap_or(usize::MAX);
    for path in list(folder).into_iter().skip(kept) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !spared.iter().any(|spared| *spared == name) {
            fs::remove_dir_all(&path).map_err(|error| unwritten(&path, error))?;
        }
    }
    Ok(())
}

fn sum(folder: &Path, name: &str) -> Result<FileSum, TrainError> {
    let path = folder.join(name);
    let mut file = File::open(&path).map_err(|error| unread(&path, error))?;
    let mut hasher = crc32fast::Hasher::new();
    let mut block = vec![0u8; 1 << 20];
    let mut bytes = 0u64;
    loop {
        let count = std::io::Read::read(&mut file, &mut block).map_err(|error| unread(&path, error))?;
        if count == 0 {
            return Ok(FileSum { name: name.into(), bytes, crc32: hasher.finalize() });
        }
        hasher.update(&block[..count]);
        bytes += count as u64;
    }
}

fn sync(path: &Path) -> Result<(), TrainError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| unwritten(path, error))
}

fn unwritten(path: &Path, source: std::io::Error) -> TrainError {
    let help = "free some space or give another `--out`; the checkpoint before this one is whole";
    TrainError::File { path: path.into(), verb: "written", source, help }
}

fn unread(path: &Path, source: std::io::Error) -> TrainError {
    TrainError::File {
        path: path.into(),
        verb: "read",
        source,
        help: "the checkpoint is not whole; use another one",
    }
}
