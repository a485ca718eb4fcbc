//! Data sets, transforms, samplers and the loader. Knows no tensors.
