//! What several tests share.

/// A small sound recipe. The tests of faults change one line of it.
pub const SOUND: &str = r#"name = "hotdog"
task = "image-classification"

[data]
train = "train"
split = { valid = 0.2 }

[data.transform]
train = [
  { op = "RandomResizedCrop", size = 224 },
  { op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.25, 0.25, 0.25] },
]
eval = [{ op = "Resize", size = 256 }, { op = "CenterCrop", size = 224 }]

[model]
arch = "resnet18"
weights = "none"

[optim]
type = "SGD"
lr = 0.01
momentum = 0.9
groups = [{ match = "fc.*", lr_scale = 10 }]

[schedule]
type = "StepLR"
step_size = 3
unit = "epoch"

[train]
epochs = 5
batch_size = 32
"#;
