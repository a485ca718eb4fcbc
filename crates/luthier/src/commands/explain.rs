use luthier::{
    args::ExplainArgs,
    voice::{Failure, Voice, print, print_json},
};
use serde_json::json;

/// `luthier explain`
pub fn run(args: &ExplainArgs, voice: &Voice) -> Result<(), Failure> {
    let key = &args.key;
    let Some(text) = luthier_recipe::explain(key) else {
        let hint = match luthier_recipe::suggest_key(key) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`luthier schema` lists every key".to_owned(),
        };
        return Err(Failure::misuse(format!("a recipe has no key `{key}`"), hint));
    };
    if voice.json { print_json(&json!({ "key": key, "text": text })) } else { print(&text) }
}
