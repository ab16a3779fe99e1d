//! The program: `lastkey COMMAND`.

mod accounts;
mod cli;
mod commands;
mod copy;
mod drive;
mod failure;
mod inside;
mod interrupt;
mod keys;
mod location;
mod mounts;
mod output;
mod pipeline;
mod places;
mod progress;
mod prompt;
mod record;
mod rights;
mod safe_name;
mod sample;
mod screen;
mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::output::Output;

fn main() -> ExitCode {
    guard::protect_memory();
    interrupt::install();
    let cli = Cli::parse();
    let output = Output::new(cli.command.json());
    match commands::run(&cli.command, &output) {
        Ok(code) => code,
        Err(failure) => output.fail(&failure),
    }
}
