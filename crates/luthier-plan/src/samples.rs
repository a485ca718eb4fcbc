//! The samples of a split in little memory: a plan of a million pictures is copied, shared and kept beside a model.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Samples of a split, in order. All paths are one text, and copies share it: a sample takes its path and 12 bytes, and
/// 4 more for each of several heads. Written down, it is a list of [`Sample`]s.
#[derive(Clone, Default, PartialEq)]
pub struct Samples {
    paths: Arc<Paths>,
    labels: Arc<Vec<u32>>,
    /// Labels of every sample, head by head; none where there is one task
    tasks: Vec<Arc<Vec<u32>>>,
}

#[derive(Debug, Default, PartialEq)]
struct Paths {
    text: String,
    /// Where in the text each path ends
    ends: Vec<usize>,
}

/// One sample and its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Path below the split's folder, with forward slashes; of a table, the number of the line, counted from 1
    pub path: &'a str,
    /// Class index; 0 for a regression
    pub label: u32,
}

impl Samples {
    /// How many.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Path of a sample; `None` beyond the last.
    pub fn path(&self, index: usize) -> Option<&str> {
        let end = *self.paths.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.paths.ends[before]);
        self.paths.text.get(start..end)
    }

    /// Paths in order.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|index| self.path(index).unwrap_or_default())
    }

    /// Class index of every sample; 0 for a regression.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Class index of every sample for one of several heads; `None` where there is one task, or no such.
    pub fn labels_of(&self, task: usize) -> Option<&[u32]> {
        self.tasks.get(task).map(|labels| labels.as_slice())
    }

    /// The samples in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        self.paths().zip(self.labels.iter()).map(|(path, label)| Sample { path, label: *label })
    }

    /// Samples of these indices, in their order; those that are not there are left out.
    #[must_use]
    pub fn pick(&self, indices: &[u32]) -> Samples {
        let there = || indices.iter().map(|index| *index as usize).filter(|index| *index < self.len());
        let of = |labels: &Arc<Vec<u32>>| Arc::new(there().map(|index| labels[index]).collect::<Vec<u32>>());
        let mut paths = Paths::default();
        there().for_each(|index| paths.push(self.path(index).unwrap_or_default()));
        paths.shrink();
        Samples {
            paths: Arc::new(paths),
            labels: of(&self.labels),
            tasks: self.tasks.iter().map(of).collect(),
        }
    }

    /// Gives every sample another class index.
    pub fn relabel(&mut self, label: impl FnMut(usize, u32) -> u32) {
        change(&mut self.labels, label);
    }

    /// Makes one head's labels those of the samples.
    pub fn label_as_task(&mut self, task: usize) {
        if let Some(labels) = self.tasks.get(task) {
            self.labels = Arc::clone(labels);
        }
    }

    /// Gives every sample another class index for one of several heads.
    pub fn relabel_task(&mut self, task: usize, label: impl FnMut(usize, u32) -> u32) {
        if let Some(labels) = self.tasks.get_mut(task) {
            change(labels, label);
        }
    }

    /// Gives every sample a label for one more head: 0 where `labels` ends early.
    pub fn add_task(&mut self, mut labels: Vec<u32>) {
        labels.resize(self.len(), 0);
        self.tasks.push(Arc::new(labels));
    }

    /// Memory that they take, in bytes. Copies share it.
    pub fn bytes(&self) -> usize {
        let labels =
            self.tasks.iter().map(|labels| labels.capacity()).sum::<usize>() + self.labels.capacity();
        self.paths.text.capacity()
            + self.paths.ends.capacity() * size_of::<usize>()
            + labels * size_of::<u32>()
    }
}

fn change(labels: &mut Arc<Vec<u32>>, mut to: impl FnMut(usize, u32) -> u32) {
    let labels = Arc::make_mut(labels);
    labels.iter_mut().enumerate().for_each(|(index, label)| *label = to(index, *label));
}

impl Paths {
    fn push(&mut self, path: &str) {
        self.text.push_str(path);
        self.ends.push(self.text.len());
    }

    fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Paths and labels.
impl<P: AsRef<str>> FromIterator<(P, u32)> for Samples {
    fn from_iter<I: IntoIterator<Item = (P, u32)>>(samples: I) -> Self {
        let (mut paths, mut labels) = (Paths::default(), Vec::new());
        for (path, label) in samples {
            paths.push(path.as_ref());
            labels.push(label);
        }
        paths.shrink();
        labels.shrink_to_fit();
        Samples { paths: Arc::new(paths), labels: Arc::new(labels), tasks: Vec::new() }
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A sample as it is written down.
#[derive(Serialize)]
struct Written<'a> {
    path: &'a str,
    label: u32,
    /// Class index of each task; none where there is one task
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<u32>,
}

/// A sample as it is read.
#[derive(Deserialize)]
struct Read {
    path: String,
    label: u32,
    #[serde(default)]
    labels: Vec<u32>,
}

impl Serialize for Samples {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let labels = |index: usize| self.tasks.iter().map(|labels| labels[index]).collect();
        to.collect_seq(self.iter().enumerate().map(|(index, Sample { path, label })| Written {
            path,
            label,
            labels: labels(index),
        }))
    }
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(OneByOne)
    }
}

/// Takes samples in without a list of them.
struct OneByOne;

impl<'de> Visitor<'de> for OneByOne {
    type Value = Samples;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Samples, A::Error> {
        let (mut paths, mut labels) = (Paths::default(), Vec::new());
        let mut tasks: Vec<Vec<u32>> = Vec::new();
        while let Some(sample) = list.next_element::<Read>()? {
            if labels.is_empty() {
                tasks.resize(sample.labels.len(), Vec::new());
            }
            if sample.labels.len() != tasks.len() {
                let (own, first) = (sample.labels.len(), tasks.len());
                return Err(A::Error::custom(format!(
                    "the sample `{}` has {own} labels and the first one has {first}",
                    sample.path
                )));
            }
            paths.push(&sample.path);
            labels.push(sample.label);
            tasks.iter_mut().zip(sample.labels).for_each(|(task, label)| task.push(label));
        }
        paths.shrink();
        labels.shrink_to_fit();
        let tasks = tasks.into_iter().map(|mut labels| {
            labels.shrink_to_fit();
            Arc::new(labels)
        });
        Ok(Samples { paths: Arc::new(paths), labels: Arc::new(labels), tasks: tasks.collect() })
    }
}
