//! Embeddings: pretraining without labels, and contrasts by class.

pub(super) mod batch_statistics;
pub(super) mod below_untrained;
pub(super) mod collapsed;
pub(super) mod few_positives;
pub(super) mod none_active;
pub(super) mod queue_too_long;
pub(super) mod same_views;
pub(super) mod same_views_run;
pub(super) mod stuck_at_margin;
pub(super) mod temperature;
