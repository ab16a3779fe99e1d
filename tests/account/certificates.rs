//! Certificates that change while the server has to be reached.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use account::presented;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::Visitor;
use rcgen::{CertificateParams, KeyPair};

use crate::crash::Device;

/// How long the server may take to notice.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a certificate: its DER, and what its two files hold.
fn certificate() -> (Vec<u8>, String, String) {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (made.der().to_vec(), made.pem(), key.serialize_pem())
}

fn shown(server: &Lastkeyd) -> Vec<u8> {
    presented(&server.url("").parse().unwrap()).unwrap()
}

fn wait_until(server: &Lastkeyd, what: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_certificate_that_something_else_renews_is_served_without_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
    let (first, first_chain, first_key) = certificate();
    write(&chain, &first_chain);
    write(&key, &first_key);
    let options = ["--certificate", chain.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let server = Lastkeyd::start(&options);
    assert_eq!(shown(&server), first);

    // Half of the renewal is not used: the key is still that of the one before.
    let (second, second_chain, second_key) = certificate();
    write(&chain, &second_chain);
    wait_until(&server, || server.log().contains("the certificate changed and is not used"));
    assert_eq!(shown(&server), first);
    write(&key, &second_key);
    wait_until(&server, || shown(&server) == second);
}

#[test]
fn a_server_that_gets_a_new_name_keeps_its_devices() {
    let mut server = Lastkeyd::start(&[]);
    let mut ada = Visitor::new(&server);
    ada.make_account(&server, "Ada");
    let folder = tempfile::tempdir().unwrap();
    let mut device = Device::let_in(&mut ada, &server, folder.path(), "laptop");
    let (before, compared) = (shown(&server), server.fingerprint());

    assert!(server.end(), "{}", server.log());
    server.set_options(&["--host", "keys.example.org"]);
    server.start_again();
    assert!(shown(&server) != before && server.fingerprint() != compared);
    assert!(server.log().contains("made anew"), "{}", server.log());
    // By the old name as before: the new certificate is signed with the key of the one that was compared.
    device.send();
    // And by the new one.
    let address = server.host().replace("localhost", "127.0.0.1");
    let mut stream = crate::abuse::connection(&address, "keys.example.org", &server.certificate());
    stream.conn.complete_io(&mut stream.sock).unwrap();

    assert!(server.end(), "{}", server.log());
    let now = fs::read(server.certificate()).unwrap();
    server.start_again();
    assert_eq!(fs::read(server.certificate()).unwrap(), now, "it is made anew once");
}
