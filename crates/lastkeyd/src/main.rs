//! The program: `lastkeyd [COMMAND]`.

use std::process::ExitCode;

use clap::Parser;
use lastkeyd::{cli::Cli, commands};

/// Wipes what is freed: a password that a form brought, a key that a page showed.
#[global_allocator]
static WIPING: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    guard::protect_memory();
    commands::run(Cli::parse())
}
