//! Taking everything along: the sealed records, the account's key under a passphrase, and how to open them without
//! this server.

use std::io::{Cursor, Write};

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use recovery_key::Secret;
use sealed::Seal;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::account;
use super::page::time;
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn, check_password, work};
use crate::store::{hex, now, outbox};

/// The most that is gathered in memory.
const LIMIT: usize = 128 << 20;
const READ_ME: &str = "\
Everything that your account of lastkey has, as it was when you exported it.\n\
\n\
  identity.age    your account's key, sealed with the passphrase that you chose\n\
  records/        your recovery keys, each sealed to your account's key\n\
  index.json      what each file in records/ is of\n\
\n\
To open a record you need this file, the passphrase and age (https://age-encryption.org), and nothing else:\n\
\n\
  age -d -i identity.age records/NAME.age\n\
\n\
Keep it where nobody else is, and not only on the drives whose keys are in it.\n";

/// What the form carries.
#[derive(Deserialize)]
pub struct Export {
    #[serde(default)]
    passphrase: String,
    #[serde(flatten)]
    shown: Shown,
}

#[derive(Serialize)]
struct Index {
    account: String,
    recipient: String,
    exported: String,
    records: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    file: String,
    sha256: String,
    kind: String,
    drive: String,
    volume: String,
    key_id: Option<String>,
    device: String,
    proven: String,
    uploaded: String,
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
    let (index, files) = gather(app, account).await?;
    let identity = Secret::new(format!(
        "# account: {}\n# public key: {}\n{}\n",
        account.name.replace(char::is_control, " "),
        key.recipient(),
        key.text().expose()
    ));
    drop(key);
    let passphrase = Secret::new(form.passphrase.clone());
    let bytes = work::alone(move || pack(&index, &identity, passphrase, &files)).await??;
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

type Files = Vec<(String, Vec<u8>)>;

async fn gather(app: &App, account: &crate::store::accounts::Account) -> Result<(Index, Files), Error> {
    let (mut records, mut files, mut size) = (Vec::new(), Vec::new(), 0);
    let mut after = -1;
    loop {
        let rows = sqlx::query(
            "SELECT r.id, r.kind, r.drive, r.volume_id, r.key_id, r.proven, r.uploaded, r.sealed, r.leaf, d.name \
             FROM records r LEFT JOIN devices d ON d.id = r.device_id \
             WHERE r.account_id = $1 AND r.leaf > $2 ORDER BY r.leaf LIMIT 100",
        )
        .bind(&account.id)
        .bind(after)
        .fetch_all(app.store.readers())
        .await?;
        let Some(last) = rows.last() else { break };
        after = last.try_get("leaf")?;
        for row in &rows {
            let (id, sealed): (Vec<u8>, Vec<u8>) = (row.try_get("id")?, row.try_get("sealed")?);
            size += sealed.len();
            if size > LIMIT {
                return Err(Error::TooLarge(format!("the records have more than {LIMIT} bytes together")));
            }
            let (kind, key_id): (String, Option<String>) = (row.try_get("kind")?, row.try_get("key_id")?);
            let volume: String = row.try_get("volume_id")?;
            let sha256 = hex(&id);
            let what = key_id.as_deref().unwrap_or(&volume);
            let file = format!(
                "records/{kind}-{}-{}.age",
                what.get(..8).unwrap_or("none"),
                &sha256.get(..8).unwrap_or_default()
            );
            records.push(Line {
                file: file.clone(),
                sha256,
                kind,
                drive: row.try_get("drive")?,
                volume,
                key_id,
                device: row.try_get::<Option<String>, _>("name")?.unwrap_or_default(),
                proven: time(row.try_get("proven")?),
                uploaded: time(row.try_get("uploaded")?),
            });
            files.push((file, sealed));
        }
    }
    let index = Index {
        account: account.name.clone(),
        recipient: account.recipient.clone(),
        exported: time(now()),
        records,
    };
    Ok((index, files))
}

fn pack(
    index: &Index,
    identity: &Secret<String>,
    passphrase: Secret<String>,
    files: &Files,
) -> Result<Vec<u8>, Error> {
    let broken =
        |error: &dyn std::fmt::Display| Error::Internal(format!("the export could not be made: {error}"));
    let seal = Seal::with_passphrase(passphrase).map_err(|error| broken(&error))?;
    let identity = seal.seal(identity.expose().as_bytes()).map_err(|error| broken(&error))?;
    let index = serde_json::to_vec_pretty(index).map_err(|error| broken(&error))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // What is sealed does not get smaller.
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let fixed = [("READ-ME.txt", READ_ME.as_bytes()), ("identity.age", &identity), ("index.json", &index)];
    let sealed = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    for (name, bytes) in fixed.into_iter().chain(sealed) {
        zip.start_file(name, options).map_err(|error| broken(&error))?;
        zip.write_all(bytes).map_err(|error| broken(&error))?;
    }
    Ok(zip.finish().map_err(|error| broken(&error))?.into_inner())
}
