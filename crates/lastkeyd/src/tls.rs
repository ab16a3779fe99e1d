//! The server's certificate: its own, from files, or by ACME.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use futures_util::StreamExt;
use recovery_key::Secret;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, ServerConfig};
use rustls_acme::AcmeConfig;
use rustls_acme::caches::DirCache;
use sha2::{Digest, Sha256};

use crate::config::{Config, Tls};
use crate::error::Error;
use crate::private;

/// How often files are looked at for a newer certificate.
const LOOK: Duration = Duration::from_secs(5);
/// How long the server's own certificate is good for. Clients keep it, and take besides it what its key has signed: one
/// that was made anew with the same key.
const OWN_DAYS: i64 = 3650;

/// What connections are secured with.
pub struct Secured {
    /// For the listener.
    pub config: RustlsConfig,
    /// The fingerprint of the server's own certificate, which people compare.
    pub fingerprint: Option<String>,
}

/// Makes or reads the certificate.
///
/// # Errors
/// When it cannot be read, made or kept.
pub async fn secure(config: &Config) -> Result<Secured, Error> {
    match &config.tls {
        Tls::Own => {
            let (chain, key) = own(config)?;
            let fingerprint = chain.first().map(|certificate| fingerprint(certificate));
            Ok(Secured { config: RustlsConfig::from_config(server_config(chain, key)?), fingerprint })
        }
        Tls::Files { certificate, key } => {
            let secured = RustlsConfig::from_config(from_files(certificate, key)?);
            tokio::spawn(watch(secured.clone(), certificate.clone(), key.clone()));
            Ok(Secured { config: secured, fingerprint: None })
        }
        Tls::Acme { contact, directory, ca } => {
            let acme = acme(config, contact, directory.as_deref(), ca.as_deref())?;
            Ok(Secured { config: acme, fingerprint: None })
        }
    }
}

/// Writes a certificate's SHA-256 as other programs do: `AB:CD:...`.
fn fingerprint(certificate: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads the server's own certificate, or makes one that has all its names in it: with the same key as before where the
/// server was given a new name, so that devices that are logged in go on.
fn own(config: &Config) -> Result<Pair, Error> {
    let (certificate, key) = (config.data.join("tls.crt"), config.data.join("tls.key"));
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(std::iter::once(&config.host).chain(&config.hosts).map(|name| bare(name).to_owned()));
    names.sort();
    names.dedup();
    let there = certificate.exists();
    if !there || !has_names(&certificate, &names)? {
        let failed = |error: rcgen::Error| Error::Internal(format!("no certificate can be made: {error}"));
        // The key first, and one that is there is taken: so a start that was cut off between the two is made good.
        if !key.exists() {
            let made = rcgen::KeyPair::generate().map_err(failed)?;
            private::write(&key, made.serialize_pem().as_bytes()).map_err(|error| unread(&key, &error))?;
        }
        let text = Secret::new(fs::read_to_string(&key).map_err(|error| unread(&key, &error))?);
        let made =
            rcgen::KeyPair::from_pem(text.expose()).and_then(|key| make(names, &key)).map_err(failed)?;
        private::replace(&certificate, made.as_bytes()).map_err(|error| unread(&certificate, &error))?;
        if there {
            tracing::warn!("the server's own certificate was made anew, with the names that it has now");
        }
    }
    pair(&certificate, &key)
}

/// Returns an address of IPv6 without the brackets that it has in URLs.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns whether a certificate is for all of these names.
fn has_names(path: &Path, names: &[String]) -> Result<bool, Error> {
    let certificate = CertificateDer::from_pem_file(path).map_err(|error| unread(path, &error))?;
    let parsed = ParsedCertificate::try_from(&certificate).map_err(|error| unread(path, &error))?;
    // A name that no certificate can be for is not missing in this one.
    let mut names = names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok());
    Ok(names.all(|name| verify_server_name(&parsed, &name).is_ok()))
}

fn make(names: Vec<String>, key: &rcgen::KeyPair) -> Result<String, rcgen::Error> {
    let mut params = rcgen::CertificateParams::new(names)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "lastkeyd");
    let now = jiff::Zoned::now();
    let day = |zoned: &jiff::Zoned| {
        let (year, month, day) = (zoned.year(), zoned.month(), zoned.day());
        rcgen::date_time_ymd(i32::from(year), month.unsigned_abs(), day.unsigned_abs())
    };
    // From yesterday, for clients whose clock is slow.
    params.not_before = day(&now.saturating_sub(jiff::Span::new().days(1)));
    params.not_after = day(&now.saturating_add(jiff::Span::new().days(OWN_DAYS)));
    Ok(params.self_signed(key)?.pem())
}

fn pair(certificate: &Path, key: &Path) -> Result<Pair, Error> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).map_err(|error| unread(certificate, &error))?.collect();
    let chain = chain.map_err(|error| unread(certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unread(key, &error))?;
    Ok((chain, key))
}

fn unread(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Internal(format!("{}: {why}", path.display()))
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| Error::Internal(format!("certificate and key are of no use: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn from_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Error> {
    let (chain, key) = pair(certificate, key)?;
    server_config(chain, key)
}

/// Takes a certificate that was renewed. One that is half written stays unused.
async fn watch(secured: RustlsConfig, certificate: PathBuf, key: PathBuf) {
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let both = || -> [Option<SystemTime>; 2] { [changed(&certificate), changed(&key)] };
    let mut used = both();
    let mut refused = used;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = both();
        if now == used {
            continue;
        }
        match from_files(&certificate, &key) {
            Ok(config) => {
                secured.reload_from_config(config);
                used = now;
                tracing::info!("the renewed certificate is used");
            }
            // Said once of each change, and tried again: it may have been half written.
            Err(error) if now != refused => {
                tracing::warn!(%error, "the certificate changed and is not used");
                refused = now;
            }
            Err(_) => {}
        }
    }
}

/// Gets certificates by ACME (TLS-ALPN-01, on the very port that it serves at), and renews them.
fn acme(
    config: &Config,
    contact: &str,
    directory: Option<&str>,
    ca: Option<&Path>,
) -> Result<RustlsConfig, Error> {
    let client = rustls::ClientConfig::builder().with_root_certificates(roots(ca)?).with_no_client_auth();
    let cache = config.data.join("acme");
    private::folder(&cache).map_err(|error| unread(&cache, &error))?;
    let mut state = {
        let acme = AcmeConfig::new_with_client_config([&config.host], Arc::new(client))
            .contact([format!("mailto:{contact}")])
            .cache(DirCache::new(cache));
        match directory {
            Some(directory) => acme.directory(directory).state(),
            None => acme.directory_lets_encrypt(true).state(),
        }
    };
    let mut served = ServerConfig::builder().with_no_client_auth().with_cert_resolver(state.resolver());
    served.alpn_protocols =
        vec![b"h2".to_vec(), b"http/1.1".to_vec(), rustls_acme::acme::ACME_TLS_ALPN_NAME.to_vec()];
    tokio::spawn(async move {
        while let Some(event) = state.next().await {
            match event {
                Ok(event) => tracing::info!(?event, "certificate"),
                Err(error) => tracing::warn!(%error, "no certificate yet; it is tried again"),
            }
        }
    });
    Ok(RustlsConfig::from_config(Arc::new(served)))
}

fn roots(ca: Option<&Path>) -> Result<rustls::RootCertStore, Error> {
    let mut roots = rustls::RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unread(path, &error))? {
                let certificate = certificate.map_err(|error| unread(path, &error))?;
                roots.add(certificate).map_err(|error| unread(path, &error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Says that nothing could be listened at, and what may help.
pub fn no_listener(address: std::net::SocketAddr, error: &io::Error) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => ": something answers there already; choose another with --listen",
        io::ErrorKind::PermissionDenied => {
            ": ports below 1024 need the right to (systemd: AmbientCapabilities)"
        }
        io::ErrorKind::AddrNotAvailable => ": this computer has no such address",
        _ => "",
    };
    Error::Internal(format!("cannot listen at {address} ({error}){hint}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cli::Options;

    #[test]
    fn a_start_that_was_cut_off_after_the_key_is_made_good() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { data: Some(folder.path().to_owned()), ..Options::default() };
        let config = Config::new(options).unwrap();
        let (first, _) = own(&config).unwrap();
        let (again, _) = own(&config).unwrap();
        assert_eq!(first, again);
        let key = fs::read(folder.path().join("tls.key")).unwrap();
        fs::remove_file(folder.path().join("tls.crt")).unwrap();
        let (chain, pair) = own(&config).unwrap();
        assert_eq!(fs::read(folder.path().join("tls.key")).unwrap(), key);
        let _ = rustls::crypto::ring::default_provider().install_default();
        server_config(chain, pair).unwrap();
    }

    #[test]
    fn a_new_name_comes_into_the_certificate_and_the_key_stays() {
        let folder = tempfile::tempdir().unwrap();
        let named = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|&host| host.to_owned()).collect();
            let options = Options { data: Some(folder.path().to_owned()), hosts, ..Options::default() };
            own(&Config::new(options).unwrap()).unwrap()
        };
        let (first, first_key) = named(&[]);
        let (second, key) = named(&["keys.example.org", "[fd00::1]", "192.0.2.1"]);
        assert!(first != second && key == first_key);
        assert_eq!(named(&["keys.example.org"]).0, second, "a name less is no reason");
        let certificate = folder.path().join("tls.crt");
        let has = |name: &str| has_names(&certificate, &[name.to_owned()]).unwrap();
        assert!(["localhost", "keys.example.org", "192.0.2.1", "fd00::1"].into_iter().all(has));
        assert!(!has("example.org"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
