//! Ctrl-C: the first asks the run to save a checkpoint and leave, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use luthier::voice::{Failure, Sentence};

/// A flag that the first SIGINT, SIGTERM or SIGHUP raises; the second ends the process.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .map_err(|error| {
        Failure::subject(Sentence { message: format!("cannot listen for Ctrl-C: {error}"), hint: None })
    })?;
    Ok(flag)
}
