//! Taking everything along: the sealed records, the account's key under a passphrase, how to open them without this
//! server, and all else that is kept of the account.

pub(super) mod contents;

use std::io::{Cursor, Write};

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use recovery_key::Secret;
use sealed::Seal;
use serde::Deserialize;
use zip::write::{SimpleFileOptions, ZipWriter};

use self::contents::{Files, gather};
use super::account;
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn, check_password, work};
use crate::store::{now, outbox};

const READ_ME: &str = include_str!("../../assets/READ-ME.txt");

/// What the form carries.
#[derive(Deserialize)]
pub struct Export {
    #[serde(default)]
    passphrase: String,
    #[serde(flatten)]
    shown: Shown,
}

/// Gives everything, as one file.
pub async fn export(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Export>,
) -> Result<Response, Error> {
    match try_export(&app, from, &signed_in, &form).await {
        Ok(bytes) => {
            let name = format!("attachment; filename=\"lastkey-account-{}.zip\"", super::page::day(now()));
            let mut response = ([(header::CONTENT_TYPE, "application/zip")], bytes).into_response();
            let name = HeaderValue::from_str(&name).map_err(|error| Error::Internal(error.to_string()))?;
            response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
            Ok(response)
        }
        Err(refused) => account::after(&app, &signed_in, Err(refused)).await,
    }
}

async fn try_export(
    app: &App,
    from: std::net::IpAddr,
    signed_in: &SignedIn,
    form: &Export,
) -> Result<Vec<u8>, Refused> {
    check_password(&form.passphrase)?;
    let account = &signed_in.account;
    let key = show::check(app, Who::Account(account), &form.shown, from, "account.export").await?.key()?;
    let files = gather(app, account).await?;
    let identity = Secret::new(format!(
        "# account: {}\n# public key: {}\n{}\n",
        account.name.replace(char::is_control, " "),
        key.recipient(),
        key.text().expose()
    ));
    drop(key);
    let passphrase = Secret::new(form.passphrase.clone());
    let bytes = work::alone(move || pack(&identity, passphrase, &files)).await??;
    let id = account.id.clone();
    app.store
        .write(move |tx| {
            Box::pin(async move {
                let text = "If it was not you, change your password and give your drives new recovery keys.";
                outbox::tell(tx, &id, "Your account was exported", text).await?;
                Ok(((), vec![Entry::done("account.export").account(&id).from(from)]))
            })
        })
        .await?;
    Ok(bytes)
}

fn pack(identity: &Secret<String>, passphrase: Secret<String>, files: &Files) -> Result<Vec<u8>, Error> {
    let broken =
        |error: &dyn std::fmt::Display| Error::Internal(format!("the export could not be made: {error}"));
    let seal = Seal::with_passphrase(passphrase).map_err(|error| broken(&error))?;
    let identity = seal.seal(identity.expose().as_bytes()).map_err(|error| broken(&error))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // What is sealed does not get smaller.
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let fixed = [("READ-ME.txt", READ_ME.as_bytes()), ("identity.age", &identity)];
    let others = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    for (name, bytes) in fixed.into_iter().chain(others) {
        zip.start_file(name, options).map_err(|error| broken(&error))?;
        zip.write_all(bytes).map_err(|error| broken(&error))?;
    }
    Ok(zip.finish().map_err(|error| broken(&error))?.into_inner())
}
