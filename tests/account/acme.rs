//! Certificates from a real ACME server.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use lastkey_tests::judges::AcmeServer;
use lastkey_tests::lastkeyd::Lastkeyd;

use crate::abuse::connection;

const NAME: &str = "keys.test";

#[test]
fn a_certificate_is_got_by_acme_on_the_port_that_is_served() {
    // Nobody knows the port before the server has it, and ACME has to be there first.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let Some(acme) = AcmeServer::start(NAME, port) else { return };
    let (directory, ca, url) = (acme.directory(), acme.ca(), format!("https://{NAME}"));
    let listen = format!("127.0.0.1:{port}");
    let options = ["--url", &url, "--acme", "ada@keys.test", "--acme-directory", &directory, "--acme-ca"];
    let server = Lastkeyd::start_at(port, &[&options[..], &[ca.to_str().unwrap()]].concat());
    let until = Instant::now() + Duration::from_secs(120);
    while !answers(&listen, &ca) {
        assert!(Instant::now() < until, "{}", server.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    // It is kept, for its owner alone.
    let kept = server.data().join("acme");
    assert!(std::fs::read_dir(&kept).unwrap().count() >= 2);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o700);
}

/// Whether somebody who trusts the authority, and nobody else, is answered over TLS.
fn answers(listen: &str, ca: &std::path::Path) -> bool {
    use std::io::{Read, Write};
    let mut stream = connection(listen, NAME, ca);
    let said = write!(stream, "GET /healthz HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    said.is_ok() && stream.read_to_end(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 200")
}
