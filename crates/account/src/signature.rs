//! How a device signs what it asks: HTTP Message Signatures (RFC 9421), of which this is a small and strict part.
//!
//! A request carries three fields, here with line breaks that are not in them:
//! ```text
//! Content-Digest: sha-256=:ZCDlFEFtqbbkZpACrWAWxJnyQFIMTkGTBtVUplDFUDk=:
//! Signature-Input: sig=("@method" "@authority" "@path" "@query" "content-digest")
//!     ;created=1763900000;nonce="hbuJ3TPcJsJ0Hz8wNbVU7w==";keyid="0191f3a2-...";alg="ed25519"
//! Signature: sig=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:
//! ```
//! So a signature says who asked for what, of which server, with which body, and when. [`Signed::verify`] says that
//! the key made it; that the time is now and that the nonce was not seen before, the server sees to.
//!
//! Exactly these components and parameters are read, in this order and no other form: a request has one way to be
//! signed, and nothing in it is left to be read in two ways.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use recovery_key::Secret;
use sha2::{Digest as _, Sha256};

/// The components of a request that are signed.
const COMPONENTS: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
/// The bytes of a nonce.
pub const NONCE: usize = 16;
/// The longest key ID, in bytes: 32 bytes in Base64, or a GUID.
pub const KEY_ID_LIMIT: usize = 44;
/// The longest field that is looked at. What we write has less than 250 bytes.
const FIELD_LIMIT: usize = 512;

/// What a device signs with. Wiped when it is dropped.
pub struct DeviceKey(Box<SigningKey>);

impl DeviceKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Secret::new([0; 32]);
        getrandom::fill(bytes.expose_mut())?;
        Ok(Self::from_bytes(&bytes))
    }

    /// Takes a key as [`to_bytes`](Self::to_bytes) gives it; every 32 bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &Secret<[u8; 32]>) -> Self {
        Self(Box::new(SigningKey::from_bytes(bytes.expose())))
    }

    /// Returns the key, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Secret<[u8; 32]> {
        Secret::new(*self.0.as_bytes())
    }

    /// Returns the public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", STANDARD.encode(self.public()))
    }
}

/// A request, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`.
    pub method: &'a str,
    /// The server's name as the `Host` field has it: `keys.example.org:4848`.
    pub authority: &'a str,
    /// Path and query: `/api/v1/audit/consistency?from=3&to=9`.
    pub target: &'a str,
    /// The body; empty when there is none.
    pub body: &'a [u8],
}

/// The fields that sign a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `Content-Digest`.
    pub content_digest: String,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// Signs a request. `key_id` says to the server whose signature it is: letters, digits and `+/=-`, as GUIDs and
/// Base64 have them. No nonce may be used twice.
#[must_use]
pub fn sign(
    key: &DeviceKey,
    key_id: &str,
    request: &Request<'_>,
    now: i64,
    nonce: [u8; NONCE],
) -> SignedHeaders {
    debug_assert!(is_key_id(key_id), "{key_id:?} could not be read back");
    let parameters = parameters(now, &nonce, key_id);
    let digest = Sha256::digest(request.body).into();
    let signature = key.0.sign(base(request, &digest, &parameters).as_bytes());
    SignedHeaders {
        content_digest: content_digest(&digest),
        signature_input: format!("sig={parameters}"),
        signature: format!("sig=:{}:", STANDARD.encode(signature.to_bytes())),
    }
}

/// What the fields of a request say, before it is known whether it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Who signed.
    pub keyid: String,
    /// When, by the device's clock, in seconds since 1970.
    pub created: i64,
    /// What makes it different from every other.
    pub nonce: [u8; NONCE],
    digest: [u8; 32],
    signature: [u8; 64],
}

/// Why a request counts as not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The body's digest.
    #[error("Content-Digest is not sha-256=:BASE64:")]
    ContentDigest,
    /// What is signed.
    #[error("Signature-Input does not have exactly the components and parameters that are asked for")]
    Input,
    /// The signature itself.
    #[error("Signature is not sig=:BASE64: of 64 bytes")]
    Form,
    /// The body is not the one that was signed.
    #[error("the body is not the one that was signed")]
    Body,
    /// The key that the device is known by is none.
    #[error("the device's public key is none of Ed25519")]
    Key,
    /// Somebody else signed, or something else was signed.
    #[error("the signature does not fit")]
    Wrong,
}

impl Signed {
    /// Reads the three fields.
    ///
    /// # Errors
    /// Says which of them is wrong.
    pub fn parse(
        content_digest: &str,
        signature_input: &str,
        signature: &str,
    ) -> Result<Self, SignatureError> {
        let digest = bytes(content_digest, "sha-256=:").ok_or(SignatureError::ContentDigest)?;
        let (created, nonce, key_id) = input(signature_input).ok_or(SignatureError::Input)?;
        let signature = bytes(signature, "sig=:").ok_or(SignatureError::Form)?;
        Ok(Self { keyid: key_id.to_owned(), created, nonce, digest, signature })
    }

    /// Checks that the owner of a public key signed just this request.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn verify(&self, public_key: &[u8; 32], request: &Request<'_>) -> Result<(), SignatureError> {
        if <[u8; 32]>::from(Sha256::digest(request.body)) != self.digest {
            return Err(SignatureError::Body);
        }
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| SignatureError::Key)?;
        let parameters = parameters(self.created, &self.nonce, &self.keyid);
        let base = base(request, &self.digest, &parameters);
        key.verify_strict(base.as_bytes(), &Signature::from_bytes(&self.signature))
            .map_err(|_| SignatureError::Wrong)
    }
}

/// The lines that are signed (RFC 9421, section 2.5).
fn base(request: &Request<'_>, digest: &[u8; 32], parameters: &str) -> String {
    let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
    let path = if path.is_empty() { "/" } else { path };
    let authority = request.authority.to_ascii_lowercase();
    // The port that goes without saying is not said (section 2.2.3).
    let authority = authority.strip_suffix(":443").unwrap_or(&authority);
    format!(
        "\"@method\": {}\n\"@authority\": {authority}\n\"@path\": {path}\n\"@query\": ?{query}\n\
         \"content-digest\": {}\n\"@signature-params\": {parameters}",
        request.method,
        content_digest(digest),
    )
}

fn parameters(created: i64, nonce: &[u8; NONCE], key_id: &str) -> String {
    let nonce = STANDARD.encode(nonce);
    format!(r#"{COMPONENTS};created={created};nonce="{nonce}";keyid="{key_id}";alg="ed25519""#)
}

fn content_digest(digest: &[u8; 32]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

/// Reads what [`parameters`] writes: time, nonce and key ID.
fn input(field: &str) -> Option<(i64, [u8; NONCE], &str)> {
    let rest = bounded(field)?.strip_prefix("sig=")?.strip_prefix(COMPONENTS)?;
    let (created, rest) = rest.strip_prefix(";created=")?.split_once(";nonce=\"")?;
    let (nonce, rest) = rest.split_once("\";keyid=\"")?;
    let key_id = rest.strip_suffix("\";alg=\"ed25519\"")?;
    let nonce = STANDARD.decode(nonce).ok()?.try_into().ok()?;
    let number: i64 = created.parse().ok()?;
    // One way to write a number: no sign, no zero in front.
    let plain = number >= 0 && number.to_string() == created;
    (plain && is_key_id(key_id)).then_some((number, nonce, key_id))
}

/// Reads bytes between a beginning and a colon.
fn bytes<const N: usize>(field: &str, start: &str) -> Option<[u8; N]> {
    let text = bounded(field)?.strip_prefix(start)?.strip_suffix(':')?;
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn bounded(field: &str) -> Option<&str> {
    (field.len() <= FIELD_LIMIT).then_some(field)
}

/// Says whether a text can be the ID of a key.
pub(crate) fn is_key_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-".contains(&byte);
    (1..=KEY_ID_LIMIT).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: Request<'_> = Request {
        method: "POST",
        authority: "keys.example.org:4848",
        target: "/api/v1/records?a=b",
        body: b"{}",
    };

    fn key() -> DeviceKey {
        DeviceKey::from_bytes(&Secret::new([7; 32]))
    }

    fn signed(headers: &SignedHeaders) -> Result<Signed, SignatureError> {
        Signed::parse(&headers.content_digest, &headers.signature_input, &headers.signature)
    }

    #[test]
    fn what_was_signed_is_read_and_holds() {
        let headers = sign(&key(), "device-1", &REQUEST, 1_763_900_000, [9; NONCE]);
        let signed = signed(&headers).expect("our own");
        let said = (signed.keyid.as_str(), signed.created, signed.nonce);
        assert_eq!(said, ("device-1", 1_763_900_000, [9; NONCE]));
        assert_eq!(signed.verify(&key().public(), &REQUEST), Ok(()));
        let shouted = Request { authority: "KEYS.example.org:4848", ..REQUEST };
        assert_eq!(signed.verify(&key().public(), &shouted), Ok(()), "names of servers have no case");
    }

    #[test]
    fn the_base_is_that_of_the_standard() {
        let bare = Request { method: "GET", authority: "Example.org:443", target: "", body: b"" };
        let expected = r#""@method": GET
"@authority": example.org
"@path": /
"@query": ?
"content-digest": sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:
"@signature-params": ("@method" "@authority" "@path" "@query" "content-digest");created=5;nonce="AAAAAAAAAAAAAAAAAAAAAA==";keyid="k";alg="ed25519""#;
        let digest = Sha256::digest(b"").into();
        assert_eq!(base(&bare, &digest, &parameters(5, &[0; NONCE], "k")), expected);
    }

    #[test]
    fn whatever_is_changed_breaks_the_signature() {
        let signed = signed(&sign(&key(), "device-1", &REQUEST, 1, [9; NONCE])).expect("our own");
        let public = key().public();
        for other in [
            Request { method: "PUT", ..REQUEST },
            Request { authority: "keys.example.com:4848", ..REQUEST },
            Request { target: "/api/v1/records?a=c", ..REQUEST },
            Request { target: "/api/v1/records", ..REQUEST },
            Request { target: "/api/v1/record?a=b", ..REQUEST },
        ] {
            assert_eq!(signed.verify(&public, &other), Err(SignatureError::Wrong), "{other:?}");
        }
        let body = Request { body: b"{ }", ..REQUEST };
        assert_eq!(signed.verify(&public, &body), Err(SignatureError::Body));
        let stranger = DeviceKey::from_bytes(&Secret::new([8; 32])).public();
        assert_eq!(signed.verify(&stranger, &REQUEST), Err(SignatureError::Wrong));
        for changed in [
            Signed { created: 2, ..signed.clone() },
            Signed { nonce: [8; NONCE], ..signed.clone() },
            Signed { keyid: "device-2".to_owned(), ..signed.clone() },
        ] {
            assert_eq!(changed.verify(&public, &REQUEST), Err(SignatureError::Wrong), "{changed:?}");
        }
        // A point of small order, under which more than one message would be signed.
        let mut weak = [0; 32];
        weak[0] = 1;
        assert!(signed.verify(&weak, &REQUEST).is_err());
    }

    #[test]
    fn there_is_one_way_to_write_it() {
        let good = sign(&key(), "device-1", &REQUEST, 1_763_900_000, [9; NONCE]);
        let replaced = |from: &str, to: &str| {
            assert!(good.signature_input.contains(from), "{from}");
            SignedHeaders { signature_input: good.signature_input.replace(from, to), ..good.clone() }
        };
        for wrong in [
            replaced("sig=", "sig1="),
            replaced(" \"@query\"", ""),
            replaced("\"@path\" \"@query\"", "\"@query\" \"@path\""),
            replaced("created=1", "created=+1"),
            replaced("created=1", "created=01"),
            replaced("created=1763900000", "created=-1"),
            replaced("created=1763900000", "created=99999999999999999999"),
            replaced(";created", " ;created"),
            replaced(";alg=\"ed25519\"", ""),
            replaced("ed25519", "hmac-sha256"),
            replaced(";alg", ";expires=1;alg"),
            replaced("device-1", ""),
            replaced("device-1", "device\\\"1"),
            replaced("device-1", &"d".repeat(KEY_ID_LIMIT + 1)),
            replaced("CQ==", "CR=="),
            replaced("CQ==", "CQ"),
            replaced("nonce=\"", "nonce=\"AAAA"),
        ] {
            assert_eq!(signed(&wrong), Err(SignatureError::Input), "{}", wrong.signature_input);
        }
        let long = SignedHeaders { signature: "s".repeat(1 << 20), ..good.clone() };
        assert_eq!(signed(&long), Err(SignatureError::Form));
        let short = SignedHeaders { signature: "sig=:AAAA:".to_owned(), ..good.clone() };
        assert_eq!(signed(&short), Err(SignatureError::Form));
        let other = good.content_digest.replace("256", "512");
        assert_eq!(
            signed(&SignedHeaders { content_digest: other, ..good }),
            Err(SignatureError::ContentDigest)
        );
    }

    #[test]
    fn a_key_is_kept_and_not_shown() {
        let key = DeviceKey::generate().expect("random bytes");
        let again = DeviceKey::from_bytes(&key.to_bytes());
        assert_eq!(again.public(), key.public());
        assert!(!format!("{key:?}").contains(&STANDARD.encode(key.to_bytes().expose())));
    }

    proptest! {
        #[test]
        fn any_fields_are_survived(digest in ".{0,80}", input in ".{0,200}", signature in ".{0,120}") {
            let _ = Signed::parse(&digest, &input, &signature);
        }
    }
}
