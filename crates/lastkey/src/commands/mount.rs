//! `lastkey mount`: a drive's files in a folder of this computer, as long as the command runs.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::Mount;
use crate::failure::Failure;
use crate::output::Output;

#[cfg(not(target_os = "linux"))]
pub fn run(_: &Mount, _: &Output) -> Result<ExitCode, Failure> {
    Err(crate::mounts::not_here())
}

/// Guards a mount, as the process that the one that mounts starts.
pub fn guard(folder: &Path) -> Result<ExitCode, Failure> {
    #[cfg(target_os = "linux")]
    {
        crate::mounts::watch(folder);
        Ok(ExitCode::SUCCESS)
    }
    #[cfg(not(target_os = "linux"))]
    Err(crate::mounts::not_here().about(&folder.display().to_string()))
}

#[cfg(target_os = "linux")]
pub use linux::run;

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, Read, Write};
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::Duration;

    use serde::Serialize;

    use super::{ExitCode, Failure, Mount, Output, Path};
    use crate::failure::Kind;
    use crate::inside::Inside;
    use crate::interrupt::{self, Critical};
    use crate::mounts::{self, Wish};
    use crate::words;

    #[derive(Serialize)]
    struct Report {
        drive: String,
        volume: Option<String>,
        folder: String,
        raw: bool,
        process: u32,
    }

    /// Mounts, and waits until it is over.
    pub fn run(arguments: &Mount, output: &Output) -> Result<ExitCode, Failure> {
        if arguments.background {
            return in_background();
        }
        let inside = Inside::open(&arguments.drive.drive, &arguments.drive.find, &arguments.keys, output)?;
        let critical = Critical::begin();
        let wish = Wish { raw: arguments.raw, everyone: arguments.everyone };
        let shown = mounts::show(&inside, &arguments.folder, wish)?;
        let folder = shown.folder().to_owned();
        output.say(words(&inside, arguments, &folder))?;
        output.document(&Report {
            drive: inside.name.clone(),
            volume: inside.id.map(|id| id.to_string()),
            folder: folder.display().to_string(),
            raw: arguments.raw,
            process: std::process::id(),
        })?;
        if arguments.detach {
            detach();
        }
        // The session keeps the drive; whoever waits needs nothing of it.
        let name = inside.name;
        while !shown.is_over() && !interrupt::asked() {
            if shown.is_pulled() {
                drop(shown);
                return Err(Failure::new(
                    Kind::Unreachable,
                    "the drive was pulled out, and is not mounted any more",
                )
                .about(&name));
            }
            thread::sleep(Duration::from_millis(100));
        }
        if shown.end() {
            output.note(format!("note: {} was still in use; it is unmounted all the same", folder.display()));
        }
        drop(critical);
        output.note_unless_json(format!("{} is unmounted", folder.display()));
        Ok(ExitCode::SUCCESS)
    }

    fn words(inside: &Inside, arguments: &Mount, folder: &Path) -> String {
        let shown = words::quoted(folder);
        let what = if arguments.raw {
            format!("{shown}/drive.img has all its bytes, decrypted")
        } else {
            format!("its files are in {shown}")
        };
        let end = if arguments.detach { "" } else { "Ctrl-C here or " };
        format!(
            "{} is mounted, to be read only: {what}\n{end}`lastkey unmount {shown}` takes it away",
            inside.name
        )
    }

    /// Runs the same command as another process and returns when that has mounted. It asks for the key on this terminal
    /// itself, so that no key goes from process to process.
    fn in_background() -> Result<ExitCode, Failure> {
        let words = std::env::args_os().skip(1).filter(|word| word != "--background");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).arg("--detach").stdout(Stdio::piped());
        let mut process = command.spawn()?;
        // Its standard output ends when it has mounted or failed.
        let mut said = Vec::new();
        if let Some(mut from) = process.stdout.take() {
            from.read_to_end(&mut said)?;
        }
        io::stdout().write_all(&said)?;
        if !said.is_empty() {
            // One that has mounted runs on; one that failed in JSON is about to end.
            thread::sleep(Duration::from_millis(20));
        }
        let is_error = said.is_empty() || String::from_utf8_lossy(&said).contains("\"error\"");
        if !is_error {
            return Ok(ExitCode::SUCCESS);
        }
        let code = process.wait()?.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.unwrap_or(Kind::Other.code()).into())
    }

    /// Lets go of the terminal.
    fn detach() {
        let _ = io::stdout().flush();
        let _ = std::env::set_current_dir("/");
        // A terminal that closes ends its session, and this must not be in it.
        let _ = rustix::process::setsid();
        if let Ok(nothing) = std::fs::File::options().read(true).write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdin(&nothing);
            let _ = rustix::stdio::dup2_stderr(&nothing);
            let _ = rustix::stdio::dup2_stdout(&nothing);
        }
    }
}
