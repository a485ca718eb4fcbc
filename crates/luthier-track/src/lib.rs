//! The run directory: metrics, TensorBoard, plots, report.
