//! One file per architecture; weights in and out.
