//! The JSON schema for editors.

use serde_json::{Map, Value, json};

use crate::shape::{Field, Limits, Shape, Variant, root};

/// The JSON Schema (draft 2020-12) of a recipe. Tables are closed: an unknown key is an error.
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".into(), "Luthier recipe".into());
    schema.insert("description".into(), "One fine-tuning job".into());
    schema.extend(shape_schema(root()));
    Value::Object(schema)
}

fn shape_schema(shape: &Shape) -> Map<String, Value> {
    let value = match shape {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer(limits) => limited("integer", limits),
        Shape::Number(limits) => limited("number", limits),
        Shape::Text { filled: false } => json!({ "type": "string" }),
        Shape::Text { filled: true } => json!({ "type": "string", "minLength": 1 }),
        Shape::Choice(choices) => {
            let choice = |name: &str, about: &str| json!({ "const": name, "description": about });
            let choices: Vec<Value> = choices.iter().map(|c| choice(&c.name, &c.about)).collect();
            json!({ "type": "string", "oneOf": choices })
        }
        Shape::List { item, min, max } => {
            let mut list = json!({ "type": "array", "items": shape_schema(item) });
            if *min > 0 {
                list["minItems"] = json!(min);
            }
            if let Some(max) = max {
                list["maxItems"] = json!(max);
            }
            list
        }
        Shape::Table(fields) => closed(None, fields.iter()),
        Shape::Named(item) => json!({ "type": "object", "additionalProperties": shape_schema(item) }),
        Shape::Tagged(tagged) => {
            let variant = |variant: &Variant| {
                let mut table = closed(Some((&tagged.tag, variant)), tagged.fields(variant));
                table["title"] = json!(variant.name);
                table["description"] = json!(variant.about);
                table
            };
            json!({ "type": "object", "oneOf": tagged.variants.iter().map(variant).collect::<Vec<_>>() })
        }
        Shape::OneKey(fields) => {
            let fields: Vec<Field> = fields.iter().map(|f| Field { required: true, ..f.clone() }).collect();
            let tables: Vec<Value> =
                fields.iter().map(|field| closed(None, std::iter::once(field))).collect();
            json!({ "type": "object", "oneOf": tables })
        }
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(shape_schema).collect::<Vec<_>>() }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn closed<'a>(tag: Option<(&str, &Variant)>, fields: impl Iterator<Item = &'a Field>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    if let Some((tag, variant)) = tag {
        properties.insert(tag.into(), json!({ "const": variant.name, "description": variant.about }));
        required.push(tag.to_string());
    }
    for field in fields {
        if field.required {
            required.push(field.name.clone());
        }
        properties.insert(field.name.clone(), field_schema(field));
    }
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

fn field_schema(field: &Field) -> Value {
    let mut schema = Map::new();
    schema.insert("description".into(), field.about.as_str().into());
    schema.extend(shape_schema(&field.shape));
    if let Some(default) = &field.default {
        schema.insert("default".into(), default.clone());
    }
    if let Some(example) = &field.example {
        schema.insert("examples".into(), json!([example]));
    }
    Value::Object(schema)
}

fn limited(name: &str, limits: &Limits) -> Value {
    let mut schema = json!({ "type": name });
    let bounds = [
        ("minimum", limits.at_least),
        ("exclusiveMinimum", limits.above),
        ("maximum", limits.at_most),
        ("exclusiveMaximum", limits.below),
    ];
    for (key, bound) in bounds {
        if let Some(bound) = bound {
            // whole bounds read better without a decimal point
            let whole = bound.fract() == 0.0 && bound.abs() < 1e15;
            schema[key] = if whole { json!(bound as i64) } else { json!(bound) };
        }
    }
    schema
}
