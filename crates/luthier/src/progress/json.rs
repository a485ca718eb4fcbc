use std::io::{self, BufWriter, Write};

use luthier_plan::{Event, Listener, Wish};

use crate::voice::{AnyDiagnostic, Sentence};

/// Every event as one line of JSON, at once: for scripts and benchmarks.
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    writer: BufWriter<W>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        JsonLines { writer: BufWriter::new(writer) }
    }
}

impl<W: Write> Listener for JsonLines<W> {
    fn hear(&mut self, event: &Event) -> Result<Wish, AnyDiagnostic> {
        let written = serde_json::to_writer(&mut self.writer, event)
            .map_err(io::Error::from)
            .and_then(|()| self.writer.write_all(b"\n"))
            .and_then(|()| self.writer.flush());
        match written {
            Ok(()) => Ok(Wish::Continue),
            // the reader has what it wanted (`| head`): save and leave
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Wish::Stop),
            Err(error) => Err(Box::new(Sentence {
                message: format!("cannot write events to stdout: {error}"),
                hint: None,
            })),
        }
    }

    fn name(&self) -> &'static str {
        "terminal"
    }
}
