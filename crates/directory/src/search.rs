//! A search, page by page, its results taken apart with care.

use std::collections::HashMap;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{LdapConn, ResultEntry, Scope};
use recovery_key::Secret;

use crate::error::{DirectoryError, Request, outcome};

/// How many objects are asked for at once; Active Directory gives at most 1,000.
const PAGE: i32 = 500;
/// How many objects a search may have.
const LIMIT: usize = 10_000;

/// An object that was found.
pub(crate) struct Found {
    pub(crate) dn: String,
    /// The first value of each attribute, under its name in lower case. Ours have one value each.
    pub(crate) values: HashMap<String, Secret<Vec<u8>>>,
}

/// Searches. Where the directory points to other directories, nobody goes.
pub(crate) fn run(
    connection: &mut LdapConn,
    timeout: Duration,
    base: &str,
    scope: Scope,
    filter: &str,
    wanted: &[&'static str],
) -> Result<Vec<Found>, DirectoryError> {
    let mut adapters: Vec<Box<dyn Adapter<'_, &'static str, Vec<&'static str>>>> =
        vec![Box::new(EntriesOnly::new())];
    // One object is one page, and not every server has pages of one.
    if scope != Scope::Base {
        adapters.push(Box::new(PagedResults::new(PAGE)));
    }
    let connection = connection.with_timeout(timeout);
    let mut stream = connection.streaming_search_with(adapters, base, scope, filter, wanted.to_vec())?;
    let mut found = Vec::new();
    while let Some(entry) = stream.next()? {
        if found.len() == LIMIT {
            return Err(DirectoryError::TooMany(LIMIT));
        }
        found.push(object(entry).ok_or(DirectoryError::Answer)?);
    }
    match outcome(Request::Search(base), stream.result()) {
        Err(DirectoryError::Refused { code: 4 | 11, .. }) => Err(DirectoryError::TooMany(found.len())),
        result => result.map(|()| found),
    }
}

/// Takes `[dn, [[attribute, {value...}]...]]` apart; `None` when it is something else.
fn object(entry: ResultEntry) -> Option<Found> {
    let mut parts = entry.0.expect_constructed()?.into_iter();
    let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
    let mut values = HashMap::new();
    for attribute in parts.next()?.expect_constructed()? {
        let mut parts = attribute.expect_constructed()?.into_iter();
        let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        if let Some(value) = parts.next()?.expect_constructed()?.into_iter().next() {
            values.insert(name.to_lowercase(), Secret::new(value.expect_primitive()?));
        }
    }
    Some(Found { dn, values })
}
