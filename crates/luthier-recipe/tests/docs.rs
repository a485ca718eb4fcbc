//! Schema, explanations and the reference page: all read off the types.

mod common;

use std::path::Path;

use common::SOUND;
use luthier_recipe::{
    did_you_mean, explain, parse, reference_markdown, render, schema, suggest_key, templates,
};
use serde_json::Value;

/// What a value breaks of a schema; enough of JSON Schema for the schema at hand, and no more.
fn breaks(schema: &Value, value: &Value, path: &str) -> Option<String> {
    let fail = |why: &str| Some(format!("{path}: {why}"));
    for (keyword, rule) in schema.as_object()? {
        let number = value.as_f64().unwrap_or(f64::NAN);
        let bound = rule.as_f64().unwrap_or(f64::NAN);
        let length = value.as_array().map(Vec::len).or(value.as_str().map(|text| text.chars().count()));
        let count = rule.as_u64().map(|count| count as usize);
        let each = |schemas: &Value| -> usize {
            let schemas = schemas.as_array().expect("the schema is sound");
            schemas.iter().filter(|schema| breaks(schema, value, path).is_none()).count()
        };
        let kept = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "examples" => true,
            "type" => match rule.as_str().expect("the schema is sound") {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64() || value.is_u64(),
                "number" => value.is_number(),
                other => panic!("unknown type {other}"),
            },
            "const" => rule == value,
            "minimum" => number >= bound,
            "maximum" => number <= bound,
            "exclusiveMinimum" => number > bound,
            "exclusiveMaximum" => number < bound,
            "minItems" | "minLength" => length >= count,
            "maxItems" => length <= count,
            "items" => {
                let items = value.as_array().into_iter().flatten();
                if let Some(fault) =
                    items.enumerate().find_map(|(i, v)| breaks(rule, v, &format!("{path}[{i}]")))
                {
                    return Some(fault);
                }
                true
            }
            "required" => rule
                .as_array()
                .expect("the schema is sound")
                .iter()
                .all(|key| value.get(key.as_str().expect("the schema is sound")).is_some()),
            "properties" => {
                let below = rule
                    .as_object()
                    .expect("the schema is sound")
                    .iter()
                    .filter_map(|(key, rule)| breaks(rule, value.get(key)?, &format!("{path}.{key}")));
                if let Some(fault) = below.into_iter().next() {
                    return Some(fault);
                }
                true
            }
            "additionalProperties" if rule.is_object() => {
                let table = value.as_object().expect("the schema is sound");
                let below =
                    table.iter().filter_map(|(key, value)| breaks(rule, value, &format!("{path}.{key}")));
                if let Some(fault) = below.into_iter().next() {
                    return Some(fault);
                }
                true
            }
            "additionalProperties" => {
                assert_eq!(rule, false);
                value
                    .as_object()
                    .expect("the schema is sound")
                    .keys()
                    .all(|key| schema["properties"].get(key).is_some())
            }
            "oneOf" => each(rule) == 1,
            "anyOf" => each(rule) >= 1,
            other => panic!("the schema uses `{other}`, which this test does not know"),
        };
        if !kept {
            return fail(keyword);
        }
    }
    None
}

fn as_json(text: &str) -> Value {
    let table: toml::de::DeTable<'_> =
        toml::de::DeTable::parse(text).expect("the schema is sound").into_inner();
    json(&toml::de::DeValue::Table(table))
}

fn json(value: &toml::de::DeValue<'_>) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Integer(integer) => integer.as_str().parse::<i64>().expect("the schema is sound").into(),
        DeValue::Float(float) => float.as_str().parse::<f64>().expect("the schema is sound").into(),
        DeValue::Boolean(bool) => (*bool).into(),
        DeValue::Datetime(_) => panic!("a date"),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            table.iter().map(|(key, item)| (key.get_ref().to_string(), json(item.get_ref()))).collect()
        }
    }
}

#[test]
fn sound_recipes_keep_the_schema() {
    let schema = schema();
    for text in templates().iter().map(|template| template.text).chain([SOUND]) {
        assert_eq!(breaks(&schema, &as_json(text), ""), None);
        let rendered = render(&parse("recipe.toml", text, &[]).unwrap().recipe);
        assert_eq!(breaks(&schema, &as_json(&rendered), ""), None, "{rendered}");
    }
}

#[test]
fn the_schema_is_strict() {
    let schema = schema();
    let rows = [
        ("lr = 0.01", "lrr = 0.01"),
        ("lr = 0.01", "lr = 0"),
        ("lr = 0.01", "lr = \"fast\""),
        ("type = \"SGD\"", "type = \"Adam\""), // which has no momentum
        ("type = \"StepLR\"", "type = \"steplr\""),
        ("size = 256", "size = [1, 2, 3]"),
        ("arch = \"resnet18\"", "arch = \"resnet19\""),
        ("unit = \"epoch\"", ""),
    ];
    for (old, new) in rows {
        let text = SOUND.replacen(old, new, 1);
        assert!(breaks(&schema, &as_json(&text), "").is_some(), "`{new}` keeps the schema");
        assert!(parse("recipe.toml", &text, &[]).is_err(), "`{new}` is accepted");
    }
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema.get("$id"), None);
}

/// Every schema of a key within a schema.
fn properties<'a>(schema: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        found.push((path.clone(), property));
        properties(property, &path, found);
    }
    properties_of_items(schema, path, found);
}

fn properties_of_items<'a>(schema: &'a Value, path: &str, found: &mut Vec<(String, &'a Value)>) {
    if let Some(items) = schema.get("items") {
        properties(items, path, found);
    }
    for option in schema["oneOf"].as_array().into_iter().flatten() {
        properties(option, path, found);
    }
}

#[test]
fn every_key_is_described_and_its_examples_are_allowed() {
    let schema = schema();
    let mut found = Vec::new();
    properties(&schema, "", &mut found);
    assert!(found.len() > 80, "{}", found.len());
    for (path, property) in found {
        assert!(property["description"].as_str().is_some_and(|text| text.len() > 5), "{path}");
        let shown =
            property.get("default").into_iter().chain(property["examples"].as_array().into_iter().flatten());
        for value in shown {
            assert_eq!(breaks(property, value, &path), None, "{value}");
        }
        let has_value = ["default", "examples", "const"].iter().any(|key| property.get(key).is_some());
        let is_table = property["type"] == "object";
        assert!(has_value || is_table, "{path} has neither default nor example");
    }
}

#[test]
fn explanations() {
    let keys = [
        "optim.lr",
        "optim",
        "train.precision",
        "train.precision.bf16",
        "train.grad_scaler",
        "train.grad_scaler.init_scale",
        "data.transform.RandomResizedCrop",
        "data.transform.RandomResizedCrop.scale",
        "schedule.StepLR",
        "schedule.type",
        "schedule.gamma",
        "optim.groups[0].lr_scale",
        "loss.class_weights",
        "eval.every",
        "max_megapixels",
    ];
    let all: Vec<String> = keys
        .iter()
        .map(|key| format!("$ {key}\n{}", explain(key).unwrap_or_else(|| panic!("{key} is not explained"))))
        .collect();
    insta::assert_snapshot!("explanations", all.join("\n"));
    for key in ["", "x", "optim.", "optim.lr.x", "epochs.", "[", "]]", "weight_decay"] {
        assert_eq!(explain(key), None, "{key}");
    }
}

#[test]
fn suggestions() {
    let rows = [
        ("optim.lrr", Some("optim.lr")),
        ("learning_rate", Some("optim.lr")),
        ("optim.batch_size", Some("train.batch_size")),
        ("schedule.stepLR", Some("schedule.StepLR")),
        ("RandomResizeCrop", Some("data.transform.RandomResizedCrop")),
        ("trian", Some("train")),
        ("qqqqqqqqqq", None),
        ("", None),
    ];
    for (key, meant) in rows {
        assert_eq!(suggest_key(key).as_deref(), meant, "{key}");
    }
}

#[test]
fn what_was_probably_meant() {
    let candidates = ["lr", "momentum", "batch_size", "SGD", "AdamW", "Adam", "eps"];
    let rows = [
        ("momentun", Some("momentum")),
        ("batchSize", Some("batch_size")),
        ("batch-size", Some("batch_size")),
        ("sgd", Some("SGD")),
        ("adam", Some("Adam")),
        ("adamw", Some("AdamW")),
        ("learning-rate", Some("lr")),
        ("x", None),
        ("", None),
        ("completely different", None),
    ];
    for (word, meant) in rows {
        assert_eq!(did_you_mean(word, candidates), meant, "{word}");
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/recipe.md");
    let page = reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/recipe.md is stale: run `UPDATE_DOCS=1 cargo test -p luthier-recipe`"
    );
}
