//! The JSON schema of [`Recipe`](crate::Recipe) as a tree that is pleasant to walk.
//!
//! schemars derives the schema from the types; everything else (the strict walk, `render`, `explain`, the reference,
//! the schema for editors) reads this tree, so a key is described in one place only.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

/// What a value may look like.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Bool,
    Integer(Limits),
    Number(Limits),
    Text {
        filled: bool,
    },
    /// One of a few words
    Choice(Vec<Choice>),
    List {
        item: Box<Shape>,
        min: usize,
        max: Option<usize>,
    },
    Table(Vec<Field>),
    /// A table with a name of the user's for each of its values
    Named(Box<Shape>),
    /// A table whose keys depend on the word under its tag
    Tagged(Tagged),
    /// A table with exactly one of these keys
    OneKey(Vec<Field>),
    Either(Vec<Shape>),
}

#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub name: String,
    pub about: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub name: String,
    pub about: String,
    pub required: bool,
    pub default: Option<Value>,
    pub example: Option<Value>,
    pub shape: Shape,
}

#[derive(Debug, Clone)]
pub(crate) struct Tagged {
    pub tag: String,
    pub variants: Vec<Variant>,
    /// Keys that every variant has
    pub common: Vec<Field>,
}

#[derive(Debug, Clone)]
pub(crate) struct Variant {
    pub name: String,
    pub about: String,
    pub fields: Vec<Field>,
}

/// Bounds of a number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub at_least: Option<f64>,
    pub above: Option<f64>,
    pub at_most: Option<f64>,
    pub below: Option<f64>,
    /// Kept as a 32-bit float
    pub single: bool,
}

impl Tagged {
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// The keys of one variant besides the tag, its own first.
    pub fn fields<'a>(&'a self, variant: &'a Variant) -> impl Iterator<Item = &'a Field> {
        variant.fields.iter().chain(&self.common)
    }

    /// The keys of any variant besides the tag.
    pub fn all_fields(&self) -> impl Iterator<Item = &Field> {
        self.common.iter().chain(self.variants.iter().flat_map(|variant| &variant.fields))
    }
}

/// The shape of a whole recipe.
pub(crate) fn root() -> &'static Shape {
    static ROOT: OnceLock<Shape> = OnceLock::new();
    ROOT.get_or_init(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        shape(&settings.into_generator().into_root_schema_for::<crate::Recipe>().to_value())
    })
}

/// The top-level fields of a recipe.
pub(crate) fn root_fields() -> &'static [Field] {
    match root() {
        Shape::Table(fields) => fields,
        _ => &[],
    }
}

fn shape(schema: &Value) -> Shape {
    if let Some(options) = list(schema, "oneOf") {
        return one_of(options, schema);
    }
    if let Some(options) = list(schema, "anyOf") {
        let mut shapes: Vec<Shape> =
            options.iter().filter(|option| option["type"] != "null").map(shape).collect();
        return if shapes.len() == 1 { shapes.remove(0) } else { Shape::Either(shapes) };
    }
    match type_name(schema) {
        "boolean" => Shape::Bool,
        "integer" => Shape::Integer(limits(schema)),
        "number" => Shape::Number(limits(schema)),
        "string" => Shape::Text { filled: schema["minLength"].as_u64() > Some(0) },
        "array" => Shape::List {
            item: Box::new(shape(&schema["items"])),
            min: count(&schema["minItems"]).unwrap_or(0),
            max: count(&schema["maxItems"]),
        },
        "object" if schema["additionalProperties"].is_object() => {
            Shape::Named(Box::new(shape(&schema["additionalProperties"])))
        }
        "object" => Shape::Table(fields(schema)),
        other => unreachable!("the recipe's types have no `{other}`"),
    }
}

/// Three things are `oneOf` in the schema: a few words, a tagged table, and a table with one key of several.
fn one_of(options: &[Value], schema: &Value) -> Shape {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    if options.iter().all(|option| option["const"].is_string()) {
        let choice = |option: &Value| Choice { name: text(&option["const"]), about: about(option) };
        return Shape::Choice(options.iter().map(choice).collect());
    }
    let tag = options.first().and_then(|option| option["properties"].as_object()?.iter().next());
    match tag {
        Some((tag, name)) if name["const"].is_string() => {
            let variant = |option: &Value| Variant {
                name: text(&option["properties"][tag]["const"]),
                about: about(option),
                fields: fields(option).into_iter().filter(|field| field.name != *tag).collect(),
            };
            Shape::Tagged(Tagged {
                tag: tag.clone(),
                variants: options.iter().map(variant).collect(),
                common: fields(schema),
            })
        }
        _ => {
            let field = |option: &Value| {
                fields(option)
                    .into_iter()
                    .map(|field| Field { about: about(option), ..field })
                    .collect::<Vec<_>>()
            };
            Shape::OneKey(options.iter().flat_map(field).collect())
        }
    }
}

fn fields(schema: &Value) -> Vec<Field> {
    let required = list(schema, "required").unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| Field {
            name: name.clone(),
            about: about(property),
            required: required.iter().any(|required| required == name),
            default: property.get("default").cloned(),
            example: property["examples"].get(0).cloned(),
            // the tag of a variant is a lone `const`
            shape: if property["const"].is_string() { Shape::Text { filled: true } } else { shape(property) },
        })
        .collect()
}

fn limits(schema: &Value) -> Limits {
    let bound = |name: &str| schema[name].as_f64();
    Limits {
        at_least: bound("minimum"),
        above: bound("exclusiveMinimum"),
        at_most: bound("maximum").or((schema["format"] == "uint32").then_some(f64::from(u32::MAX))),
        below: bound("exclusiveMaximum"),
        single: schema["format"] == "float",
    }
}

/// The type's name; an optional key is `["number", "null"]` in the schema, and TOML has no null.
fn type_name(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        name => name.as_str(),
    }
    .unwrap_or_default()
}

/// The first paragraph of the description, on one line.
fn about(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.split("\n\n").next().unwrap_or_default().replace('\n', " ")
}

fn list<'a>(schema: &'a Value, key: &str) -> Option<&'a [Value]> {
    schema.get(key)?.as_array().map(Vec::as_slice)
}

fn count(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|count| usize::try_from(count).ok())
}
