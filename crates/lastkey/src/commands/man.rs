//! `lastkey completions` and `lastkey man`: made from the same definition as the help.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::{self, Failure};
use crate::output::Output;

/// Prints a completion script.
pub fn completions(shell: Shell, output: &Output) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lastkey", &mut script);
    output.say(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for the program and one for each command.
pub fn pages(folder: &Path, output: &Output) -> Result<ExitCode, Failure> {
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| failure::about(folder, &error))?;
    output.say(format!("The manual pages are in {}.", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
