use luthier::{
    args::ExplainArgs,
    voice::{Failure, Voice, print, print_json},
};
use luthier_doctor::rules;
use serde_json::json;

/// `luthier explain`
pub fn run(args: &ExplainArgs, voice: &Voice) -> Result<(), Failure> {
    let key = &args.key;
    let Some(text) = text(key) else { return Err(unknown(key)) };
    if voice.json { print_json(&json!({ "key": key, "text": text })) } else { print(&text) }
}

/// The list of the rules, a rule's page, or what a key of the recipe is.
fn text(key: &str) -> Option<String> {
    if key == "rules" {
        return Some(luthier_doctor::index());
    }
    match rules::find(key) {
        Some(rule) => Some(luthier_doctor::page(rule) + "\n"),
        None => luthier_recipe::explain(key),
    }
}

fn unknown(key: &str) -> Failure {
    if is_code(key) {
        let codes = rules::all().iter().map(|rule| rule.code);
        let hint = match luthier_recipe::did_you_mean(&key.to_uppercase(), codes) {
            Some(near) => format!("did you mean `{near}`? `luthier explain rules` lists them"),
            None => "`luthier explain rules` lists them".to_owned(),
        };
        return Failure::misuse(format!("the doctor has no rule `{key}`"), hint);
    }
    let hint = match luthier_recipe::suggest_key(key) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`luthier schema` lists every key".to_owned(),
    };
    Failure::misuse(format!("a recipe has no key `{key}`"), hint)
}

/// Three letters and three digits, as the codes of rules are.
fn is_code(key: &str) -> bool {
    let bytes = key.as_bytes();
    bytes.len() == 6
        && bytes[..3].iter().all(u8::is_ascii_alphabetic)
        && bytes[3..].iter().all(u8::is_ascii_digit)
}
