//! Whom the connection trusts.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::DirectoryError;

/// No file of certificates is longer: all the roots of a system have half of it.
const SIZE_LIMIT: u64 = 1 << 20;

/// Trusts the authorities in `ca`, or those of the system.
pub(crate) fn config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, DirectoryError> {
    let roots = match ca {
        Some(path) => from_file(path).map_err(|why| DirectoryError::CaFile { path: path.to_owned(), why })?,
        None => of_system()?,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| DirectoryError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn of_system() -> Result<RootCertStore, DirectoryError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(DirectoryError::NoRoots) } else { Ok(roots) }
}

/// Reads certificates as they are exported: PEM, or the bytes themselves (DER).
fn from_file(path: &Path) -> Result<RootCertStore, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > SIZE_LIMIT {
        return Err("it is too long for a certificate".to_owned());
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    if bytes.first() == Some(&0x30) {
        roots.add(CertificateDer::from(bytes)).map_err(|error| error.to_string())?;
    } else {
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_certificates_are_said_so() {
        let why = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new().expect("a file");
            fs::write(file.path(), bytes).expect("written");
            match config(Some(file.path())) {
                Err(DirectoryError::CaFile { why, .. }) => why,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(why(b""), "there is no certificate in it");
        assert_eq!(why(b"hello"), "there is no certificate in it");
        assert_eq!(why(&vec![b' '; SIZE_LIMIT as usize + 1]), "it is too long for a certificate");
        for broken in
            [&b"\x30\x03\x02\x01\x00"[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert!(!why(broken).is_empty());
        }
        assert!(matches!(config(Some(Path::new("/does/not/exist"))), Err(DirectoryError::CaFile { .. })));
    }
}
