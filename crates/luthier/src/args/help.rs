use std::fmt::Write;

use clap::{ColorChoice, CommandFactory, builder::Styles};

use super::Cli;
use crate::voice::{BOLD, CYAN, GREEN, Voice, YELLOW};

pub const TOP_EXAMPLES: &str = "\
A first run:
  luthier new image-classification hotdog    a commented recipe: hotdog/recipe.toml
  luthier check hotdog/recipe.toml           what will happen
  luthier train hotdog/recipe.toml           make it happen
  luthier doctor hotdog/recipe.toml          why does it not converge?

`luthier COMMAND --help` says more about a command. `--set optim.lr=3e-4` changes any key of a recipe.";

/// The commands by what they are for. Every command is in here once: a test looks.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Recipes", &["new", "check", "doctor", "render", "explain", "schema"]),
    ("Runs", &["train", "eval", "predict", "optimizer", "export"]),
    ("Results", &["runs", "compare"]),
    ("Data", &["data"]),
];

const STYLES: Styles = Styles::styled()
    .header(BOLD)
    .usage(BOLD)
    .literal(CYAN)
    .placeholder(anstyle::Style::new())
    .error(anstyle::AnsiColor::Red.on_default().bold())
    .valid(GREEN)
    .invalid(YELLOW);

/// The command line with its help pages, for this terminal.
pub fn command(voice: &Voice) -> clap::Command {
    let look = voice.stdout_look();
    let command = Cli::command().styles(STYLES).term_width(look.width).color(if look.color {
        ColorChoice::Always
    } else {
        ColorChoice::Never
    });
    let commands = grouped(&command);
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{commands}{BOLD}Options:{BOLD:#}\n{{options}}{{after-help}}"
    ))
}

fn grouped(command: &clap::Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{BOLD}{title}:{BOLD:#}");
        for name in names {
            let about = command
                .find_subcommand(name)
                .and_then(clap::Command::get_about)
                .map(|about| about.to_string());
            let _ = writeln!(text, "  {CYAN}{name:<10}{CYAN:#} {}", about.unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_is_listed_once() {
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = Cli::command();
        let all: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), all);
        assert_eq!(listed.len(), all.len(), "a command is listed twice");
    }
}
