//! A look at what runs through a network: whoever measures is told what comes out of every part and activation.
//!
//! Nobody listens in training: it costs one branch on a thread's own flag where an activation is computed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use tch::Tensor;

/// What came out of a part or an activation.
#[derive(Debug)]
pub struct Sight<'a> {
    /// Name of the part, or `part.kindN` for its N-th activation of a kind: `layer1.0.relu2`
    pub name: &'a str,
    /// `relu`, `gelu`, `tanh` … for an activation, `block` for a part, `output` for the last part
    pub kind: &'static str,
    /// What came out. It may be changed in place afterwards: copy what is to be kept
    pub tensor: &'a Tensor,
}

/// Called with everything that is seen. It must not run a network itself.
pub type Ear = Box<dyn FnMut(Sight<'_>)>;

/// Who listens, and where the network is.
#[derive(Default)]
struct Post {
    ear: Option<Ear>,
    part: String,
    counts: HashMap<&'static str, usize>,
}

thread_local! {
    static LISTENED: Cell<bool> = const { Cell::new(false) };
    static POST: RefCell<Post> = RefCell::default();
}

/// Runs `run`, and tells `ear` what networks on this thread give on the way. Watches do not nest: the inner one
/// listens alone, and the outer one not again.
pub fn watch<T>(ear: Ear, run: impl FnOnce() -> T) -> T {
    /// Ends the watch when `run` panics, too.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            LISTENED.set(false);
            POST.with(|post| {
                if let Ok(mut post) = post.try_borrow_mut() {
                    *post = Post::default();
                }
            });
        }
    }
    let _end = End;
    POST.with_borrow_mut(|post| *post = Post { ear: Some(ear), ..Post::default() });
    LISTENED.set(true);
    run()
}

/// A part begins.
pub(crate) fn enter(part: &str) {
    if LISTENED.get() {
        POST.with_borrow_mut(|post| {
            part.clone_into(&mut post.part);
            post.counts.clear();
        });
    }
}

/// A part has run.
pub(crate) fn leave(last: bool, tensor: &Tensor) {
    if LISTENED.get() {
        POST.with_borrow_mut(|post| {
            if let Some(ear) = &mut post.ear {
                ear(Sight { name: &post.part, kind: if last { "output" } else { "block" }, tensor });
            }
        });
    }
}

/// What an activation gave, passed on.
pub(crate) fn seen(kind: &'static str, tensor: Tensor) -> Tensor {
    if LISTENED.get() {
        POST.with_borrow_mut(|post| {
            let count = post.counts.entry(kind).or_default();
            *count += 1;
            let name = format!("{}.{kind}{count}", post.part);
            if let Some(ear) = &mut post.ear {
                ear(Sight { name: &name, kind, tensor: &tensor });
            }
        });
    }
    tensor
}
