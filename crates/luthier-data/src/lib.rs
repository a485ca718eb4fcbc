//! Data sets, transforms, samplers and the loader. Knows no tensors.

mod attributes;
mod balance;
mod folder;
mod loader;
mod order;
pub mod picture;
mod random;
pub mod scan;
pub mod scenes;
mod split;
mod table;
mod tokens;
pub mod transforms;

pub use attributes::{Attribute, Attributes, AttributesError, attributes};
pub use balance::{oversample, undersample};
pub use folder::{FolderError, FolderOptions, Listing, image_folder, image_folder_like, pictures_in};
pub use loader::{Batch, DataError, Epoch, EpochOptions, Listed, Loader, LoaderOptions, Pixels, Source};
pub use order::{bucketed_order, epoch_order, per_class_order};
pub use picture::{Limits, Picture, PictureError};
pub use split::{Parts, Shares, SplitError, plain_parts, stratified_parts, stratified_split};
pub use table::{
    Cells, Column, Counts, DuplicateTexts, Features, Grid, GridColumn, GridOptions, Kind, Row, RowFault,
    SharedTexts, Skipped, SplitRows, Table, TableError, TableFormat, TableOptions, duplicate_texts,
    read_grid, read_table, read_table_like,
};
pub use tokens::{EncodeOptions, Encoded, TextTokenizer, TokensError};
pub use transforms::{Chain, SampleKey, TransformError};
