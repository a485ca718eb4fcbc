use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use luthier::{
    args::NewArgs,
    text::{Align, table},
    voice::{BOLD, Blame, Failure, Sentence, Voice, print, print_json},
};
use luthier_recipe::{Template, did_you_mean, templates};
use serde_json::json;

/// `luthier new`
pub fn run(args: &NewArgs, voice: &Voice) -> Result<(), Failure> {
    let Some(name) = &args.template else {
        return list(voice);
    };
    let template = find(name)?;
    let path = match &args.dir {
        Some(dir) => dir.join("recipe.toml"),
        None => PathBuf::from(format!("{}.toml", template.name)),
    };
    if let Some(dir) = &args.dir {
        fs::create_dir_all(dir).map_err(|error| cannot("make the folder", dir, &error)).or_call()?;
    }
    write(&path, template.text)?;
    if voice.json {
        return print_json(&json!({ "path": path }));
    }
    let path = path.display();
    voice.status("wrote", &format!("`{path}`"));
    voice.hint(&format!("say where your data is in it, then `luthier check {path}`"));
    Ok(())
}

fn list(voice: &Voice) -> Result<(), Failure> {
    if voice.json {
        let list: Vec<_> = templates()
            .iter()
            .map(|template| json!({ "name": template.name, "summary": template.summary }))
            .collect();
        return print_json(&list);
    }
    let look = voice.stdout_look();
    let rows: Vec<Vec<String>> = templates()
        .iter()
        .map(|template| vec![look.paint(BOLD, template.name), template.summary.to_owned()])
        .collect();
    print(&table(&rows, &[Align::Left, Align::Left], ""))
}

fn find(name: &str) -> Result<&'static Template, Failure> {
    let names = || templates().iter().map(|template| template.name);
    templates().iter().find(|template| template.name == name).ok_or_else(|| {
        let hint = match did_you_mean(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names: Vec<String> = names().map(|name| format!("`{name}`")).collect();
                format!("there are {}", names.join(", "))
            }
        };
        Failure::misuse(format!("there is no template `{name}`"), hint)
    })
}

/// Writes a file that is not there yet; one that could not be written whole is not left behind.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = fs::File::create_new(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::misuse(
            format!("`{}` is there already", path.display()),
            "give another folder, or remove it first",
        ),
        _ => Failure::call(cannot("write", path, &error)),
    })?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        // what matters is the first error
        let _ = fs::remove_file(path);
        Failure::call(cannot("write", path, &error))
    })
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Sentence {
    let message = format!("cannot {what} `{}`: {error}", path.display());
    Sentence { message, hint: Some("is there room, and is the folder yours to write?".to_owned()) }
}
