//! The commands that need tensors.

fn main() {}
