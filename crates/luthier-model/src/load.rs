//! From weight files into a model.

use std::collections::{HashMap, HashSet};

use luthier_plan::{LoadReport, Patterns};
use luthier_recipe::Arch;
use luthier_weights::{Dtype, RawTensor, Weights};
use tch::{Kind, Tensor};

use crate::arch::{self, Options};
use crate::mismatch::mismatch;
use crate::{
    ARCHS, Builder, Entry, Model, ModelError, ParamStore, Unmatched, arch_name, from_huggingface, positions,
};

/// BERT's pooler is part of a classifier, and of few files.
const POOLER: &str = "pooler.";

impl Model {
    /// Copies weights into the model and says what matched; names of `transformers` are read, too. The head is expected
    /// to differ: where it is missing or of another shape, it stays as it is, and so does a pooler where the file has
    /// none. A `num_batches_tracked` may be missing: old files have none.
    ///
    /// `allow_unmatched` are patterns of other tensors that may be missing, unexpected or of another shape.
    ///
    /// # Errors
    /// Something else does not match; nothing was copied then. Or a pattern is none.
    pub fn load(&self, weights: &Weights, allow_unmatched: &[String]) -> Result<LoadReport, ModelError> {
        let allowed = Patterns::new(allow_unmatched, "model.allow_unmatched")?;
        let weights = &self.adapted(weights)?;
        let mut report = compare(self.store.entries(), weights);
        let no_pooler = !weights.tensors.keys().any(|name| name.starts_with(POOLER));
        let is_head = |name: &str| self.is_head(name) || no_pooler && name.starts_with(POOLER);
        let unmatched = Unmatched(LoadReport {
            missing: without(&report.missing, |name| is_head(name) || allowed.first(name).is_some()),
            unexpected: without(&report.unexpected, |name| is_head(name) || allowed.first(name).is_some()),
            wrong_shape: report
                .wrong_shape
                .iter()
                .filter(|(name, ..)| !is_head(name) && allowed.first(name).is_none())
                .cloned()
                .collect(),
            ..LoadReport::default()
        });
        self.refuse(unmatched, weights)?;
        self.copy(weights)?;

        report.head = self
            .store
            .entries()
            .iter()
            .map(|entry| &entry.name)
            .filter(|name| {
                is_head(name)
                    && (report.missing.contains(name)
                        || report.wrong_shape.iter().any(|(wrong, ..)| wrong == *name))
            })
            .cloned()
            .collect();
        report.notes.clone_from(&weights.notes);
        report.missing.retain(|name| !is_head(name));
        report.wrong_shape.retain(|(name, ..)| !is_head(name));
        Ok(report)
    }

    /// Copies weights that must match to the last tensor, the head included: what Luthier itself has written.
    ///
    /// # Errors
    /// Something does not match; nothing was copied then.
    pub fn load_strict(&self, weights: &Weights) -> Result<LoadReport, ModelError> {
        let weights = &self.adapted(weights)?;
        let report = compare(self.store.entries(), weights);
        self.refuse(Unmatched(report.clone()), weights)?;
        self.copy(weights)?;
        Ok(report)
    }

    /// The weights under our names, and for pictures of our size.
    fn adapted(&self, weights: &Weights) -> Result<Weights, ModelError> {
        let names: Vec<String> = self.store.entries().iter().map(|entry| entry.name.clone()).collect();
        let weights = from_huggingface(self.arch, &names, weights.clone());
        positions::adapt(weights, self.config.as_ref(), self.store.entries())
    }

    fn refuse(&self, unmatched: Unmatched, weights: &Weights) -> Result<(), ModelError> {
        let LoadReport { missing, unexpected, wrong_shape, .. } = &unmatched.0;
        if missing.is_empty() && unexpected.is_empty() && wrong_shape.is_empty() {
            return Ok(());
        }
        if let Some(error) = mismatch(self, &unmatched.0, weights) {
            return Err(error);
        }
        let help = match self.better_fit(weights)? {
            Some(other) => format!("these look like the weights of `{}`", arch_name(other)),
            None => "if that is meant to be so, name the tensors in `model.allow_unmatched`".to_owned(),
        };
        Err(ModelError::Unmatched { arch: arch_name(self.arch), unmatched: Box::new(unmatched), help })
    }

    /// The architecture whose tensors the file has more of than of this one's: the largest share counts.
    fn better_fit(&self, weights: &Weights) -> Result<Option<Arch>, ModelError> {
        let own = share(self.store.entries(), &self.head, weights);
        let mut best = (own, None);
        for candidate in ARCHS.into_iter().filter(|&candidate| candidate != self.arch) {
            let mut store = ParamStore::default();
            arch::build(candidate, Builder::shapes_only(&mut store), 1, &Options::default())?;
            let names: Vec<String> = store.entries().iter().map(|entry| entry.name.clone()).collect();
            let theirs = from_huggingface(candidate, &names, weights.clone());
            let other = share(store.entries(), arch::head(candidate), &theirs);
            if other.0 * best.0.1 > best.0.0 * other.1 {
                best = (other, Some(candidate));
            }
        }
        Ok(best.1)
    }

    fn copy(&self, weights: &Weights) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        // All of them are made before the first is copied: an error leaves the model as it was.
        let mut pairs = Vec::new();
        for entry in self.store.entries() {
            match weights.tensors.get(&entry.name) {
                Some(raw) if same_shape(entry, raw) => pairs.push((entry, tensor_of(&entry.name, raw)?)),
                _ => {}
            }
        }
        for (entry, value) in pairs {
            entry.tensor.shallow_clone().f_copy_(&value)?;
        }
        Ok(())
    }
}

/// What of the model is in the file, and the other way round. Knows no head.
fn compare(entries: &[Entry], weights: &Weights) -> LoadReport {
    let mut report = LoadReport::default();
    for entry in entries {
        match weights.tensors.get(&entry.name) {
            Some(raw) if same_shape(entry, raw) => report.matched += 1,
            Some(raw) => report.wrong_shape.push((entry.name.clone(), shape(raw), entry.tensor.size())),
            None if entry.name.ends_with(".num_batches_tracked") => {}
            None => report.missing.push(entry.name.clone()),
        }
    }
    let known: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    report.unexpected =
        weights.tensors.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();
    report
}

fn without(names: &[String], drop: impl Fn(&str) -> bool) -> Vec<String> {
    names.iter().filter(|name| !drop(name)).cloned().collect()
}

fn same_shape(entry: &Entry, raw: &RawTensor) -> bool {
    entry.tensor.size() == shape(raw)
}

fn shape(raw: &RawTensor) -> Vec<i64> {
    raw.shape.iter().map(|&extent| i64::try_from(extent).unwrap_or(i64::MAX)).collect()
}

/// A tensor with the file's bytes.
pub fn tensor_of(name: &str, raw: &RawTensor) -> Result<Tensor, ModelError> {
    let kind = match raw.dtype {
        Dtype::F64 => Kind::Double,
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::I16 => Kind::Int16,
        Dtype::I8 => Kind::Int8,
        Dtype::U8 => Kind::Uint8,
        Dtype::Bool => Kind::Bool,
    };
    // libtorch reads as many bytes as the shape says
    let elements: usize = raw.shape.iter().product();
    if elements.checked_mul(raw.dtype.size()) != Some(raw.bytes.len()) {
        let why = format!("{} bytes for {:?} of {}", raw.bytes.len(), raw.shape, raw.dtype);
        return Err(ModelError::Tensor { name: name.to_owned(), why });
    }
    Ok(Tensor::f_from_data_size(&raw.bytes, &shape(raw), kind)?)
}

/// How many tensors of a file fit a model, and of how many in both, the head left out.
fn share(entries: &[Entry], head: &str, weights: &Weights) -> (usize, usize) {
    let head = format!("{head}.");
    let body: HashMap<&str, &Entry> = entries
        .iter()
        .filter(|entry| !entry.name.starts_with(&head))
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    let theirs = weights.tensors.iter().filter(|(name, _)| !name.starts_with(&head));
    let (mut fit, mut total) = (0, body.len());
    for (name, raw) in theirs {
        match body.get(name.as_str()) {
            Some(entry) if same_shape(entry, raw) => fit += 1,
            Some(_) => {}
            None => total += 1,
        }
    }
    (fit, total)
}
