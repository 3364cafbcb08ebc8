//! Settings have one definition, a clap argument with an environment variable: from it come the flag, the
//! variable, the default, the help, and the `.env.example` that this module writes.

use std::fmt::Write as _;

use clap::Command;

/// The text of `.env.example` for a command: every variable with its help, commented out at its default.
#[must_use]
pub fn env_example(command: &Command) -> String {
    let mut text =
        format!("# Settings of {}. Every one is optional; each has a flag as well.\n", command.get_name());
    let mut heading = None;
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env() else {
            continue;
        };
        if heading != Some(argument.get_help_heading()) {
            heading = Some(argument.get_help_heading());
            let _ = write!(text, "\n# --- {} ---\n", argument.get_help_heading().unwrap_or("General"));
        }
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let default = argument
            .get_default_values()
            .iter()
            .map(|value| value.to_string_lossy())
            .collect::<Vec<_>>()
            .join(",");
        let _ =
            write!(text, "\n# {}\n# {}={default}\n", help.replace('\n', "\n# "), variable.to_string_lossy());
    }
    text
}

/// The value of a setting, where an empty one means that it is not set, as it does in `.env` files.
#[must_use]
pub fn set(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}
