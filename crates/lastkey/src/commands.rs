//! The commands, one file each.

mod account;
mod backup;
mod cat;
mod cp;
mod dictate;
mod files;
mod find;
mod ls;
mod man;
mod mount;
mod nbd;
mod panel;
mod protectors;
mod read;
mod repair;
mod rescue;
mod status;
mod tree;
mod try_drive;
mod type_drive;
mod unlock;
mod unmount;
mod verify;

pub mod copies;
pub mod summary;

use std::process::ExitCode;

use crate::cli::Command;
use crate::failure::Failure;
use crate::output::Output;

/// Runs a command.
pub fn run(command: &Command, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        Command::Status(arguments) => status::run(arguments, output),
        Command::Protectors(arguments) => protectors::run(arguments, output),
        Command::Backup(arguments) => backup::run(arguments, output),
        Command::Verify(arguments) => verify::run(arguments, output),
        Command::Account(command) => account::run(command, output),
        Command::Find(arguments) => find::run(arguments, output),
        Command::Dictate(arguments) => dictate::run(arguments, output),
        Command::Type(arguments) => type_drive::run(arguments, output),
        Command::Repair(arguments) => repair::run(arguments, output),
        Command::Ls(arguments) => ls::run(arguments, output),
        Command::Tree(arguments) => tree::run(arguments, output),
        Command::Cat(arguments) => cat::run(arguments, output),
        Command::Cp(arguments) => cp::run(arguments, output),
        Command::Mount(arguments) => mount::run(arguments, output),
        Command::Unmount(arguments) => unmount::run(arguments, output),
        Command::Unlock(arguments) => unlock::run(arguments, output),
        Command::Nbd(arguments) => nbd::run(arguments, output),
        Command::Read(arguments) => read::run(arguments, output),
        Command::Rescue(arguments) => rescue::run(arguments, output),
        Command::Panel(arguments) => panel::run(arguments, output),
        Command::PanelHelper => Ok(panel::help()),
        Command::GuardMount { folder } => mount::guard(folder),
        Command::Try(arguments) => try_drive::run(arguments, output),
        Command::Completions { shell } => man::completions(*shell, output),
        Command::Man { folder } => man::pages(folder, output),
    }
}
