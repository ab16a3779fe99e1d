//! What `lastkeyd COMMAND` does.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use sqlx::{Connection, Row};
use tlog::Checkpoint;

use crate::app::App;
use crate::cli::{Audit, Cli, Command};
use crate::config::Config;
use crate::error::Error;
use crate::store::{self, Report};
use crate::{api, portal, private, serve};

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
        Command::Man { folder } => return pages(folder),
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
            let app = existing(config).await?;
            let url = url(config, &app).await?;
            let code = portal::invite(&app, i64::from(*hours) * 3600).await?;
            app.store.close().await;
            Ok(print(&format!("{url}/welcome#{code}\n")))
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
        Command::Restore { file } => {
            private::folder(&config.data)
                .map_err(|error| Error::Invalid(format!("{}: {error}", config.data.display())))?;
            Ok(tell(&store::restore(config.database.url(), file).await?))
        }
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
        Command::Openapi | Command::Completions { .. } | Command::Man { .. } => Ok(ExitCode::SUCCESS),
    }
}

/// Opens what is there: to check or copy nothing would say that nothing is lost, and an invitation into nothing would
/// let nobody in.
async fn existing(config: &Config) -> Result<App, Error> {
    let there = match config.database.file() {
        Some(file) => file.exists(),
        None => has_tables(config.database.url()).await?,
    };
    if there {
        return serve::open(config).await;
    }
    Err(Error::Invalid(format!(
        "no lastkeyd has kept anything in {} yet: start the server first, or name its things as the server has them, \
         with --data FOLDER, --database URL or --config FILE",
        config.database
    )))
}

/// Whether a lastkeyd has made its tables in a PostgreSQL database.
async fn has_tables(url: &str) -> Result<bool, Error> {
    sqlx::any::install_default_drivers();
    let mut database = sqlx::AnyConnection::connect(url).await?;
    let row = sqlx::query(
        "SELECT COUNT(*) AS count FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = 'audit_head'",
    );
    let count: i64 = row.fetch_one(&mut database).await?.try_get("count")?;
    database.close().await?;
    Ok(count > 0)
}

/// Keeps where people go with a browser, for commands that are given no URL.
///
/// # Errors
/// What the database says.
pub async fn keep_url(app: &App) -> Result<(), Error> {
    let url = app.settings.url.clone();
    app.store
        .write(|tx| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO server (name, value) VALUES ('url', $1) \
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )
                .bind(url)
                .execute(&mut *tx)
                .await?;
                Ok(((), Vec::new()))
            })
        })
        .await
}

/// Returns where people go with a browser: as configured, else as the server was last started.
async fn url(config: &Config, app: &App) -> Result<String, Error> {
    if config.url != format!("https://localhost:{}", config.listen.port()) {
        return Ok(config.url.clone());
    }
    let kept = sqlx::query("SELECT value FROM server WHERE name = 'url'");
    match kept.fetch_optional(app.store.readers()).await? {
        Some(row) => Ok(row.try_get("value")?),
        None => Ok(config.url.clone()),
    }
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

/// Writes a page for the program and one for each command.
fn pages(folder: &Path) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), folder) {
        Ok(()) => print(&format!("The manual pages are in {}.\n", folder.display())),
        Err(error) => {
            fail(FAILED, &format!("the manual pages cannot be written to {}: {error}", folder.display()))
        }
    }
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
