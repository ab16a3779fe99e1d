//! What every handler has at hand.

use std::net::IpAddr;
use std::sync::Arc;

use crate::store::Store;

/// What every handler has at hand. Cloning it is cheap.
#[derive(Clone)]
pub struct App {
    /// The database.
    pub store: Store,
    /// What was configured.
    pub settings: Arc<Settings>,
}

/// What was configured, as far as handlers need it.
#[derive(Debug)]
pub struct Settings {
    /// Where people go with a browser, without a slash at the end: `https://localhost:4848`.
    pub url: String,
    /// The host of `url`: the ID that passkeys are bound to.
    pub host: String,
    /// Other names that this server answers to.
    pub hosts: Vec<String>,
    /// The proxies that are believed when they say whom they speak for.
    pub proxies: Vec<IpAddr>,
    /// Whether the certificate is one that browsers trust, so that they may be told to take nothing less.
    pub lasting_tls: bool,
}
