//! `--set KEY=VALUE`.

mod common;

use common::SOUND;
use luthier_recipe::{Arch, Curve, DataFormat, Every, Loaded, Rule, Size, Transform, parse};

fn set(sets: &[&str]) -> Loaded {
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    parse("recipe.toml", SOUND, &sets).unwrap_or_else(|error| panic!("{sets:?}: {error:?}"))
}

#[test]
fn values_are_typed_as_the_key_wants_them() {
    assert_eq!(set(&["optim.lr=3e-4"]).recipe.optim.lr, 3e-4);
    assert_eq!(set(&["optim.lr=1"]).recipe.optim.lr, 1.0);
    assert_eq!(set(&["name=42"]).recipe.name, "42", "TOML reads a number, the key wants text");
    assert_eq!(set(&["name=true"]).recipe.name, "true");
    assert_eq!(set(&["name=a=b"]).recipe.name, "a=b");
    assert_eq!(set(&["name=\"quoted\""]).recipe.name, "quoted");
    assert_eq!(set(&["data.train=/a b/c"]).recipe.data.source().to_str(), Some("/a b/c"));
    assert_eq!(set(&["model.weights=none"]).recipe.model.weights(), "none");
    assert_eq!(set(&["model.arch=resnet50"]).recipe.model.arch, Arch::Resnet50);
    assert_eq!(set(&["data.format=image-folder"]).recipe.data.format, DataFormat::ImageFolder);
    assert_eq!(set(&["model.freeze=[\"layer1.*\", 'bn1.*']"]).recipe.model.freeze, ["layer1.*", "bn1.*"]);
    assert!(set(&["train.drop_last=true"]).recipe.train.drop_last);
    assert_eq!(set(&[" train.epochs = 7 "]).recipe.train.epochs, 7);
}

#[test]
fn keys_reach_into_lists_and_tables_that_are_not_there_yet() {
    assert_eq!(set(&["optim.groups[0].lr_scale=5"]).recipe.optim.groups[0].lr_scale, Some(5.0));
    let groups = set(&["optim.groups[1].match=conv1.*", "optim.groups[1].lr=0.5"]).recipe.optim.groups;
    assert_eq!((groups.len(), groups[1].pattern.as_str(), groups[1].lr), (2, "conv1.*", Some(0.5)));
    assert_eq!(set(&["train.ema.decay=0.9"]).recipe.train.ema.map(|ema| ema.decay), Some(0.9));
    assert_eq!(set(&["eval.every.steps=10"]).recipe.eval.every, Every::Steps(10));
    assert_eq!(set(&["eval.every={ steps = 10 }"]).recipe.eval.every, Every::Steps(10));
    let size =
        set(&["data.transform.eval[1].size=[200, 100]"]).recipe.data.transform.and_then(|mut t| t.eval.pop());
    assert_eq!(size, Some(Transform::CenterCrop { size: Size::Pair([200, 100]) }));
}

#[test]
fn the_last_one_wins() {
    assert_eq!(set(&["optim.lr=1", "optim.lr=2"]).recipe.optim.lr, 2.0);
}

#[test]
fn a_new_tag_leaves_out_what_only_the_old_one_had() {
    let loaded = set(&["schedule.type=CosineAnnealingLR"]);
    assert_eq!(loaded.recipe.schedule.curve, Curve::CosineAnnealingLR { t_max: None, eta_min: 0.0 });
    assert_eq!(
        loaded.notes,
        [
            "`--set schedule.type=CosineAnnealingLR` leaves out the recipe's `step_size`, which CosineAnnealingLR \
          does not have"
        ]
    );
    let loaded = set(&["optim.type=AdamW", "optim.betas=[0.8, 0.9]"]);
    assert_eq!(loaded.recipe.optim.rule, Rule::AdamW { betas: [0.8, 0.9], eps: 1e-8 });
    assert_eq!(loaded.notes.len(), 1);

    // keys that both have stay, whatever the order of the arguments
    let loaded = set(&["schedule.gamma=0.9", "schedule.type=ExponentialLR"]);
    assert_eq!(loaded.recipe.schedule.curve, Curve::ExponentialLR { gamma: 0.9 });
    let loaded = set(&["optim.type=RMSprop"]);
    assert!(matches!(loaded.recipe.optim.rule, Rule::RMSprop { momentum: 0.9, .. }));
    assert!(loaded.notes.is_empty());
}

#[test]
fn what_was_set_together_with_a_new_tag_is_not_left_out_silently() {
    let sets = ["schedule.type=constant".to_string(), "schedule.step_size=3".to_string()];
    let error = parse("recipe.toml", SOUND, &sets).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`--set schedule.step_size=3`: `step_size` is not a key of `constant` in `[schedule]`"
    );
}

#[test]
fn a_misspelt_key_of_the_file_survives_a_new_tag() {
    let text = SOUND.replace("momentum = 0.9", "momentun = 0.9");
    let error = parse("recipe.toml", &text, &["optim.type=AdamW".to_string()]).unwrap_err();
    assert!(error.to_string().contains("unknown key `momentun`"), "{error}");
}
