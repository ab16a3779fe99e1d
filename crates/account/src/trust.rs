//! Whom a device takes for its server.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use ureq::tls::{Certificate, RootCerts};

use crate::address::Address;

const PATIENCE: Duration = Duration::from_secs(10);

/// How a server is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// By the certificate authorities that this computer trusts.
    System,
    /// By its own certificate (DER), which a person has compared. No other is taken but what its key has signed: the
    /// certificate that the same server has made anew.
    Pinned(Vec<u8>),
}

impl Trust {
    pub(crate) fn roots(&self) -> RootCerts {
        let owned = |certificate: &[u8]| Certificate::from_der(certificate).to_owned();
        let certificates: Vec<_> = match self {
            Self::System => {
                let found = rustls_native_certs::load_native_certs().certs;
                found.iter().map(|certificate| owned(certificate)).collect()
            }
            Self::Pinned(certificate) => vec![owned(certificate)],
        };
        RootCerts::new_with_certs(&certificates)
    }
}

/// The SHA-256 of a certificate, which a person compares: `AB:CD:...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns that of a certificate (DER).
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        f.write_str(&pairs.join(":"))
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// Reads 64 hex digits, with or without colons and spaces between them.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "a fingerprint is 64 hex digits, such as AB:CD:...";
        let digits: Vec<u8> = text.bytes().filter(|byte| !b": ".contains(byte)).collect();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(WRONG);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or(WRONG);
            let value = (nibble(pair[0])? << 4) | nibble(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

/// Returns the certificate (DER) that a server shows, to be compared. Nothing else is said to it.
///
/// # Errors
/// When it cannot be reached, or shows none.
pub fn presented(server: &Address) -> io::Result<Vec<u8>> {
    let provider = Arc::new(ring::default_provider());
    let look = Arc::new(Look { seen: Mutex::new(None), provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(look.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(server.host().to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = connect(server)?;
    // It ends in the error that `Look` makes, as soon as the certificate is there.
    let ended = handshake(&mut connection, &mut stream);
    let seen = look.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (seen, ended) {
        (Some(certificate), _) => Ok(certificate),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn connect(server: &Address) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (server.host(), server.port()).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn handshake(connection: &mut ClientConnection, stream: &mut (impl Read + Write)) -> io::Result<()> {
    while connection.is_handshaking() {
        connection.complete_io(stream)?;
    }
    Ok(())
}

/// Looks at a certificate and trusts none.
#[derive(Debug)]
struct Look {
    seen: Mutex<Option<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Look {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        Err(refused())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refused())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refused())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn refused() -> rustls::Error {
    rustls::Error::General("it was only looked at".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_shown() {
        let fingerprint = Fingerprint::of(b"a certificate");
        let shown = fingerprint.to_string();
        assert_eq!(shown.len(), 32 * 3 - 1);
        for text in [shown.clone(), shown.to_lowercase(), shown.replace(':', ""), shown.replace(':', " ")] {
            assert_eq!(text.parse(), Ok(fingerprint));
        }
        for wrong in ["", "AB", &shown[3..], &shown.replace('A', "G"), &"é".repeat(32)] {
            assert!(wrong.parse::<Fingerprint>().is_err() || !shown.contains('A'), "{wrong}");
        }
    }
}
