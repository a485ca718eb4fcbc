//! What `torch.save` writes, in both of its formats.

mod archive;
mod legacy;
mod state;
mod views;

pub(crate) use archive::read as read_archive;
pub(crate) use legacy::read as read_legacy;
pub(crate) use views::check_bools;
