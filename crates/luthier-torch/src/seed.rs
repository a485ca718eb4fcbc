//! The seed of libtorch's own generators, which the whole process shares.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whose turn it is to draw.
static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    /// How many [`Draws`] this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// The generators, seeded and held: until this is dropped, no other thread seeds them and draws. The same thread may
/// seed them anew.
#[must_use = "another thread may draw in between once this is dropped"]
#[derive(Debug)]
pub struct Draws {
    _turn: Option<MutexGuard<'static, ()>>,
    // counted by thread, so it has to be dropped in the one that made it
    _thread: PhantomData<*const ()>,
}

/// Seeds the generators of every device, from which dropout and initialisation draw: what is drawn while the result
/// is held is a function of the seed. They belong to the process, so two runs in one process take turns.
pub fn manual_seed(seed: u64) -> Draws {
    let first = HELD.get() == 0;
    // a thread that panicked while drawing left nothing half done: the next one seeds
    let turn = first.then(|| TURN.lock().unwrap_or_else(PoisonError::into_inner));
    HELD.set(HELD.get() + 1);
    // the same 64 bits: libtorch reads them as unsigned
    tch::manual_seed(seed.cast_signed());
    Draws { _turn: turn, _thread: PhantomData }
}

impl Drop for Draws {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}
