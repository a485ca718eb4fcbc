//! What a training script in Python says, as data: calls, loops, names and what they were given.
//!
//! Nothing is run. What cannot be told from the text alone is left open, and rules that need it stay silent.

mod ask;
mod read;

pub use read::{ScriptError, read};

/// A place in the script, both counted from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line
    pub line: usize,
    /// Column, in bytes
    pub column: usize,
}

/// What stands around a piece of code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Loops, outermost first, as indices of [`Script::loops`]; of the same function
    pub loops: Vec<usize>,
    /// The function it stands in, as an index of [`Script::functions`]
    pub function: Option<usize>,
    /// The class it stands in
    pub class: Option<String>,
    /// Gradients are off: `with torch.no_grad()` and its like, or the decorator
    pub quiet: bool,
    /// It runs only under a condition
    pub conditional: bool,
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// What is called, as `optimizer.step`
    pub callee: String,
    /// What it is given
    pub args: Vec<Arg>,
    /// Names that its result is given to, or that of an expression around it
    pub to: Vec<String>,
    /// Where
    pub at: Place,
    /// What stands around it
    pub scope: Scope,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    /// Its keyword
    pub name: Option<String>,
    /// Its text, spaces and line breaks as one space
    pub text: String,
}

/// A `for` or `while`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loop {
    /// Names that it sets
    pub target: String,
    /// What it goes over; the condition of a `while`
    pub over: String,
    /// Where
    pub at: Place,
    /// What stands around it
    pub scope: Scope,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name
    pub name: String,
    /// Its parameters
    pub parameters: Vec<String>,
    /// Where
    pub at: Place,
    /// What stands around it
    pub scope: Scope,
}

/// A name that is given a value, or an augmented one (`total += loss`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The name, as `self.lr`
    pub name: String,
    /// The text of the value
    pub value: String,
    /// `+=` and its like
    pub added: bool,
    /// Where
    pub at: Place,
    /// What stands around it
    pub scope: Scope,
}

/// What a function gives back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The text
    pub value: String,
    /// Where
    pub at: Place,
    /// What stands around it
    pub scope: Scope,
}

/// A script.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Script {
    /// Its file, as it was named
    pub file: String,
    /// Calls, in the order of the text; one inside another comes after it
    pub calls: Vec<Call>,
    /// Loops, in order
    pub loops: Vec<Loop>,
    /// Functions, in order
    pub functions: Vec<Function>,
    /// Names that were given values, in order
    pub assigned: Vec<Assigned>,
    /// What functions give back, in order
    pub returned: Vec<Returned>,
    /// Places that are no Python
    pub broken: Vec<Place>,
}
