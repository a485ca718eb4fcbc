//! What can be switched while a model is in use.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Switches that a model and its layers share.
#[derive(Debug)]
pub(crate) struct Switches {
    shortcuts: AtomicBool,
    keeps_bf16: AtomicBool,
    trains: AtomicBool,
    lora_drops: AtomicBool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            shortcuts: AtomicBool::new(true),
            keeps_bf16: AtomicBool::new(false),
            trains: AtomicBool::new(false),
            lora_drops: AtomicBool::new(false),
        }
    }
}

impl Switches {
    /// What is exact is computed the short way.
    pub(crate) fn shortcuts(&self) -> bool {
        self.shortcuts.load(Relaxed)
    }

    pub(crate) fn set_shortcuts(&self, on: bool) {
        self.shortcuts.store(on, Relaxed);
    }

    /// Frozen weights are kept in bf16, too.
    pub(crate) fn keeps_bf16(&self) -> bool {
        self.keeps_bf16.load(Relaxed)
    }

    /// What runs now runs for training.
    pub(crate) fn trains(&self) -> bool {
        self.trains.load(Relaxed)
    }

    pub(crate) fn set_trains(&self, on: bool) {
        self.trains.store(on, Relaxed);
    }

    /// LoRA drops inputs at random in training.
    pub(crate) fn lora_drops(&self) -> bool {
        self.lora_drops.load(Relaxed)
    }

    pub(crate) fn set_lora_drops(&self, on: bool) {
        self.lora_drops.store(on, Relaxed);
    }

    pub(crate) fn set_keeps_bf16(&self, on: bool) {
        self.keeps_bf16.store(on, Relaxed);
    }
}
