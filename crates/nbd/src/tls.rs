//! TLS: who the server is, whom it trusts, and a stream that is read and written from several threads.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use crate::socket::Socket;

/// What arrives is decrypted in pieces of at most this: less than rustls keeps.
const INBOX: usize = 4096;

/// A server's certificate and key, and perhaps whose certificates its clients must have.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// The key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(String),
    /// The authorities of clients cannot be used.
    #[error("the certificates of the clients' authorities cannot be used: {0}")]
    Authorities(String),
    /// Certificate and key do not go together.
    #[error("the certificate and the key do not go together: {0}")]
    Pair(String),
}

impl Tls {
    /// Reads, as PEM, the server's certificate and those between it and its authority, and its key. With
    /// authorities, clients must have a certificate that one of them signed.
    ///
    /// # Errors
    /// When one of them is missing or broken, or they do not go together.
    pub fn new(certificates: &[u8], key: &[u8], authorities: Option<&[u8]>) -> Result<Self, TlsError> {
        let certificates = parse(certificates).map_err(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| TlsError::Key(error.to_string()))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Pair(error.to_string()))?;
        let builder = match authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let no = |error: &dyn fmt::Display| TlsError::Authorities(error.to_string());
                let mut roots = RootCertStore::empty();
                for certificate in parse(authorities).map_err(TlsError::Authorities)? {
                    roots.add(certificate).map_err(|error| no(&error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(|error| no(&error))?)
            }
        };
        let config = builder.with_single_cert(certificates, key);
        Ok(Self(Arc::new(config.map_err(|error| TlsError::Pair(error.to_string()))?)))
    }

    /// Shakes hands with a client.
    pub(crate) fn accept<'a>(&self, socket: &'a Socket) -> io::Result<Channel<'a>> {
        let mut tls = ServerConnection::new(self.0.clone()).map_err(io::Error::other)?;
        // Pieces are as long as they are, and go out at once.
        tls.set_buffer_limit(None);
        let mut stream = socket;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Channel { tls: Mutex::new(tls), socket, outbox: Mutex::new(Vec::new()) })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() { Err("there is none in it".to_owned()) } else { Ok(certificates) }
}

/// A connection over TLS. No lock is held while the other side is waited for, except that of whoever writes.
pub(crate) struct Channel<'a> {
    tls: Mutex<ServerConnection>,
    socket: &'a Socket,
    /// What is encrypted and not yet sent. It is locked first.
    outbox: Mutex<Vec<u8>>,
}

impl Channel<'_> {
    /// Says goodbye, so that the client knows that nothing was cut off.
    pub(crate) fn close(&self) {
        let mut outbox = lock(&self.outbox);
        lock(&self.tls).send_close_notify();
        // A client that has left needs no goodbye.
        let _ = self.send(&mut outbox);
    }

    fn send(&self, outbox: &mut Vec<u8>) -> io::Result<()> {
        {
            let mut tls = lock(&self.tls);
            while tls.wants_write() {
                tls.write_tls(outbox)?;
            }
        }
        let mut socket = self.socket;
        let sent = socket.write_all(outbox);
        outbox.clear();
        sent
    }
}

impl Read for &Channel<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inbox = [0; INBOX];
        loop {
            match lock(&self.tls).reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            let mut socket = self.socket;
            let length = socket.read(&mut inbox)?;
            if length == 0 {
                return Ok(0);
            }
            let mut arrived = &inbox[..length];
            let mut tls = lock(&self.tls);
            while !arrived.is_empty() {
                tls.read_tls(&mut arrived)?;
                tls.process_new_packets().map_err(io::Error::other)?;
            }
        }
    }
}

impl Write for &Channel<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut outbox = lock(&self.outbox);
        let written = lock(&self.tls).writer().write_vectored(bufs)?;
        self.send(&mut outbox)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_or_key_is_said_so() {
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let why = |certificates: &[u8], key: &[u8], authorities: Option<&[u8]>| {
            Tls::new(certificates, key, authorities).expect_err("not to be used")
        };
        assert!(matches!(why(b"", b"", None), TlsError::Certificate(_)));
        assert!(matches!(why(b"hello", b"", None), TlsError::Certificate(_)));
        assert!(matches!(why(broken, b"", None), TlsError::Key(_)));
        let key = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(why(broken, key, None), TlsError::Pair(_)));
        assert!(matches!(why(broken, key, Some(b"hello")), TlsError::Authorities(_)));
        assert!(matches!(why(broken, key, Some(broken)), TlsError::Authorities(_)));
    }
}
