//! The judges tell right from wrong, and the mail server takes mails.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use account::signature::{DeviceKey, Request, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::judges::{self, MailServer};

#[test]
fn another_library_reads_our_signatures_and_refuses_what_was_altered() {
    let key = DeviceKey::generate().unwrap();
    let id = "0191f3a2-0000-7000-8000-000000000001";
    let (authority, target, body) = ("localhost:4848", "/api/v1/audit/consistency?from=3&to=9", "{}");
    let now = jiff::Timestamp::now().as_second();
    let signed =
        sign(&key, id, &Request { method: "POST", authority, target, body: body.as_bytes() }, now, [7; 16]);
    let headers = [
        ("Content-Digest", signed.content_digest.as_str()),
        ("Signature-Input", signed.signature_input.as_str()),
        ("Signature", signed.signature.as_str()),
    ];
    let judge = |method, target: &str, body: &str, key: &DeviceKey| {
        let url = format!("https://{authority}{target}");
        let request = judges::Request { method, url: &url, headers: &headers, body: &STANDARD.encode(body) };
        judges::signature(&request, &STANDARD.encode(key.public()))
    };
    let Some(read) = judge("POST", target, body, &key) else { return };
    let read = read.unwrap();
    assert_eq!(read["keyid"], id);
    assert_eq!(read["nonce"], STANDARD.encode([7; 16]));
    for altered in [
        judge("GET", target, body, &key),
        judge("POST", "/api/v1/audit/consistency?from=3&to=8", body, &key),
        judge("POST", target, "{ }", &key),
        judge("POST", target, body, &DeviceKey::generate().unwrap()),
    ] {
        assert!(altered.unwrap().is_err());
    }
}

#[test]
fn mails_arrive() {
    let Some(mails) = MailServer::start() else { return };
    let address = mails.url();
    let client = TcpStream::connect(address.strip_prefix("smtp://").unwrap()).unwrap();
    let mut answers = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
    let lines = "HELO here\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";
    let mail = "Subject: A key was shown\r\n\r\nTo you, we hope.\r\n.\r\n";
    assert!(answers.next().unwrap().starts_with("220 "));
    for line in lines.split_inclusive("\r\n").chain([mail]) {
        (&client).write_all(line.as_bytes()).unwrap();
        let answer = answers.next().unwrap();
        assert!(answer.starts_with("250") || answer.starts_with("354"), "{line}: {answer}");
    }
    let mail = mails.next();
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("a@example.org", &["b@example.org".to_owned()][..])
    );
    assert_eq!((mail.subject.as_str(), mail.text.trim()), ("A key was shown", "To you, we hope."));
}
