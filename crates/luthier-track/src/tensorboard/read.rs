//! Scalars out of event files, whoever wrote them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use prost::Message;

use super::frame::masked_crc;
use super::proto::{Event, Tensor, What};
use crate::TrackError;

/// A record larger than this is a picture or a graph, and holds no scalar.
const LARGEST: u64 = 256 << 20;

/// How the names of event files begin.
const NAME: &str = "tfevents";

/// One curve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// Its points, in the order of their steps
    pub points: Vec<Point>,
}

/// One number of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Step, as whoever wrote it counts
    pub step: i64,
    /// Seconds since 1970
    pub time: f64,
    /// The number; may be NaN
    pub value: f64,
}

/// What a folder of event files holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scalars {
    /// Curves by tag; that of a file in a folder below has the folder's name before it
    pub curves: BTreeMap<String, Curve>,
    /// Files that were read
    pub files: Vec<PathBuf>,
    /// What could not be read, as sentences
    pub cut: Vec<String>,
}

/// Whether a folder, or one right below it, has event files.
pub fn has_events(folder: &Path) -> bool {
    !files(folder).is_empty()
}

/// Reads the scalars of a folder's event files, and of those in folders right below it. A file that is cut off or garbled
/// gives what stands before that, and a sentence about it.
///
/// # Errors
/// A file can't be opened.
pub fn read_scalars(folder: &Path) -> Result<Scalars, TrackError> {
    let mut scalars = Scalars { files: files(folder), ..Scalars::default() };
    for path in scalars.files.clone() {
        let below = path.parent().and_then(|parent| parent.strip_prefix(folder).ok());
        let prefix = below.filter(|below| !below.as_os_str().is_empty());
        let prefix = prefix.map(|below| format!("{}/", below.display())).unwrap_or_default();
        let file = File::open(&path).map_err(|source| TrackError::io("read", &path, source))?;
        if let Some(why) = read_file(BufReader::new(file), &prefix, &mut scalars.curves) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            scalars.cut.push(format!("`{name}` {why}: what stands behind that is lost"));
        }
    }
    for curve in scalars.curves.values_mut() {
        curve.points.sort_by_key(|point| point.step);
    }
    Ok(scalars)
}

/// Event files of a folder and of those right below it, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let all = fs::read_dir(folder).into_iter().flatten().flatten();
        all.map(|entry| entry.path()).collect()
    };
    let events = |path: &PathBuf| {
        path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().contains(NAME))
    };
    let here = entries(folder);
    let below = here.iter().filter(|path| path.is_dir()).flat_map(|path| entries(path));
    let mut found: Vec<PathBuf> = here.iter().cloned().chain(below).filter(events).collect();
    found.sort();
    found
}

/// Takes the scalars of one file; says where it ends before its time.
fn read_file(mut file: impl Read, prefix: &str, curves: &mut BTreeMap<String, Curve>) -> Option<String> {
    for number in 1.. {
        let mut head = [0; 12];
        match fill(&mut file, &mut head) {
            Ok(0) => break,
            Ok(12) => {}
            _ => return Some(format!("is cut off in its record {number}")),
        }
        let (length, check) = head.split_at(8);
        let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
        if masked_crc(&head[..8]).to_le_bytes() != check || length > LARGEST {
            return Some(format!("is garbled at its record {number}"));
        }
        let mut data = Vec::new();
        let read = file.by_ref().take(length).read_to_end(&mut data);
        let mut check = [0; 4];
        if read.ok() != Some(length as usize) || fill(&mut file, &mut check).ok() != Some(4) {
            return Some(format!("is cut off in its record {number}"));
        }
        if masked_crc(&data).to_le_bytes() != check {
            return Some(format!("is garbled at its record {number}"));
        }
        // a record of a kind that is not known has no scalars
        let Ok(event) = Event::decode(data.as_slice()) else { continue };
        let Some(What::Summary(summary)) = event.what else { continue };
        for value in summary.value {
            let number = value.simple_value.map(f64::from).or_else(|| value.tensor.as_ref().and_then(scalar));
            if let Some(number) = number {
                let curve = curves.entry(format!("{prefix}{}", value.tag)).or_default();
                curve.points.push(Point { step: event.step, time: event.wall_time, value: number });
            }
        }
    }
    None
}

/// Reads until the buffer is full or the file is over; how much that was.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read(&mut buffer[done..])? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}

/// The number that a tensor of one element holds, as TensorFlow 2 writes scalars.
fn scalar(tensor: &Tensor) -> Option<f64> {
    const FLOAT: i32 = 1;
    const DOUBLE: i32 = 2;
    let bytes = tensor.content.as_slice();
    match tensor.dtype {
        FLOAT => bytes.try_into().ok().map(|bytes| f64::from(f32::from_le_bytes(bytes))),
        DOUBLE => bytes.try_into().ok().map(f64::from_le_bytes),
        _ => None,
    }
    .or_else(|| match (tensor.floats.as_slice(), tensor.doubles.as_slice()) {
        ([one], []) => Some(f64::from(*one)),
        ([], [one]) => Some(*one),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails should fail")]

    use super::super::frame::frame;
    use super::super::proto::{Summary, Value};
    use super::*;

    fn event(step: i64, tag: &str, value: f32) -> Vec<u8> {
        let value = Value { tag: tag.into(), simple_value: Some(value), tensor: None };
        let what = Some(What::Summary(Summary { value: vec![value] }));
        frame(&Event { wall_time: step as f64, step, what }.encode_to_vec())
    }

    fn curves(bytes: &[u8]) -> (BTreeMap<String, Curve>, Option<String>) {
        let mut curves = BTreeMap::new();
        let cut = read_file(bytes, "", &mut curves);
        (curves, cut)
    }

    #[test]
    fn what_was_written_is_read_and_a_cut_file_gives_what_stands_before() {
        let whole = [event(1, "loss", 2.0), event(2, "loss", 1.5), event(2, "lr", 0.1)].concat();
        let (read, cut) = curves(&whole);
        assert_eq!((read["loss"].points.len(), read["lr"].points.len(), cut), (2, 1, None));
        for length in 0..whole.len() {
            let (read, cut) = curves(&whole[..length]);
            let points: usize = read.values().map(|curve| curve.points.len()).sum();
            assert!(points < 3 && (cut.is_some() || length % event(1, "loss", 0.0).len() == 0), "{length}");
        }
        let mut wrong = whole.clone();
        wrong[20] ^= 1;
        assert!(curves(&wrong).1.unwrap().contains("garbled at its record 1"));
        assert!(curves(&[255; 64]).1.unwrap().contains("garbled"));
    }

    #[test]
    fn scalars_in_tensors_are_read() {
        let tensor = Tensor { dtype: 1, content: 0.25f32.to_le_bytes().to_vec(), ..Tensor::default() };
        assert_eq!(scalar(&tensor), Some(0.25));
        assert_eq!(scalar(&Tensor { dtype: 1, floats: vec![3.0], ..Tensor::default() }), Some(3.0));
        assert_eq!(scalar(&Tensor { dtype: 7, content: vec![1, 2], ..Tensor::default() }), None);
    }
}
