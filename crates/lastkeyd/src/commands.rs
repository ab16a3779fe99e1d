//! What `lastkeyd COMMAND` does.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use tlog::Checkpoint;

use crate::app::App;
use crate::cli::{Audit, Cli, Command};
use crate::config::Config;
use crate::error::Error;
use crate::store::{self, Report};
use crate::{api, portal, serve};

/// No checkpoint is longer.
const CHECKPOINT_LIMIT: u64 = 64 << 10;

/// Something is not as it should be.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong.
const USAGE: u8 = 2;

/// Does what was asked.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let command = cli.command.unwrap_or(Command::Serve);
    match &command {
        Command::Openapi => return print(&api::document()),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "lastkeyd", &mut io::stdout());
            return ExitCode::SUCCESS;
        }
        Command::Man => {
            let mut page = Vec::new();
            let _ = clap_mangen::Man::new(Cli::command()).render(&mut page);
            return print(&String::from_utf8_lossy(&page));
        }
        _ => {}
    }
    let config = match Config::new(cli.options) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(FAILED, &error),
    };
    // Several libraries bring a provider each; this one says which is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match runtime.block_on(work(&command, &config)) {
        Ok(code) => code,
        Err(error) => fail(FAILED, &error),
    }
}

async fn work(command: &Command, config: &Config) -> Result<ExitCode, Error> {
    match command {
        Command::Serve => serve::serve(config).await.map(|()| ExitCode::SUCCESS),
        Command::Invite { hours } => {
            let app = serve::open(config).await?;
            let code = portal::invite(&app, i64::from(*hours) * 3600).await?;
            app.store.close().await;
            Ok(print(&format!("{}/welcome#{code}\n", config.url)))
        }
        Command::Check => {
            let app = existing(config).await?;
            let report = app.store.check(&[]).await?;
            app.store.close().await;
            Ok(tell(&report))
        }
        Command::Backup { file } => {
            let app = existing(config).await?;
            let report = store::backup(&app.store, file).await?;
            app.store.close().await;
            let code = tell(&report);
            eprintln!("Keep beside it: {}", config.data.join("audit.key").display());
            Ok(code)
        }
        Command::Restore { file } => Ok(tell(&store::restore(config.database.url(), file).await?)),
        Command::Audit(audit) => {
            let app = existing(config).await?;
            let code = match audit {
                Audit::Verify { checkpoint } => {
                    let kept = checkpoint.as_deref().map(|path| kept(path, &app)).transpose()?;
                    tell(&app.store.check_log(kept.as_slice()).await?)
                }
                Audit::Checkpoint => print(&app.store.checkpoint().await?),
                Audit::Key => print(&format!("{}\n", app.store.log().verifier())),
            };
            app.store.close().await;
            Ok(code)
        }
        Command::Openapi | Command::Completions { .. } | Command::Man => Ok(ExitCode::SUCCESS),
    }
}

/// Opens what is there: to check or copy nothing would say that nothing is lost.
async fn existing(config: &Config) -> Result<App, Error> {
    if let Some(file) = config.database.file()
        && !file.exists()
    {
        let place = file.display();
        return Err(Error::Invalid(format!(
            "there is no database {place}: name its folder with --data FOLDER"
        )));
    }
    serve::open(config).await
}

/// Reads a checkpoint that somebody kept. It must be this log's: another's proves nothing.
fn kept(path: &Path, app: &App) -> Result<Checkpoint, Error> {
    let wrong = |why: String| Error::Invalid(format!("{}: {why}", path.display()));
    let mut note = String::new();
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(CHECKPOINT_LIMIT).read_to_string(&mut note).map_err(|error| wrong(error.to_string()))?;
    Checkpoint::open(&note, app.store.log().verifier())
        .map_err(|error| wrong(format!("it is no checkpoint that this server has signed: {error}")))
}

fn tell(report: &Report) -> ExitCode {
    for finding in &report.findings {
        eprintln!("Error: {finding}");
    }
    let Report { records, entries, erased, .. } = report;
    if report.is_sound() {
        let erased = if *erased == 0 { String::new() } else { format!(", {erased} of them erased") };
        print(&format!("{records} records and {entries} entries of the audit log{erased}: all whole.\n"))
    } else {
        eprintln!("{} findings in {records} records and {entries} entries.", report.findings.len());
        ExitCode::from(FAILED)
    }
}

fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who closed our output does not want to read it.
        Err(_) => ExitCode::from(FAILED),
    }
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("Error: {error}");
    ExitCode::from(code)
}
