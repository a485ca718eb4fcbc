//! Recipes to start from.

/// A commented recipe to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// What `luthier new` calls it
    pub name: &'static str,
    /// What it is for, in one line
    pub summary: &'static str,
    /// The recipe
    pub text: &'static str,
}

/// Every template, the usual one first.
pub fn templates() -> &'static [Template] {
    &[
        Template {
            name: "image-classification",
            summary: "fine-tune a pretrained network on folders of pictures",
            text: include_str!("../templates/image-classification.toml"),
        },
        Template {
            name: "image-from-scratch",
            summary: "train a network on folders of pictures from random weights",
            text: include_str!("../templates/image-from-scratch.toml"),
        },
        Template {
            name: "text-classification",
            summary: "fine-tune a pretrained language model into a classifier of texts",
            text: include_str!("../templates/text-classification.toml"),
        },
        Template {
            name: "table",
            summary: "train a network of your own layers on a table of numbers and words",
            text: include_str!("../templates/table.toml"),
        },
    ]
}
