//! Sessions: the loop, losses, optimizers, schedules, checkpoints.
