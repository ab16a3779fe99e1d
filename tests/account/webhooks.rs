//! Webhooks: what an owner's own server is told, and what the server does not knock at.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::{PASSWORD, Visitor};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody's own server, on this computer, with a certificate of an authority of theirs.
struct Listener {
    folder: TempDir,
    url: String,
    /// The first line of each request, its fields, and its body.
    heard: Receiver<(String, Vec<String>, Value)>,
}

impl Listener {
    fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/told?token=of-hers", listener.local_addr().unwrap().port());
        let (say, heard) = channel();
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, stream));
                let mut lines = stream.by_ref().lines().map_while(Result::ok);
                let Some(first) = lines.next() else { continue };
                let fields: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                let length = fields.iter().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
                });
                let mut body = vec![0; length.unwrap()];
                stream.read_exact(&mut body).unwrap();
                let _ = stream.get_mut().write_all(b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n");
                let _ = say.send((first, fields, serde_json::from_slice(&body).unwrap()));
            }
        });
        Self { folder, url, heard }
    }

    /// Starts a lastkeyd that trusts this listener's certificate, with somebody who wants to be told there of what is
    /// done afterwards.
    fn wanted(&self, options: &[&str]) -> (Lastkeyd, Visitor) {
        let mut server = Lastkeyd::start(options);
        let mut ada = Visitor::new(&server);
        ada.make_account(&server, "Ada");
        assert!(server.end(), "{}", server.log());
        server.trust(&self.folder.path().join("ca.pem"));
        server.start_again();
        let plain = self.url.replace("https:", "http:");
        let fields = |url| [("webhook", url), ("password", PASSWORD)];
        // No mail server is named: nobody is promised a mail.
        let mail = ada.post("/account/notices", &[("mail", "ada@example.org"), ("password", PASSWORD)]);
        assert!(mail.status == 422 && mail.text().contains("sends no mail"), "{}", mail.text());
        let refused = ada.post("/account/notices", &fields(plain.as_str()));
        assert_eq!(refused.status, 422, "{}", refused.text());
        let taken = ada.post("/account/notices", &fields(self.url.as_str()));
        assert_eq!(taken.status, 200, "{}", taken.text());
        assert_eq!(ada.post("/account/code", &[("password", PASSWORD)]).status, 200);
        (server, ada)
    }
}

#[test]
fn a_webhook_gets_the_notice_and_nothing_secret() {
    let listener = Listener::start();
    let (server, _ada) = listener.wanted(&["--private-webhooks"]);
    let next = || {
        let heard = listener.heard.recv_timeout(PATIENCE);
        heard.unwrap_or_else(|why| panic!("{why}: {}", server.log()))
    };
    // That it is told there from now on comes first; one account's notices go one after the other.
    let (.., body) = next();
    assert_eq!(body["subject"], "Notices of your account come here");
    let (first, fields, body) = next();
    assert_eq!(first, "POST /told?token=of-hers HTTP/1.1");
    let says = |what: &str| fields.iter().any(|line| line.to_lowercase().starts_with(what));
    assert!(says("content-type: application/json") && says("user-agent: lastkeyd/"), "{fields:?}");
    // Just what docs/account.md says, and none of what was typed or made.
    let keys: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["at", "subject", "text"]);
    assert_eq!(body["subject"], "A new account code was made");
    assert!(body["at"].as_i64().unwrap() > 1_700_000_000);
    let text = body["text"].as_str().unwrap();
    assert!(text.contains("opens nothing any more") && !text.contains(PASSWORD), "{text}");
    assert!(listener.heard.recv_timeout(Duration::from_secs(5)).is_err(), "it is told once");
    assert!(!server.log().contains("of-hers"), "{}", server.log());
}

#[test]
fn the_server_does_not_knock_at_its_neighbours_doors_unless_it_may() {
    let listener = Listener::start();
    let (server, _ada) = listener.wanted(&[]);
    let until = Instant::now() + PATIENCE;
    while !server.log().contains("a notice was not delivered") {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
    assert!(listener.heard.try_recv().is_err());
}
