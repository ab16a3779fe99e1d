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

/// All acts, and how they are said.
const ACTS: [(&str, &str); 24] = [
    ("sign-in", "Signed in"),
    ("sign-out", "Signed out"),
    ("session.end", "Session ended"),
    ("account.invite", "Invitation made"),
    ("account.create", "Account made"),
    ("account.password", "Password changed"),
    ("account.code", "New account code"),
    ("account.one-time", "One-time codes"),
    ("account.notices", "Notices changed"),
    ("account.export", "All records exported"),
    ("account.delete", "Account deleted"),
    ("passkey.add", "Passkey added"),
    ("passkey.remove", "Passkey removed"),
    ("recipient.add", "Somebody else may open new records"),
    ("recipient.remove", "Somebody may no longer open new records"),
    ("device.confirm", "Device let in"),
    ("device.refuse", "Device refused"),
    ("device.revoke", "Device shut out"),
    ("device.request", "Something asked by a device"),
    ("check-in", "Drives reported by a device"),
    ("record.add", "Key or metadata added by a device"),
    ("record.reseal", "Key or metadata sealed anew"),
    ("key.reveal", "Key or file shown"),
    ("key.ask", "A key\u{2019}s page asked for"),
];

/// Says an entry in words.
pub fn words(act: &str, said: Option<&Said>) -> String {
    let known = ACTS.iter().find(|(known, _)| *known == act).map_or(act, |(_, words)| words);
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::ACTS;

    /// All of the program that is not a test, with every space a single one.
    fn source(folder: &Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|name| name == "tests") {
                continue;
            }
            if path.is_dir() {
                source(&path, all);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            all.extend(text.split_whitespace().flat_map(|word| [word, " "]));
        }
    }

    #[test]
    fn every_act_that_is_written_has_words_and_the_table_has_no_other() {
        let mut all = String::new();
        source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        let mut acts = BTreeSet::new();
        // As entries are made, as proofs say what they are for, as uploads and what is refused say what they are.
        for before in ["Entry::done(", "Entry::refused(", ", from, ", "by_owner { ", "} else { ", "ome("] {
            for (at, _) in all.match_indices(before) {
                let rest = all[at + before.len()..].trim_start();
                let Some((act, _)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) else {
                    continue;
                };
                let is_plain = act.bytes().all(|byte| byte.is_ascii_lowercase() || b".-".contains(&byte));
                if is_plain && (act.contains('.') || before.starts_with("Entry") || before == ", from, ") {
                    acts.insert(act);
                }
            }
        }
        let known: BTreeSet<_> = ACTS.iter().map(|(act, _)| *act).collect();
        assert_eq!(acts, known);
        assert!(ACTS.iter().all(|(act, words)| !words.is_empty() && act != words));
    }
}
