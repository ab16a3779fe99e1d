//! Requests that a device has signed (RFC 9421), as extractors: what a handler gets has been checked.

use account::signature::{Request as SignedRequest, SignatureError, Signed};
use account::wire::CLOCK_LIMIT;
use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{Extensions, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::audit::Asker;
use crate::error::Error;
use crate::gate::{self, From};
use crate::store::devices::{self, Device};
use crate::store::{Nonce, now};

/// A device's request, of which the nonce is still to be spent: by the very change that it asks for, which also sees
/// whether the device was shut out a moment ago.
pub struct Unspent<T> {
    /// Who asks.
    pub device: Device,
    /// What makes this request different from every other.
    pub nonce: Nonce,
    /// From where.
    pub from: From,
    /// What is said.
    pub body: T,
}

/// A device's request. Its nonce is spent.
pub struct FromDevice<T> {
    /// Who asks.
    pub device: Device,
    /// What is said.
    pub body: T,
}

/// A request of a device that nobody has let in yet. Its nonce is spent by what comes of it: a stranger who gets nothing
/// leaves nothing behind, so that nobody fills the database.
pub struct FromStranger<T> {
    /// The key that it shows and has signed with.
    pub public_key: [u8; 32],
    /// What makes this request different from every other.
    pub nonce: Nonce,
    /// From where.
    pub from: From,
    /// What is said.
    pub body: T,
}

/// What a request can carry: JSON, or nothing.
pub trait Body: Sized + Send {
    /// Reads it.
    ///
    /// # Errors
    /// When it is something else.
    fn read(bytes: &[u8]) -> Result<Self, Error>;
}

impl<T: DeserializeOwned + Send> Body for axum::Json<T> {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Error::Invalid(format!("the body is not what this takes: {error}")))
    }
}

impl Body for () {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.is_empty() { Ok(()) } else { Err(Error::Invalid("this takes no body".to_owned())) }
    }
}

impl<T: Body> FromRequest<App> for Unspent<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let heard = Heard::new(request, app).await?;
        // A device that is not known and a signature that does not fit are answered alike.
        let device = match devices::known(&app.store, &heard.signed.keyid).await {
            Err(Error::NotFound) => return Err(unsigned(SignatureError::Wrong)),
            found => found?,
        };
        heard.verify(&device.public_key)?;
        Asker::tell(&heard.extensions, &device.account, Some(&device.id));
        if device.revoked.is_some() {
            return Err(devices::shut_out());
        }
        let body = T::read(&heard.body)?;
        Ok(Self { nonce: heard.nonce(), from: heard.from, device, body })
    }
}

impl<T: Body> FromRequest<App> for FromDevice<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let Unspent { device, nonce, body, .. } = Unspent::from_request(request, app).await?;
        let hear = app.store.write(move |tx| {
            Box::pin(async move { devices::hear(tx, &nonce).await.map(|()| ((), Vec::new())) })
        });
        hear.await?;
        Ok(Self { device, body })
    }
}

impl<T: Body> FromRequest<App> for FromStranger<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let heard = Heard::new(request, app).await?;
        let key = STANDARD.decode(&heard.signed.keyid).ok().and_then(|key| key.try_into().ok());
        let public_key: [u8; 32] = key.ok_or_else(|| unsigned(SignatureError::Key))?;
        heard.verify(&public_key)?;
        let (body, nonce, from) = (T::read(&heard.body)?, heard.nonce(), heard.from);
        Ok(Self { public_key, nonce, from, body })
    }
}

/// A request as it came: signed by somebody, at a time that can be.
struct Heard {
    signed: Signed,
    method: String,
    authority: String,
    target: String,
    body: Bytes,
    from: From,
    extensions: Extensions,
}

impl Heard {
    async fn new(request: Request, app: &App) -> Result<Self, Error> {
        let authority = gate::authority(&request).map(|authority| authority.to_string()).unwrap_or_default();
        let (mut parts, body) = request.into_parts();
        let Ok(from) = From::from_request_parts(&mut parts, app).await;
        // Before anything is refused: a connection whose request was not read to its end is closed, and what the device
        // says on it next is lost.
        let body = to_bytes(body, gate::BODY_LIMIT)
            .await
            .map_err(|_| Error::TooLarge("the body is larger than this takes".to_owned()))?;
        let field = |name| field(&parts.headers, name);
        let signed = Signed::parse(field("content-digest")?, field("signature-input")?, field("signature")?)
            .map_err(unsigned)?;
        let here = now();
        if here.abs_diff(signed.created) > CLOCK_LIMIT.unsigned_abs() {
            let why = format!(
                "the device's clock says {} and the server's {here}: more than {CLOCK_LIMIT} seconds apart",
                signed.created
            );
            return Err(Error::Unauthorized("clock", why));
        }
        let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let (method, extensions) = (parts.method.to_string(), parts.extensions);
        Ok(Self { signed, method, authority, target, body, from, extensions })
    }

    fn verify(&self, public_key: &[u8; 32]) -> Result<(), Error> {
        let request = SignedRequest {
            method: &self.method,
            authority: &self.authority,
            target: &self.target,
            body: &self.body,
        };
        self.signed.verify(public_key, &request).map_err(unsigned)
    }

    fn nonce(&self) -> Nonce {
        Nonce {
            device: self.signed.keyid.clone(),
            bytes: self.signed.nonce.to_vec(),
            expires: self.signed.created.saturating_add(2 * CLOCK_LIMIT),
        }
    }
}

fn field<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Error> {
    let mut all = headers.get_all(name).iter();
    match (all.next().map(|value| value.to_str()), all.next()) {
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(Error::Unauthorized("signature", format!("this is for devices, which sign: no {name}"))),
    }
}

fn unsigned(error: SignatureError) -> Error {
    Error::Unauthorized("signature", error.to_string())
}
