//! The keys of a `config.json`, read one by one.

use serde_json::{Map, Value};

use crate::ModelError;
use crate::layers::Activation;

/// More than any published model has, and little enough that a stranger's file cannot fill the memory with names.
const MOST_LAYERS: i64 = 1024;
/// A width beyond this is a typo.
const WIDEST: i64 = 1 << 24;

/// The keys of a `config.json`; without one, every key has its default.
pub(super) struct Keys<'a> {
    keys: Option<&'a Map<String, Value>>,
}

impl<'a> Keys<'a> {
    /// `model_type` is the one that the file must have, if it has one.
    pub(super) fn new(json: Option<&'a Value>, model_type: &str) -> Result<Self, ModelError> {
        let keys = match json {
            None => None,
            Some(Value::Object(keys)) => Some(keys),
            Some(other) => return Err(wrong("config.json", other, "it is an object of keys and values")),
        };
        let keys = Self { keys };
        match keys.get("model_type") {
            Some(Value::String(given)) if given != model_type => {
                let why = format!("`model.arch` is `{model_type}`");
                Err(wrong("model_type", &Value::String(given.clone()), &why))
            }
            _ => Ok(keys),
        }
    }

    /// A key that is there and not null.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.keys?.get(key).filter(|value| !value.is_null())
    }

    /// A width: at least 1.
    pub(super) fn width(&self, key: &'static str, default: i64) -> Result<i64, ModelError> {
        self.count(key, default, WIDEST)
    }

    /// A number of layers: at least 1.
    pub(super) fn layers(&self, key: &'static str, default: i64) -> Result<i64, ModelError> {
        self.count(key, default, MOST_LAYERS)
    }

    fn count(&self, key: &'static str, default: i64, most: i64) -> Result<i64, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value
            .as_i64()
            .filter(|count| (1..=most).contains(count))
            .ok_or_else(|| wrong(key, value, &format!("it is a whole number from 1 to {most}")))
    }

    /// Height and width, or one number for both.
    pub(super) fn sides(&self, key: &'static str, default: i64) -> Result<[i64; 2], ModelError> {
        let Some(value) = self.get(key) else { return Ok([default; 2]) };
        let side = |value: &Value| value.as_i64().filter(|side| (1..=WIDEST).contains(side));
        let sides = match value.as_array().map(Vec::as_slice) {
            Some([height, width]) => side(height).zip(side(width)),
            _ => side(value).map(|side| (side, side)),
        };
        let (height, width) =
            sides.ok_or_else(|| wrong(key, value, "it is a whole number of pixels, or height and width"))?;
        Ok([height, width])
    }

    /// The rate of a dropout.
    pub(super) fn rate(&self, key: &'static str, default: f64) -> Result<f64, ModelError> {
        self.number(key, default, |rate| (0.0..1.0).contains(&rate), "it is a number from 0 to below 1")
    }

    /// A number above 0.
    pub(super) fn positive(&self, key: &'static str, default: f64) -> Result<f64, ModelError> {
        self.number(key, default, |x| x > 0.0 && x.is_finite(), "it is a number above 0")
    }

    fn number(
        &self,
        key: &'static str,
        default: f64,
        right: fn(f64) -> bool,
        wanted: &str,
    ) -> Result<f64, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().filter(|&x| right(x)).ok_or_else(|| wrong(key, value, wanted))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str, default: bool) -> Result<bool, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| wrong(key, value, "it is true or false"))
    }

    /// What is done between the two layers of an MLP.
    pub(super) fn activation(
        &self,
        key: &'static str,
        default: Activation,
    ) -> Result<Activation, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_str().and_then(Activation::named).ok_or_else(|| {
            wrong(key, value, "supported are `gelu`, `gelu_new`, `gelu_pytorch_tanh` and `relu`")
        })
    }

    /// Refuses a key that changes what is computed, unless it has the value that changes nothing.
    pub(super) fn only(&self, key: &'static str, harmless: &Value) -> Result<(), ModelError> {
        match self.get(key) {
            Some(value) if value != harmless => {
                Err(wrong(key, value, &format!("only {harmless} is supported")))
            }
            _ => Ok(()),
        }
    }
}

/// Heads that share a width evenly.
pub(super) fn divides(
    [heads_key, width_key]: [&'static str; 2],
    heads: i64,
    width: i64,
) -> Result<(), ModelError> {
    if width % heads == 0 {
        return Ok(());
    }
    let why = format!("`{width_key}` is {width}, which {heads} heads cannot share evenly");
    Err(wrong(heads_key, &Value::from(heads), &why))
}

pub(super) fn wrong(key: &str, value: &Value, why: &str) -> ModelError {
    let mut value = value.to_string();
    if value.len() > 60 {
        value = value.chars().take(60).chain("…".chars()).collect();
    }
    ModelError::Config { key: key.to_owned(), value, why: why.to_owned() }
}
