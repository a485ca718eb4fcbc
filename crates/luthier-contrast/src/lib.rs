//! Contrastive objectives on tensors, and what belongs to them; knows neither recipes nor networks.
//!
//! - [`info_nce`] with a [`Queue`] of keys (MoCo v2), [`proto_nce`] over [`Prototypes`] (PCL), [`sup_con`],
//!   [`triplet`]: objectives over embeddings; [`Pairs`] and [`nearest_of_class`]: what there is to contrast in a batch;
//! - [`follow`]: the key encoder's moving average;
//! - [`kmeans`] and [`concentrations`]: clusters of a data set and how dense each is;
//! - [`FeatureWriter`], [`Features`]: features of a whole set in a file that is mapped into memory;
//! - [`alignment`], [`uniformity`], [`spread`], [`knn_accuracy`], [`linear_probe`]: what embeddings are worth.
//!
//! Embeddings are `[N, d]` tensors of floats. Where a formula wants them on the unit sphere it says so; [`normalize`]
//! puts them there. Randomness is drawn from seeds that are given, never from a global generator.

mod checks;
mod concentration;
mod error;
mod features;
mod geometry;
mod info_nce;
mod key_encoder;
mod kmeans;
mod knn;
mod lbfgs;
mod linear_probe;
mod pairs;
mod proto_nce;
mod queue;
mod random;
mod sup_con;
mod triplet;

pub use concentration::{Concentration, concentrations};
pub use error::ContrastError;
pub use features::{FeatureWriter, Features};
pub use geometry::{alignment, normalize, spread, uniformity};
pub use info_nce::{Contrast, Negatives, info_nce, top_k};
pub use key_encoder::follow;
pub use kmeans::{Clusters, KMeans, Rows, kmeans, plus_plus};
pub use knn::{Knn, knn_accuracy, knn_classes};
pub use linear_probe::{LinearProbe, Probed, linear_probe};
pub use pairs::{Pairs, nearest_of_class};
pub use proto_nce::{Drawn, Prototypes, draw_negatives, proto_nce};
pub use queue::{Queue, false_negatives};
pub use sup_con::sup_con;
pub use triplet::{Distance, Margin, Mining, TripletLoss, Triplets, batch_hard_triplet, triplet};
