//! A plan made by hand, for pages and progress.

use luthier_plan::{
    DataPlan, GroupPlan, Length, LoadReport, ModelPlan, PLAN_SCHEMA, Plan, ResolvedPrecision, Role, Skipped,
    SplitPlan, TensorPlan,
};
use luthier_recipe::Recipe;
use serde_json::json;

/// The document's hotdog job, small: 5 epochs of 7 updates, the head ten times faster.
pub fn plan() -> Plan {
    let updates_per_epoch = 7;
    let epochs = 5;
    let tensors = tensors();
    let groups = ["(all others)", "fc.*"]
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let mine = tensors.iter().filter(|tensor| tensor.group == Some(index));
            GroupPlan {
                name: (*name).to_owned(),
                lr: if index == 0 { 0.01 } else { 0.1 },
                weight_decay: 0.001,
                tensors: mine.clone().count(),
                scalars: mine.map(|tensor| tensor.shape.iter().product::<i64>() as u64).sum(),
            }
        })
        .collect();
    let length = Length {
        epochs,
        samples: 200,
        batches_per_epoch: 13,
        updates_per_epoch,
        updates: epochs * updates_per_epoch,
        effective_batch: 32,
    };
    Plan {
        schema: PLAN_SCHEMA,
        recipe: recipe(),
        base: ".".to_owned(),
        data: DataPlan::new(
            vec!["hotdog".to_owned(), "not-hotdog".to_owned()],
            vec![split("train", [80, 120], 1), split("valid", [20, 30], 0)],
        ),
        model: ModelPlan {
            arch: "resnet18".to_owned(),
            weights: "resnet18-5c106cde.pth".to_owned(),
            load: Some(LoadReport {
                matched: 120,
                head: vec!["fc.weight".to_owned(), "fc.bias".to_owned()],
                ..LoadReport::default()
            }),
            config: None,
            heads: Vec::new(),
            lora: None,
            parts: vec!["conv1".to_owned(), "rest".to_owned()],
            tensors,
        },
        text: None,
        contrast: None,
        table: None,
        stages: luthier_plan::stages::plan(&[], &length, &[]).expect("one stage is always there"),
        groups,
        length,
        lr_factors: (0..epochs * updates_per_epoch)
            .map(|update| if update / updates_per_epoch < 3 { 1.0 } else { 0.5 })
            .collect(),
        precision: ResolvedPrecision::Bf16,
        device: "cpu".to_owned(),
        ranks: 1,
        memory_format: "channels_last".to_owned(),
        class_weights: vec![1.25, 0.8333],
        weighting: None,
        streams: Vec::new(),
        stream: String::new(),
        notes: vec![
            "the last batch of an epoch has 8 samples; means are taken over true counts".to_owned(),
            "weights of the first layer are loaded from a file that was made for 1 000 classes, and only the head \
             differs"
                .to_owned(),
        ],
    }
}

fn recipe() -> Recipe {
    serde_json::from_value(json!({
        "name": "hotdog",
        "task": "image-classification",
        "seed": 42,
        "data": {
            "train": "hotdog/train",
            "valid": "hotdog/test",
            "on_error": "skip",
            "transform": {
                "train": [
                    { "op": "RandomResizedCrop", "size": 224 },
                    { "op": "RandomHorizontalFlip" },
                    { "op": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225] },
                ],
                "eval": [
                    { "op": "Resize", "size": 256 },
                    { "op": "CenterCrop", "size": 224 },
                    { "op": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225] },
                ],
            },
        },
        "model": { "arch": "resnet18", "weights": "resnet18-5c106cde.pth" },
        "loss": { "type": "cross_entropy", "label_smoothing": 0.1, "class_weights": "balanced" },
        "optim": {
            "type": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.001,
            "groups": [{ "match": "fc.*", "lr_scale": 10.0 }],
        },
        "schedule": { "type": "StepLR", "step_size": 3, "gamma": 0.5, "unit": "epoch" },
        "train": {
            "epochs": 5, "batch_size": 16, "grad_accum": 2, "clip_grad_norm": 1.0,
            "early_stopping": { "patience": 3 },
        },
        "eval": { "every": { "epochs": 1 }, "metric": "accuracy" },
    }))
    .expect("the recipe of the tests is a recipe")
}

fn split(name: &str, counts: [usize; 2], skipped: usize) -> SplitPlan {
    let samples = counts.iter().enumerate().flat_map(|(label, count)| {
        (0..*count).map(move |index| (format!("{label}/{index}.jpg"), label as u32))
    });
    SplitPlan {
        name: name.to_owned(),
        root: format!("hotdog/{name}"),
        hash: None,
        samples: samples.collect(),
        skipped: (0..skipped)
            .map(|index| Skipped {
                path: format!("hotdog/broken-{index}.gif"),
                why: "it ends before the first frame does".to_owned(),
            })
            .collect(),
    }
}

/// ResNet-18 with torchvision's names, `fc` of two classes; the stem is frozen.
fn tensors() -> Vec<TensorPlan> {
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[i64], role: Role| {
        let frozen = name.starts_with("conv1") || name.starts_with("bn1");
        let trainable = role != Role::Buffer && !frozen;
        let group = trainable.then_some(usize::from(name.starts_with("fc")));
        let dtype = if name.ends_with("num_batches_tracked") { "int64" } else { "float32" };
        tensors.push(TensorPlan {
            name,
            shape: shape.to_vec(),
            dtype: dtype.to_owned(),
            role,
            part: 0,
            trainable,
            group,
        });
    };
    let norm = |add: &mut dyn FnMut(String, &[i64], Role), name: &str, width: i64| {
        add(format!("{name}.weight"), &[width], Role::Norm);
        add(format!("{name}.bias"), &[width], Role::Norm);
        add(format!("{name}.running_mean"), &[width], Role::Buffer);
        add(format!("{name}.running_var"), &[width], Role::Buffer);
        add(format!("{name}.num_batches_tracked"), &[], Role::Buffer);
    };
    add("conv1.weight".to_owned(), &[64, 3, 7, 7], Role::Weight);
    norm(&mut add, "bn1", 64);
    let mut before = 64;
    for (layer, width) in [64, 128, 256, 512].into_iter().enumerate() {
        for block in 0..2 {
            let name = format!("layer{}.{block}", layer + 1);
            add(format!("{name}.conv1.weight"), &[width, before, 3, 3], Role::Weight);
            norm(&mut add, &format!("{name}.bn1"), width);
            add(format!("{name}.conv2.weight"), &[width, width, 3, 3], Role::Weight);
            norm(&mut add, &format!("{name}.bn2"), width);
            if before != width {
                add(format!("{name}.downsample.0.weight"), &[width, before, 1, 1], Role::Weight);
                norm(&mut add, &format!("{name}.downsample.1"), width);
            }
            before = width;
        }
    }
    add("fc.weight".to_owned(), &[2, 512], Role::Weight);
    add("fc.bias".to_owned(), &[2], Role::Bias);
    tensors
}
