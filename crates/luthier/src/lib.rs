//! The command line of Luthier.
