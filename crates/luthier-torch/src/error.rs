//! libtorch's exceptions as one sentence.

use miette::Diagnostic;
use tch::TchError;
use thiserror::Error;

/// What can go wrong between Luthier and libtorch.
#[derive(Debug, Error, Diagnostic)]
pub enum TorchError {
    /// libtorch threw
    #[error("libtorch: {0}")]
    Torch(String),
    /// A device name that is none
    #[error("`{0}` is not a device")]
    #[diagnostic(help("devices are `cpu`, `cuda`, `cuda:N` and `mps`"))]
    UnknownDevice(String),
    /// A device that this machine or this libtorch does not have
    #[error("the device `{device}` is not available: {why}")]
    #[diagnostic(help(
        "use `cpu`, or a libtorch built for the device (see `LIBTORCH_USE_PYTORCH` in the manual)"
    ))]
    NoDevice {
        /// As asked for
        device: String,
        /// What is missing
        why: String,
    },
    /// A tensor that cannot live in a flat buffer
    #[error("parameter {index} cannot live in a flat buffer: {why}")]
    NotFlat {
        /// Position in the list that was given
        index: usize,
        /// What about it
        why: String,
    },
    /// Another program listens where rank 0 should
    #[error("the port {0} is in use")]
    #[diagnostic(help("set `MASTER_PORT` to a free one, or end the program that has it"))]
    PortInUse(u16),
    /// Nobody answers at the master's address
    #[error("rank 0 does not answer at `{host}` port {port}: {why}")]
    #[diagnostic(help(
        "`MASTER_ADDR` and `MASTER_PORT` must be rank 0's, on every rank, and rank 0 must have started"
    ))]
    NoMaster {
        /// `MASTER_ADDR`
        host: String,
        /// `MASTER_PORT`
        port: u16,
        /// What libtorch says
        why: String,
    },
    /// Not all ranks came
    #[error("only {joined} ranks came in time")]
    #[diagnostic(help(
        "start all of them within `distributed.timeout`, with the same `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`"
    ))]
    Missing {
        /// `1/3`
        joined: String,
    },
    /// A backend that this libtorch does not have
    #[error("this libtorch has no `{0}` backend")]
    #[diagnostic(help("use `distributed.backend = \"gloo\"`, which every libtorch has"))]
    NoBackend(String),
    /// An exchange failed: a rank has ended, or hangs
    #[error("another rank has left, or does not answer: {0}")]
    #[diagnostic(help("what that rank says is the cause"))]
    RankLost(String),
    /// A thread count that is none
    #[error("{0} is not a number of threads")]
    #[diagnostic(help("give 1 or more"))]
    Threads(usize),
}

impl From<TchError> for TorchError {
    fn from(error: TchError) -> Self {
        let text = match error {
            TchError::Torch(text) => text,
            other => other.to_string(),
        };
        Self::thrown(&text)
    }
}

impl TorchError {
    /// The error of an exchange: whatever libtorch says, another rank has a part in it.
    pub(crate) fn between_ranks(self) -> Self {
        match self {
            Self::Torch(why) => Self::RankLost(why),
            other => other,
        }
    }

    /// The error of a backward pass in which gradients are exchanged: gloo's own are told by its name and its words.
    pub(crate) fn if_between_ranks(self) -> Self {
        const WORDS: [&str; 4] =
            ["gloo", "Connection closed by peer", "Connection reset by peer", "Timed out"];
        match &self {
            Self::Torch(why) if WORDS.iter().any(|word| why.contains(word)) => self.between_ranks(),
            _ => self,
        }
    }

    /// An exception's text, cut to its first sentence.
    pub(crate) fn thrown(what: &str) -> Self {
        Self::Torch(first_sentence(what))
    }
}

/// The first sentence of an exception's text: libtorch appends where it was raised and a C++ backtrace.
fn first_sentence(text: &str) -> String {
    let mut text = text.trim_start();
    // `[enforce fail at file.cpp:119] condition. What happened`: the sentence is the second one
    if text.starts_with("[enforce fail at")
        && let Some((_, rest)) = text.split_once(". ")
    {
        text = rest;
    }
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" Exception raised from").next().unwrap_or(line);
    // A sentence ends where the next begins with a capital; `e.g. 3` and `1. 5` do not end one.
    let end = line
        .match_indices(". ")
        .find(|(at, dot)| line[at + dot.len()..].starts_with(|c: char| c.is_ascii_uppercase()))
        .map_or(line.len(), |(at, _)| at);
    line[..end].trim_end().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sentence_is_left() {
        let cases = [
            (
                "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)\nException raised from meta at x.cpp:1 (most \
                 recent call first):\nframe #0: c10::Error",
                "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
                "the backtrace goes",
            ),
            ("Bad thing. See the manual for more.", "Bad thing", "advice for Python users goes"),
            (
                "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: can't allocate memory: you tried \
                 to allocate 9 bytes. Error code 12 (Cannot allocate memory)",
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
                "the condition says nothing to a user",
            ),
            ("scale 1. 5 is odd", "scale 1. 5 is odd", "a dot before no capital ends nothing"),
            ("", "", "nothing stays nothing"),
        ];
        for (text, expected, reason) in cases {
            assert_eq!(first_sentence(text), expected, "{reason}");
        }
    }
}
