//! What somebody does who means harm, or a program that makes mistakes by the thousand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::said::Said;
use lastkey_tests::visitor::{PASSWORD, Page, Visitor};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;

use crate::device::Device;

#[test]
fn guessing_is_slowed_down_alike_for_names_that_are_there_and_those_that_are_not() {
    let server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    // But for how many seconds it is, which the clock decides, the pages are the same.
    let plain = |page: &str| {
        let page = page.replace("Wait a second ", "Wait 1 seconds ");
        page.chars().filter(|c| !c.is_ascii_digit()).collect::<String>()
    };
    let mut told = Vec::new();
    for name in ["Ada", "Nobody"] {
        let mut guesser = Visitor::new(&server);
        let pages: Vec<_> = (0..8)
            .map(|guess| {
                let password = format!("not the password {guess}");
                guesser.post("/sign-in/enter", &[("name", name), ("password", &password)])
            })
            .collect();
        let slowed = pages.iter().find(|page| page.status == 429).expect("too many tries");
        assert!(slowed.retry_after.is_some());
        let words = |page: &Page| (page.status, plain(&page.text().replace(name, "...")));
        // The first five are free however fast they come; those between may be slowed down or not.
        told.push(pages[..5].iter().chain([slowed]).map(words).collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1]);
}

#[test]
fn a_connection_goes_on_after_a_request_that_was_refused() {
    let server = Lastkeyd::start(&[]);
    let address = server.host().replace("localhost", "127.0.0.1");
    let mut stream = connection(&address, "localhost", &server.certificate());
    let host = server.host();
    write!(stream, "POST /api/v1/records HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n").unwrap();
    stream.flush().unwrap();
    // What is refused by its head alone has a body all the same, which comes later.
    std::thread::sleep(Duration::from_millis(200));
    write!(stream, "hello").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 200"), "{rest}");
}

/// A connection over TLS, on which anything can be said.
pub type Connection = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// Connects. The handshake comes with the first thing that is said.
pub fn connection(address: &str, name: &'static str, certificate: &Path) -> Connection {
    over(TcpStream::connect(address).unwrap(), name, certificate, &[])
}

/// Speaks TLS over a connection, and one of some protocols in it.
pub fn over(stream: TcpStream, name: &'static str, certificate: &Path, protocols: &[&[u8]]) -> Connection {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(name).unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(60))).unwrap();
    rustls::StreamOwned::new(client, stream)
}

#[test]
fn what_is_anothers_looks_like_what_is_not_there() {
    let server = Lastkeyd::start(&[]);
    let (mut nobody, mut ada, mut bob) =
        (Visitor::new(&server), Visitor::new(&server), Visitor::new(&server));
    ada.make_account(&server, "Ada");
    let invited = Said::of(server.command(&["invite"]));
    bob.accept(invited.exits(0).out.trim(), "Bob");
    let [adas, bobs] = [(&mut ada, "Ada's PC"), (&mut bob, "Bob's PC")]
        .map(|(owner, name)| Device::let_in(owner, &server, name));
    // Only the key IDs differ, and what is sealed.
    let (there, nowhere) = ("3C116B76-C67B-484E-B439-CE2ED68B561E", "00000000-C67B-484E-B439-CE2ED68B561E");
    let record = bobs.add(there, b"Bob's key");
    let other = "0".repeat(64);
    adas.add("11111111-C67B-484E-B439-CE2ED68B561E", b"Ada's key");
    assert!(bob.get("/?key=3C116B76").text().contains(&record), "who may, finds it");

    let plain = |page: &Page| {
        let same = |text: &str| {
            let ids = [there, nowhere, &there[..8], &nowhere[..8], &record, &other];
            ids.iter().fold(text.to_owned(), |text, id| text.replace(id, "..."))
        };
        (page.status, same(&page.text()), page.fields.iter().map(|field| same(field)).collect::<Vec<_>>())
    };
    let reveal = [("reason", "because"), ("password", PASSWORD)];
    for visitor in [&mut nobody, &mut ada] {
        let mut told = [(there, &record), (nowhere, &other)].map(|(key_id, record)| {
            vec![
                visitor.get(&format!("/?key={}", &key_id[..8])),
                visitor.get(&format!("/?key={key_id}")),
                visitor.get(&format!("/keys/{record}")),
                visitor.post(&format!("/keys/{record}/reveal"), &reveal),
                visitor.get(&format!("/history?record={record}")),
            ]
        });
        // A session's cookie is given anew at any moment, and is another each time.
        told.iter_mut()
            .flatten()
            .for_each(|page| page.fields.retain(|field| !field.starts_with("set-cookie")));
        let [theirs, none] = told.map(|pages| pages.iter().map(plain).collect::<Vec<_>>());
        assert!(theirs.iter().all(|(status, ..)| *status < 500), "{theirs:?}");
        for (theirs, none) in theirs.iter().zip(&none) {
            assert_eq!(theirs, none);
        }
    }
    // Nor does a device learn of it, not even by what it is said to miss.
    let check_in = |key_id: &str| {
        json!({ "drives": [{
            "volume": "4967D63B-2E29-4AD8-8399-F6A339E3D001", "drive": "C:", "protection": "on",
            "key_ids": [key_id],
        }] })
    };
    let [theirs, none] = [(there, &record), (nowhere, &other)].map(|(key_id, record)| {
        let receipt = adas.get(&format!("/api/v1/records/{record}/receipt"));
        let checked = adas.post("/api/v1/check-ins", &check_in(key_id));
        assert_eq!((receipt.status, checked.status), (404, 200), "{}{}", receipt.text(), checked.text());
        // The server says what time it is.
        let text = |page: &Page| {
            let (status, text, fields) = plain(page);
            let text: String = text.split("\"now\":").take(1).collect();
            (status, text, fields)
        };
        [text(&receipt), text(&checked)]
    });
    assert_eq!(theirs, none);
    assert!(none[1].1.contains("missing"), "{none:?}");
}

#[test]
fn key_ids_cannot_be_enumerated() {
    let server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let mut nobody = Visitor::new(&server);
    // Who is not signed in is told nothing, whatever they ask for.
    let pages: Vec<_> = ["3C116B76", "00000000"]
        .map(|id| nobody.get(&format!("/?key={id}")).text().replace(id, "..."))
        .into();
    assert_eq!(pages[0], pages[1]);
    // Who is signed in finds their own, by eight characters or more.
    for short in ["3", "3C116B7", "%25", "_"] {
        let page = ada.get(&format!("/?key={short}"));
        assert!(page.status < 500 && !page.text().contains("/keys/"), "{short}: {}", page.text());
    }
    for id in ["0".repeat(64), "f".repeat(64), "x".repeat(64), "..".to_owned()] {
        assert_eq!(ada.get(&format!("/keys/{id}")).status, 404, "{id}");
    }
}
