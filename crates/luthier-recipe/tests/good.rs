//! Sound recipes: what is read, where it stands, what is written back.

mod common;

use common::SOUND;
use luthier_recipe::{
    Curve, DataFormat, Every, Metric, OnError, Precision, Recipe, Rule, Unit, parse, render, templates,
};

fn recipe(text: &str) -> Recipe {
    parse("recipe.toml", text, &[]).unwrap_or_else(|error| panic!("{error:?}")).recipe
}

#[test]
fn a_loss_scale_goes_with_fp16_alone() {
    let with = |precision: &str| {
        let sets =
            [format!("train.precision={precision}"), "train.grad_scaler.growth_interval=100".to_owned()];
        parse("recipe.toml", SOUND, &sets)
    };
    let asked = with("fp16").unwrap().recipe.train.grad_scaler;
    assert_eq!((asked.init_scale, asked.growth_factor, asked.backoff_factor), (65536.0, 2.0, 0.5));
    assert_eq!(asked.growth_interval, 100);
    for precision in ["fp32", "bf16", "auto"] {
        let error = with(precision).unwrap_err();
        assert!(error.problems()[0].to_string().contains("scaled in fp16 alone"), "{error:?}");
    }
    for (key, value) in
        [("growth_factor", "1"), ("backoff_factor", "1"), ("init_scale", "0"), ("growth_interval", "0")]
    {
        let sets = ["train.precision=fp16".to_owned(), format!("train.grad_scaler.{key}={value}")];
        assert!(parse("recipe.toml", SOUND, &sets).is_err(), "{key}");
    }
}

#[test]
fn templates_are_sound_recipes() {
    for template in templates() {
        let loaded = parse(template.name, template.text, &[]).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(loaded.notes.is_empty(), "{}: {:?}", template.name, loaded.notes);
        assert!(!template.summary.is_empty());
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let recipe = recipe(SOUND);
    assert_eq!(recipe.seed, 42);
    assert_eq!(recipe.data.format, DataFormat::ImageFolder);
    assert_eq!(recipe.data.on_error, OnError::Fail);
    assert_eq!(recipe.optim.rule, Rule::SGD { momentum: 0.9, dampening: 0.0, nesterov: false });
    assert_eq!(recipe.schedule.curve, Curve::StepLR { step_size: 3, gamma: 0.1 });
    assert_eq!(recipe.schedule.unit, Unit::Epoch);
    assert_eq!(recipe.schedule.warmup.steps, 0);
    assert_eq!((recipe.train.grad_accum, recipe.train.shuffle, recipe.train.drop_last), (1, true, false));
    assert_eq!(recipe.train.precision, Precision::Auto);
    assert_eq!((recipe.train.checkpoint.every, recipe.train.checkpoint.keep), (Every::Epochs(1), 2));
    assert_eq!((recipe.eval.every, recipe.eval.metric), (Every::Epochs(1), Metric::Loss));
}

#[test]
fn whole_numbers_and_tables_can_be_written_in_any_way_toml_has() {
    let same = SOUND
        .replace("lr_scale = 10", "lr_scale = 1e1")
        .replace("groups = [{ match = \"fc.*\", lr_scale = 1e1 }]\n", "")
        .replace("[schedule]", "[[optim.groups]]\nmatch = 'fc.*'\nlr_scale = 10.0\n\n[schedule]")
        .replace("[model]\narch = \"resnet18\"\nweights = \"none\"\n", "")
        .replace("[data]", "model.arch = \"resnet18\"\nmodel.weights = '''none'''\n[data]")
        .replace("epochs = 5", "epochs = 0x5")
        .replace('\n', "\r\n");
    assert_eq!(recipe(&same), recipe(SOUND));
}

#[test]
fn places_are_those_of_the_values() {
    let loaded = parse("recipe.toml", SOUND, &["optim.momentum=0.5".to_string()]).unwrap();
    let rows = [
        // (key, line, column, what stands there)
        ("name", 1, 8, "\"hotdog\""),
        ("data", 4, 1, "[data]"),
        ("data.split.valid", 6, 19, "0.2"),
        ("data.transform.train[0].size", 10, 38, "224"),
        ("optim.groups[0].lr_scale", 23, 40, "10"),
        ("train.epochs", 31, 10, "5"),
    ];
    for (key, line, column, text) in rows {
        let place = loaded.place(key).unwrap_or_else(|| panic!("{key} has no place"));
        assert_eq!((place.line, place.column, &SOUND[place.span]), (line, column, text), "{key}");
    }
    assert_eq!(loaded.place("optim.momentum"), None, "it came from --set");
    assert_eq!(loaded.place("train.grad_accum"), None, "it is not given");
    assert_eq!(loaded.recipe.optim.rule, Rule::SGD { momentum: 0.5, dampening: 0.0, nesterov: false });
}

#[test]
fn later_stages_can_point_to_a_key() {
    let loaded = parse("recipe.toml", SOUND, &["optim.momentum=0.5".to_string()]).unwrap();
    let rows = [
        ("data.train", "recipe.toml:5:9: no such folder"),
        ("data.transform.eval[1].size[0]", "recipe.toml:13:68: no such folder"),
        ("train.grad_accum", "recipe.toml:30:1: no such folder"),
        ("optim.momentum", "`--set optim.momentum=0.5`: no such folder"),
        ("eval.every", "recipe.toml:1:1: no such folder"),
    ];
    for (key, message) in rows {
        let error = loaded.error_at(key, "no such folder", "make it");
        assert_eq!(error.to_string(), message);
        assert_eq!(error.problems()[0].key, key);
        assert_eq!(error.problems()[0].help.as_deref(), Some("make it"));
    }
}

#[test]
fn a_rendered_recipe_says_everything() {
    let recipe = recipe(templates()[0].text);
    let rendered = render(&recipe);
    insta::assert_snapshot!("rendered", rendered);
    assert_eq!(self::recipe(&rendered), recipe);
    assert_eq!(render(&self::recipe(&rendered)), rendered);
}
