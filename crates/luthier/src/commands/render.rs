use luthier::{
    args::RenderArgs,
    voice::{Failure, Voice, print, print_json},
};

/// `luthier render`
pub fn render(args: &RenderArgs, voice: &Voice) -> Result<(), Failure> {
    let loaded = super::load(&args.recipe, &args.overrides, voice)?;
    if voice.json { print_json(&loaded.recipe) } else { print(&luthier_recipe::render(&loaded.recipe)) }
}

/// `luthier schema`
pub fn schema() -> Result<(), Failure> {
    print_json(&luthier_recipe::schema())
}
