//! Pretraining without labels.

pub(super) mod batch_statistics;
pub(super) mod below_untrained;
pub(super) mod collapsed;
pub(super) mod queue_too_long;
pub(super) mod same_views;
pub(super) mod same_views_run;
pub(super) mod temperature;
