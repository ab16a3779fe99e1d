//! What somebody does who means harm, or a program that makes mistakes by the thousand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lastkey_tests::lastkeyd::Lastkeyd;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::visitor::{Page, Visitor};

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
pub fn connection(
    address: &str,
    name: &'static str,
    certificate: &Path,
) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name).unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    rustls::StreamOwned::new(client, stream)
}

#[test]
fn who_is_slow_or_says_too_much_is_shown_out_and_others_are_served() {
    let server = Lastkeyd::start(&[]);
    let mut visitor = Visitor::new(&server);

    let address = server.host().replace("localhost", "127.0.0.1");
    let connection = || connection(&address, "localhost", &server.certificate());

    // A hundred who say nothing, half a line, or a body that never ends.
    let host = server.host();
    let begun = ["", "GET / HT", "POST /sign-in/enter HTTP/1.1\r\nHost: "];
    let mut slow: Vec<_> = (0..100).map(|_| connection()).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        stream.write_all(begun[number % begun.len()].as_bytes()).unwrap();
        stream.flush().unwrap();
    }
    assert_eq!(visitor.get("/").status, 200);
    // They are shown out by the server, not by us.
    for mut stream in slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }

    // A body that is larger than any, said beforehand and not.
    for head in ["Content-Length: 100000000000", "Transfer-Encoding: chunked"] {
        let mut stream = connection();
        write!(stream, "POST /api/v1/records HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n").unwrap();
        let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        for _ in 0..64 {
            if stream.write_all(piece.as_bytes()).is_err() {
                break;
            }
        }
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).is_ok() {
            let status = String::from_utf8_lossy(&answer).into_owned();
            assert!(
                ["HTTP/1.1 401", "HTTP/1.1 413", "HTTP/1.1 400"].contains(&status.as_str()),
                "{head}: {status}"
            );
        }
    }

    // Headers without end.
    let mut stream = connection();
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\n").unwrap();
    let line = format!("X-Much: {}\r\n", "x".repeat(8000));
    let mut said = 0;
    while said < 1000 && stream.write_all(line.as_bytes()).is_ok() {
        said += 1;
    }
    assert!(said < 1000, "headers of 8 MB were listened to");
    assert_eq!(visitor.get("/").status, 200);
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
