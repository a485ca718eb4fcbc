//! Which curves show what a finding says: small pictures beside it.

use maud::{Markup, PreEscaped, html};

use crate::plot::Picture;

/// Pictures of a finding.
const MOST: usize = 2;

/// The curves in which a fault of this category shows, the most telling first.
fn telling(category: &str) -> &'static [&'static str] {
    match category {
        "schedule" => &["learning-rate", "loss"],
        "optimizer" | "finetune" | "init" | "activation" | "attention" => {
            &["update-ratio", "streams", "loss"]
        }
        "loop" | "precision" => &["gradient-norm", "streams", "loss"],
        "evaluation" | "regularization" => &["loss", "accuracy", "r2"],
        "labels" => &["accuracy", "r2", "loss"],
        _ => &["streams", "loss", "gradient-norm"],
    }
}

/// Small copies of the pictures that show a finding; nothing where the run has none of them. `number` is the finding's
/// own on the page.
pub(super) fn pictures(category: &str, number: usize, all: &[Picture]) -> Markup {
    let named = |name: &&str| all.iter().find(|picture| picture.name == *name);
    let shown: Vec<&Picture> = telling(category).iter().filter_map(named).take(MOST).collect();
    html! {
        @if !shown.is_empty() {
            div.evidence {
                @for picture in shown {
                    figure.plot { figcaption { (picture.title) } (PreEscaped(again(picture, number))) }
                }
            }
        }
    }
}

/// The picture with names of its own: on a page, a name stands for one thing.
fn again(picture: &Picture, number: usize) -> String {
    let clip = format!("{}-clip", picture.name);
    let own = format!("{clip}-{number}");
    let svg = picture.svg.replace(&format!("id=\"{clip}\""), &format!("id=\"{own}\""));
    svg.replace(&format!("url(#{clip})"), &format!("url(#{own})"))
}
