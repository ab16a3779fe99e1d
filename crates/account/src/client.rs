//! Talking to a server: JSON over TLS, every request signed, every answer bounded.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use crate::address::Address;
use crate::log::Alarm;
use crate::place::PlaceError;
use crate::signature::{DeviceKey, NONCE, Request, SignedHeaders, sign};
use crate::trust::Trust;
use crate::wire::{Problem, Server};

/// How long a request may take from its beginning to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// No answer is larger.
const ANSWER_LIMIT: u64 = 1 << 20;
const HEADER_LIMIT: usize = 32 << 10;

/// A server, and how it is known.
#[derive(Debug)]
pub struct Client {
    server: Address,
    agent: Agent,
    trust: Trust,
    /// How far the server's clock is ahead of ours, once it has said so.
    ahead: AtomicI64,
}

/// Who signs a request.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The key.
    pub key: &'a DeviceKey,
    /// What the server knows it by.
    pub keyid: &'a str,
}

/// Why something did not come about at the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there now.
    #[error("{server} cannot be reached: {why}")]
    Unreachable {
        /// The server.
        server: Address,
        /// Why not.
        why: String,
    },
    /// Somebody answers who is not known to be the server.
    #[error("{server} is not known to be who it says: {why}")]
    Untrusted {
        /// The server.
        server: Address,
        /// Why not.
        why: String,
    },
    /// The server said no.
    #[error("{server}: {message}")]
    Refused {
        /// The server.
        server: Address,
        /// The word for programs.
        code: String,
        /// What it said.
        message: String,
    },
    /// What it said is not what a lastkeyd says.
    #[error("{server} answered with something that lastkeyd does not say: {why}")]
    Answer {
        /// The server.
        server: Address,
        /// What it was.
        why: String,
    },
    /// The receipt is not of what was sent.
    #[error("the receipt is not of what was sent: {0}")]
    Receipt(String),
    /// The audit log is not what it was.
    #[error(transparent)]
    Alarm(#[from] Box<Alarm>),
    /// What waits was sealed to recipients that the account does not have any more.
    #[error(
        "it was sealed when the account had other recipients, so it cannot be sent any more: back the drive up again"
    )]
    Outdated,
    /// To whom the account's records are sealed is not what the person confirmed.
    #[error("the account's recipients are others now than those you confirmed")]
    Recipients,
    /// What this computer keeps of the account cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl ClientError {
    /// Returns whether it may go by itself: later the same may work.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { code, .. } => {
                matches!(code.as_str(), "busy" | "too-many" | "clock" | "replay" | "internal")
            }
            _ => false,
        }
    }
}

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// Makes ready to talk to a server.
    #[must_use]
    pub fn new(server: Address, trust: Trust) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(trust.roots())
            .build();
        // A proxy or a redirection would be somebody whom the person did not name.
        let agent = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .timeout_connect(Some(CONNECT_PATIENCE))
            .max_response_header_size(HEADER_LIMIT)
            .user_agent(concat!("lastkey/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build()
            .new_agent();
        Self { server, agent, trust, ahead: AtomicI64::new(0) }
    }

    /// Returns the server.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.server
    }

    /// Asks who the server is.
    ///
    /// # Errors
    /// When it does not say.
    pub fn server(&self) -> Result<Server> {
        self.get("/api/v1/server", None)
    }

    /// Asks for something.
    pub(crate) fn get<T: DeserializeOwned>(&self, target: &str, signer: Option<Signer<'_>>) -> Result<T> {
        self.ask("GET", target, b"", signer)
    }

    /// Says something.
    pub(crate) fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        target: &str,
        body: &B,
        signer: Signer<'_>,
    ) -> Result<T> {
        let body = serde_json::to_vec(body).map_err(|error| self.strange(error.to_string()))?;
        self.ask("POST", target, &body, Some(signer))
    }

    /// Asks, and once again when the server only minds how it was signed: by a wrong clock, or with a nonce that
    /// a lost answer has used up.
    fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
        signer: Option<Signer<'_>>,
    ) -> Result<T> {
        let mut answer = self.once(method, target, body, signer)?;
        if let Err(problem) = &answer
            && matches!(problem.code.as_str(), "clock" | "replay")
        {
            self.ahead.store(problem.now.saturating_sub(now()), Ordering::Relaxed);
            answer = self.once(method, target, body, signer)?;
        }
        let bytes = answer.map_err(|Problem { code, message, .. }| {
            let message = one_line(&message);
            ClientError::Refused { server: self.server.clone(), code, message }
        })?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(error.to_string()))
    }

    fn once(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
        signer: Option<Signer<'_>>,
    ) -> Result<std::result::Result<Vec<u8>, Problem>> {
        let headers = signer.map(|signer| self.signed(signer, method, target, body)).transpose()?;
        let url = format!("{}{target}", self.server);
        let fields = headers.iter().flat_map(|headers| {
            [
                ("content-digest", &headers.content_digest),
                ("signature-input", &headers.signature_input),
                ("signature", &headers.signature),
            ]
        });
        let sent = if method == "POST" {
            let request = self.agent.post(url).content_type("application/json");
            fields.fold(request, |request, (name, value)| request.header(name, value)).send(body)
        } else {
            let request = self.agent.get(url);
            fields.fold(request, |request, (name, value)| request.header(name, value)).call()
        };
        self.read(sent.map_err(|error| self.lost(error))?)
    }

    fn read(&self, answer: Response<Body>) -> Result<std::result::Result<Vec<u8>, Problem>> {
        let status = answer.status();
        let bytes = answer.into_body().into_with_config().limit(ANSWER_LIMIT).read_to_vec();
        let bytes = bytes.map_err(|error| self.lost(error))?;
        if status.is_success() {
            return Ok(Ok(bytes));
        }
        if status.is_client_error() || status.is_server_error() {
            return match serde_json::from_slice(&bytes) {
                Ok(problem) => Ok(Err(problem)),
                // Whatever stands before the server has no words of ours.
                Err(_) if is_passing(status) => {
                    let why = format!("it answered {status}");
                    Err(ClientError::Unreachable { server: self.server.clone(), why })
                }
                Err(_) => Err(self.strange(status.to_string())),
            };
        }
        Err(self.strange(status.to_string()))
    }

    fn signed(&self, signer: Signer<'_>, method: &str, target: &str, body: &[u8]) -> Result<SignedHeaders> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        let request = Request { method, authority: self.server.authority(), target, body };
        let time = now().saturating_add(self.ahead.load(Ordering::Relaxed));
        Ok(sign(signer.key, signer.keyid, &request, time, nonce))
    }

    pub(crate) fn strange(&self, why: String) -> ClientError {
        ClientError::Answer { server: self.server.clone(), why: one_line(&why) }
    }

    fn lost(&self, error: ureq::Error) -> ClientError {
        let server = self.server.clone();
        let why = error.to_string();
        match error {
            ureq::Error::Rustls(error) => self.insecure(&error),
            ureq::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => self.insecure(error),
                None => ClientError::Unreachable { server, why: plain(&error) },
            },
            ureq::Error::Timeout(_) => {
                ClientError::Unreachable { server, why: "it takes too long to answer".to_owned() }
            }
            ureq::Error::HostNotFound => {
                ClientError::Unreachable { server, why: "there is no computer of that name".to_owned() }
            }
            ureq::Error::ConnectionFailed => ClientError::Unreachable { server, why },
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                self.strange("more than an answer has".to_owned())
            }
            _ => self.strange(why),
        }
    }

    fn insecure(&self, error: &rustls::Error) -> ClientError {
        let server = self.server.clone();
        match error {
            rustls::Error::InvalidCertificate(why) => {
                let why = match self.trust {
                    Trust::System => format!(
                        "no authority that this computer trusts vouches for its certificate ({why:?})"
                    ),
                    Trust::Pinned(_) => format!(
                        "its certificate is not the one that was compared when this device logged in ({why:?})"
                    ),
                };
                ClientError::Untrusted { server, why }
            }
            other => ClientError::Unreachable { server, why: other.to_string() },
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// Returns the time now, in seconds since 1970.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "it takes too long to answer".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            "the connection was cut off".to_owned()
        }
        _ => error.to_string().split(" (os error").next().unwrap_or_default().to_owned(),
    }
}

/// Makes what a server says one line that a terminal can show.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
