//! A device that says whatever it is told to, signed as it should be: for what the client would never say.

use account::signature::{DeviceKey, Request, SignedHeaders, sign};
use account::wire::DeviceLoginState;
use account::{Login, Trust, presented};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lastkey_tests::lastkeyd::Lastkeyd;
use lastkey_tests::visitor::{self, Page, Visitor};
use serde_json::{Value, json};
use ureq::Agent;

/// A device of an account.
pub struct Device {
    agent: Agent,
    url: String,
    host: String,
    /// The ID that it signs with: the device's, or of who waits to be let in the public key.
    pub id: String,
    pub key: DeviceKey,
    /// To whom the account's records are sealed.
    pub recipients: Vec<String>,
}

impl Device {
    /// Lets a new device into somebody's account.
    pub fn let_in(owner: &mut Visitor, server: &Lastkeyd, name: &str) -> Self {
        let address = server.url("").parse().unwrap();
        let trust = Trust::Pinned(presented(&address).unwrap());
        let mut login = Login::begin(address, trust, name).unwrap();
        owner.confirm(login.code().0);
        let state = login.state().unwrap();
        assert!(matches!(state, DeviceLoginState::Confirmed { .. }), "{state:?}");
        let (about, key) = login.finish();
        let recipients = about.recipients.iter().map(|to| to.recipient.clone()).collect();
        Self { id: about.device.clone(), key, recipients, ..Self::stranger(server) }
    }

    /// A device that nobody has let in.
    pub fn stranger(server: &Lastkeyd) -> Self {
        let key = DeviceKey::generate().unwrap();
        let id = STANDARD.encode(key.public());
        let (agent, url, host) = (visitor::agent(server), server.url(""), server.host());
        Self { agent, url, host, id, key, recipients: Vec::new() }
    }

    /// Signs a request.
    pub fn sign(&self, method: &str, target: &str, body: &[u8]) -> SignedHeaders {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).unwrap();
        let request = Request { method, authority: &self.host, target, body };
        sign(&self.key, &self.id, &request, jiff::Timestamp::now().as_second(), nonce)
    }

    pub fn get(&self, target: &str) -> Page {
        let SignedHeaders { content_digest, signature_input, signature } = self.sign("GET", target, b"");
        let request = self.agent.get(format!("{}{target}", self.url));
        let request = request.header("content-digest", content_digest);
        let request = request.header("signature-input", signature_input).header("signature", signature);
        visitor::read(request.call().unwrap())
    }

    pub fn post(&self, target: &str, body: &Value) -> Page {
        let body = serde_json::to_vec(body).unwrap();
        let SignedHeaders { content_digest, signature_input, signature } = self.sign("POST", target, &body);
        let request = self.agent.post(format!("{}{target}", self.url));
        let request = request.header("content-digest", content_digest);
        let request = request.header("signature-input", signature_input).header("signature", signature);
        visitor::read(request.send(&body[..]).unwrap())
    }

    /// Returns what to say of a record that is sealed already.
    pub fn record(&self, key_id: &str, sealed: &[u8]) -> Value {
        json!({
            "kind": "recovery-key", "volume": "4967D63B-2E29-4AD8-8399-F6A339E3D001", "key_id": key_id,
            "drive": "C:", "proven": 1_700_000_000, "recipients": self.recipients,
            "sealed": STANDARD.encode(sealed),
        })
    }

    /// Seals something to the account's recipients.
    pub fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        sealed::Seal::to_recipients(&self.recipients).unwrap().seal(bytes).unwrap()
    }

    /// Adds a record that says something, and returns its ID.
    pub fn add(&self, key_id: &str, bytes: &[u8]) -> String {
        let page = self.post("/api/v1/records", &self.record(key_id, &self.seal(bytes)));
        assert_eq!(page.status, 201, "{}", page.text());
        let receipt: Value = serde_json::from_slice(&page.bytes).unwrap();
        receipt["record"].as_str().unwrap().to_owned()
    }
}
