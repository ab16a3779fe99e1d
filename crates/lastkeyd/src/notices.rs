//! Delivering what owners are told: mails and webhooks. There is never a secret in them.

use std::collections::HashMap;
use std::fs;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::task::{Id, JoinSet};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::app::App;
use crate::config::{Config, Mail};
use crate::error::Error;
use crate::store::Store;
use crate::store::outbox::{self, Channel, Notice};

/// How often the outbox is looked into.
const LOOK: Duration = Duration::from_secs(2);
/// How many are delivered at once.
const AT_ONCE: usize = 16;
/// How long a delivery may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// The ways that notices take.
pub struct Ways {
    mail: Option<(AsyncSmtpTransport<Tokio1Executor>, Mailbox)>,
    webhook: ureq::Agent,
}

impl Ways {
    /// Makes the ways that are configured.
    ///
    /// # Errors
    /// When the mail server's address is none.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let found = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> =
            found.iter().map(|root| ureq::tls::Certificate::from_der(root).to_owned()).collect();
        let roots = ureq::tls::RootCerts::Specific(Arc::new(roots));
        let settings = ureq::Agent::config_builder()
            .timeout_global(Some(TIME_LIMIT))
            .max_redirects(0)
            .https_only(true)
            .proxy(None)
            .user_agent(concat!("lastkeyd/", env!("CARGO_PKG_VERSION")))
            .tls_config(ureq::tls::TlsConfig::builder().root_certs(roots).build())
            .build();
        let resolver = Elsewhere { private: config.private_webhooks, inner: DefaultResolver::default() };
        let webhook = ureq::Agent::with_parts(settings, DefaultConnector::default(), resolver);
        Ok(Self { mail: config.mail.as_ref().map(mailer).transpose()?, webhook })
    }

    async fn send(&self, notice: &Notice) -> Result<(), String> {
        match notice.channel {
            Channel::Mail => self.mail(notice).await,
            Channel::Webhook => {
                let (agent, notice) = (self.webhook.clone(), notice.clone());
                let call = tokio::task::spawn_blocking(move || webhook(&agent, &notice));
                call.await.map_err(|error| error.to_string())?
            }
        }
    }

    async fn mail(&self, notice: &Notice) -> Result<(), String> {
        let Some((transport, from)) = &self.mail else {
            return Err("no mail server is configured".to_owned());
        };
        let to: Mailbox = notice.target.parse().map_err(|_| "the address is none".to_owned())?;
        let message = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(notice.subject.clone())
            .body(notice.text.clone())
            .map_err(|error| error.to_string())?;
        transport.send(message).await.map(drop).map_err(|error| error.to_string())
    }
}

/// Delivers what waits, for as long as the server lives.
pub fn deliver(app: App, ways: Ways) -> impl Future<Output = ()> + Send + 'static {
    app.store.set_sends_mail(ways.mail.is_some());
    let ways = Arc::new(ways);
    deliver_by(app.store, move |notice| {
        let ways = ways.clone();
        async move { ways.send(&notice).await }
    })
}

/// Delivers what waits, several at once, but one of each account: who is slow to take theirs is in nobody's way.
async fn deliver_by<F>(store: Store, send: impl Fn(Notice) -> F)
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut work = JoinSet::new();
    let mut busy: HashMap<Id, String> = HashMap::new();
    loop {
        let mut pause = LOOK;
        let free = AT_ONCE.saturating_sub(work.len());
        if free > 0 {
            match outbox::take(&store, free, busy.values().cloned().collect()).await {
                Ok(notices) => {
                    for notice in notices {
                        let (account, sent) = (notice.account.clone(), send(notice.clone()));
                        let id = work.spawn(deliver_one(store.clone(), notice, sent)).id();
                        busy.insert(id, account);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read");
                    pause = LOOK * 5;
                }
            }
        }
        tokio::select! {
            Some(ended) = work.join_next_with_id() => {
                busy.remove(&ended.map_or_else(|failed| failed.id(), |(id, ())| id));
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn deliver_one(store: Store, notice: Notice, sent: impl Future<Output = Result<(), String>>) {
    let (sent, channel) = (sent.await, notice.channel.word());
    let how = if sent.is_ok() { "sent" } else { "failed" };
    metrics::counter!("lastkeyd_notices_total", "channel" => channel, "how" => how).increment(1);
    match sent {
        Ok(()) => {
            if let Err(error) = outbox::done(&store, &notice.id).await {
                tracing::error!(%error, "a notice was delivered and may be delivered again");
            }
        }
        Err(why) => tracing::warn!(channel, why, "a notice was not delivered; it is tried again"),
    }
}

fn webhook(agent: &ureq::Agent, notice: &Notice) -> Result<(), String> {
    let body = serde_json::json!({ "at": notice.created, "subject": notice.subject, "text": notice.text });
    agent.post(&notice.target).send_json(body).map(drop).map_err(|error| error.to_string())
}

fn mailer(mail: &Mail) -> Result<(AsyncSmtpTransport<Tokio1Executor>, Mailbox), Error> {
    // Before anything is said of the address: what is said of it shows it.
    let user = mail.smtp.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    if user.is_some_and(|user| user.contains(':')) {
        let why = "the mail user's password belongs into smtp-password-file";
        return Err(Error::Internal(why.to_owned()));
    }
    let wrong = |what: &str| Error::Internal(format!("{:?}: {what}", mail.smtp));
    let uri: Uri = mail.smtp.parse().map_err(|_| wrong("no mail server is written like that"))?;
    let host = uri.host().ok_or_else(|| wrong("the mail server's name is missing"))?;
    // Without TLS only within this computer.
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let builder = match uri.scheme_str() {
        Some("smtps") => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
        Some("smtp") if here => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)),
        Some("smtp") => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
        _ => return Err(wrong("write smtps://USER@HOST or smtp://HOST")),
    };
    let mut builder = builder.map_err(|error| wrong(&error.to_string()))?.timeout(Some(TIME_LIMIT));
    if let Some(port) = uri.port_u16() {
        builder = builder.port(port);
    }
    match (user, &mail.password_file) {
        (Some(user), Some(path)) => {
            let password = fs::read_to_string(path)
                .map_err(|error| Error::Internal(format!("{}: {error}", path.display())))?;
            let password = password.trim_end_matches(['\r', '\n']).to_owned();
            builder = builder.credentials(Credentials::new(user.to_owned(), password));
        }
        (Some(_), None) => return Err(wrong("the user has a password: --smtp-password-file FILE")),
        (None, _) => {}
    }
    let from =
        mail.from.parse().map_err(|_| Error::Internal(format!("{:?} is no mail address", mail.from)))?;
    Ok((builder.build(), from))
}

/// Resolves names, and leaves out what lies within this computer or network: a webhook's address is an owner's
/// choice, and what the server can reach is not theirs.
#[derive(Debug)]
struct Elsewhere {
    private: bool,
    inner: DefaultResolver,
}

impl Resolver for Elsewhere {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        for address in found.iter().filter(|address| self.private || is_public(address.ip())) {
            kept.push(*address);
        }
        if kept.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(kept) }
    }
}

/// Whether an address is one of the Internet (IANA's registries of special addresses).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            // Global unicast, but for documentation, and for tunnels that end in IPv4 networks.
            (0x2000..0x4000).contains(&first)
                && !(first == 0x2001 && (second == 0xdb8 || second == 0))
                && first != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::sync::Semaphore;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::store::outbox::tests::tell_all;
    use crate::tests::{account, app};

    #[test]
    fn addresses_of_this_network_are_not_public() {
        let ours = [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
            "64:ff9b::7f00:1",
        ];
        for address in ours {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "2606:4700:4700::1111", "100.128.0.1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_mail_server_is_named_with_its_security() {
        let mail =
            |smtp: &str| Mail { smtp: smtp.to_owned(), password_file: None, from: "a@b.example".to_owned() };
        assert!(mailer(&mail("smtp://127.0.0.1:2525")).is_ok());
        assert!(mailer(&mail("smtps://mail.example.org")).is_ok());
        let wrong = [
            "mail.example.org",
            "http://mail.example.org",
            "smtps://ada@mail.example.org",
            "smtps://ada:secret@mail.example.org",
            "http://ada:secret@mail.example.org",
            "smtp://ada:se cret@mail.example.org",
        ];
        for wrong in wrong {
            let error = mailer(&mail(wrong)).unwrap_err().to_string();
            assert!(!error.contains("cret"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_is_slow_is_in_nobodys_way_and_gets_one_at_a_time() {
        let (_folder, app, slow) = app().await;
        let quick = account(&app, "Bob").await;
        let store = app.store;
        tell_all(&store, &[&slow, &slow, &slow, &quick, &quick, &quick]).await;
        let (say, mut heard) = unbounded_channel();
        let door = Arc::new(Semaphore::new(0));
        let (opens, who) = (door.clone(), slow.clone());
        let delivery = tokio::spawn(deliver_by(store.clone(), move |notice| {
            let (say, door, waits) = (say.clone(), opens.clone(), notice.account == who);
            async move {
                say.send(notice.account).map_err(|error| error.to_string())?;
                if waits {
                    door.acquire().await.map_err(|error| error.to_string())?.forget();
                }
                Ok(())
            }
        }));
        let mut begun = Vec::new();
        while begun.len() < 4 {
            begun.push(heard.recv().await.unwrap());
        }
        // All of the quick one's, and of the slow one's the first.
        assert_eq!(begun.iter().filter(|account| **account == slow).count(), 1, "{begun:?}");
        for _ in 0..2 {
            door.add_permits(1);
            assert_eq!(heard.recv().await.unwrap(), slow);
        }
        delivery.abort();
    }
}
