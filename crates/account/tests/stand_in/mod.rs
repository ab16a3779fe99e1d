//! A server that does what a test wants: for what a real lastkeyd never does. The real one is in the whole-program
//! tests.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use account::signature::{DeviceKey, Request, Signed};
use account::wire::{Inclusion, Receipt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tlog::{Checkpoint, Edge, Hash, Node, NoteSigner, Plan};

/// What is sealed of the one record that these tests have.
pub const SEALED: &[u8] = b"a sealed record";

/// What a request says.
pub struct Asked {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
    fields: HashMap<String, String>,
}

impl Asked {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Reads who signed it, and asserts that the signature holds.
    #[track_caller]
    pub fn signed_by(&self, key: &DeviceKey) -> Signed {
        let [digest, input, signature] =
            ["content-digest", "signature-input", "signature"].map(|name| self.field(name));
        let signed = Signed::parse(digest, input, signature).expect("signed");
        let (method, target) = (self.method.as_str(), self.target.as_str());
        let request = Request { method, authority: self.field("host"), target, body: &self.body };
        signed.verify(&key.public(), &request).expect("the signature holds");
        signed
    }
}

/// A status, and a body; a location when the status is 302.
pub type Answer = (u16, String);

/// A server on the loopback interface, for as long as the test lives.
pub struct StandIn {
    pub url: String,
    pub certificate: Vec<u8>,
    /// How many requests it heard.
    pub heard: Arc<Mutex<usize>>,
}

impl StandIn {
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        Self::named(&["localhost"], answer)
    }

    pub fn named(names: &[&str], answer: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::CertificateParams::new(names).expect("names").self_signed(&key).expect("made");
        let certificate = made.der().to_vec();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate.clone())], key)
            .expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
        let heard = Arc::new(Mutex::new(0));
        let (config, count) = (Arc::new(config), heard.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(config.clone()).expect("a connection");
                let mut stream = StreamOwned::new(connection, stream);
                let Some(asked) = read(&mut stream) else { continue };
                *count.lock().expect("a count") += 1;
                let (status, body) = answer(&asked);
                let location = if status == 302 { format!("Location: {body}\r\n") } else { String::new() };
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                // Whoever does not want all of it hangs up.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { url, certificate, heard }
    }

    pub fn heard(&self) -> usize {
        *self.heard.lock().expect("a count")
    }
}

fn read(stream: &mut impl Read) -> Option<Asked> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let fields: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length = fields.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Asked { method, target, body, fields })
}

/// An audit log.
pub struct TestLog {
    signer: NoteSigner,
    kept: HashMap<Node, Hash>,
    edge: Edge,
    entries: Vec<String>,
}

impl TestLog {
    /// Makes a log with some entries. Logs of one key are one log as far as anybody can tell by their signatures.
    pub fn new(key: u8, entries: &[&str]) -> Self {
        let signer = NoteSigner::new("localhost/log", &[key; 32]).expect("a name");
        let mut log = Self { signer, kept: HashMap::new(), edge: Edge::default(), entries: Vec::new() };
        entries.iter().for_each(|entry| log.push(entry));
        log
    }

    /// Adds an entry: that the device has added the record. Its salt makes it another than the rest.
    pub fn push(&mut self, salt: &str) {
        self.push_entry(entry(salt).to_string());
    }

    /// Adds an entry that says what a test wants.
    pub fn push_entry(&mut self, entry: String) {
        let hash = tlog::leaf_hash(entry.as_bytes());
        self.entries.push(entry);
        let kept = &mut self.kept;
        self.edge.push(hash, |node, hash| {
            kept.insert(node, hash);
        });
    }

    pub fn key(&self) -> String {
        self.signer.verifier().to_string()
    }

    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Gives a receipt for bytes, by the last entry.
    pub fn receipt(&self, sealed: &[u8]) -> Receipt {
        let leaf = self.size() - 1;
        let path = Plan::inclusion(leaf, self.size()).expect("a leaf");
        let checkpoint =
            Checkpoint { origin: "localhost/log".to_owned(), size: self.size(), root: self.edge.root() };
        let entry = self.entries[leaf as usize].clone();
        let inclusion = Inclusion {
            leaf,
            hash: STANDARD.encode(tlog::leaf_hash(entry.as_bytes())),
            path: self.encode(&path),
            checkpoint: checkpoint.sign(&self.signer),
        };
        let (record, length) = (id(sealed), sealed.len() as u64);
        Receipt { record, length, uploaded: 1_763_900_000, entry, inclusion }
    }

    /// Answers what `/api/v1/audit/consistency?from=A&to=B` asks.
    pub fn consistency(&self, target: &str) -> Answer {
        let sizes: Vec<u64> = target.split(['=', '&']).filter_map(|part| part.parse().ok()).collect();
        let [from, to] = sizes[..] else { return (400, problem("invalid", 0)) };
        match Plan::consistency(from, to) {
            Ok(plan) if to <= self.size() => (200, json!({ "path": self.encode(&plan) }).to_string()),
            _ => (400, problem("invalid", 0)),
        }
    }

    fn encode(&self, plan: &Plan) -> Vec<String> {
        let hashes = plan.carry_out(|node| self.kept.get(&node).copied()).expect("all nodes");
        hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
    }
}

/// What a log says of [`SEALED`].
pub fn entry(salt: &str) -> Value {
    json!({
        "time": 1_763_900_000, "salt": salt, "act": "record.add", "outcome": "done", "account": "account-1",
        "device": "device-1", "record": id(SEALED), "address": "192.0.2.1", "detail": null,
    })
}

fn id(sealed: &[u8]) -> String {
    account::record::id(sealed).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a server says that says no.
pub fn problem(code: &str, now: i64) -> String {
    json!({ "code": code, "message": "as the test wants it", "now": now }).to_string()
}
