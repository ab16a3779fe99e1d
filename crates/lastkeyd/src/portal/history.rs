//! What was done in an account, and how to make sure that nobody changes it afterwards.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use web::Icon;

use super::page::{inside, time};
use crate::app::App;
use crate::error::Error;
use crate::sign_in::SignedIn;
use crate::store::{Of, Said};

const PAGE: u32 = 50;

/// From where on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct From {
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    rows: Vec<Row>,
    next: Option<u64>,
    checkpoint: String,
}

struct Row {
    leaf: u64,
    at: String,
    text: String,
    refused: bool,
    address: Option<String>,
}

/// The list.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Response, Error> {
    let entries = app.store.history(Of::Account(signed_in.account.id), from.before, PAGE).await?;
    let next = entries.last().filter(|_| entries.len() == PAGE as usize).map(|entry| entry.leaf);
    let rows = entries.into_iter().map(|entry| Row {
        leaf: entry.leaf,
        at: time(entry.at),
        text: words(&entry.act, entry.said.as_ref()),
        refused: entry.said.as_ref().is_some_and(|said| said.outcome != "done"),
        address: entry.said.and_then(|said| said.address),
    });
    let body = History { rows: rows.collect(), next, checkpoint: app.store.checkpoint().await? };
    inside("History", "/history", None, &body)
}

/// Says an entry in words.
pub fn words(act: &str, said: Option<&Said>) -> String {
    let known = match act {
        "sign-in" => "Signed in",
        "sign-out" => "Signed out",
        "account.create" => "Account made",
        "account.password" => "Password changed",
        "account.code" => "New account code",
        "account.one-time" => "One-time codes",
        "account.notices" => "Notices changed",
        "account.export" => "All records exported",
        "account.delete" => "Account deleted",
        "session.end" => "Session ended",
        "passkey.add" => "Passkey added",
        "passkey.remove" => "Passkey removed",
        "recipient.add" => "Somebody more may open new records",
        "recipient.remove" => "Somebody less may open new records",
        "device.ask" => "A device asked to be let in",
        "device.confirm" => "Device let in",
        "device.refuse" => "Device refused",
        "device.revoke" => "Device shut out",
        "record.add" => "Key added by a device",
        "record.reseal" => "Key sealed anew",
        "key.reveal" => "Key shown",
        other => other,
    };
    let Some(said) = said else { return format!("{known} (erased)") };
    let mut text = known.to_owned();
    if said.outcome != "done" {
        text = format!("{text} \u{2013} {}", said.outcome);
    }
    match &said.detail {
        Some(detail) => format!("{text}: {detail}"),
        None => text,
    }
}
