//! What libtorch has and tch lacks; the one crate with C++ and unsafe.
