//! A connection to a directory: signing in, storing, finding, deleting.

use std::fmt;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{LdapConn, LdapConnSettings, Scope, StdStream};
use recovery_key::{KeyId, KeyIdPrefix, Secret};
use rustls::ClientConfig;

use crate::address::{Computer, DirectoryAddress};
use crate::error::{DirectoryError, Request, outcome};
use crate::record::{self, Entry, NewRecord};
use crate::search::{self, Found};
use crate::{dn, tls};

/// How long a server may take to let us in; a name can have several addresses, each gets as long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Who signs in.
#[derive(Debug)]
pub struct Credentials {
    /// `ada@example.com`, `EXAMPLE\ada`, a distinguished name; a computer is `PC01$@example.com`.
    pub user: String,
    /// The password.
    pub password: Secret<String>,
}

/// A connection to a domain controller on which somebody has signed in.
///
/// Everything goes to one and the same server, even where a name stands for several: what was stored on one
/// need not have reached the others.
pub struct Directory {
    connection: LdapConn,
    server: Server,
    /// The distinguished name of the domain.
    domain: String,
}

/// How to reach the server again.
struct Server {
    url: String,
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Directory");
        debug.field("server", &self.server.url).field("domain", &self.domain).finish_non_exhaustive()
    }
}

impl Directory {
    /// Connects, checks the server's certificate and signs in.
    ///
    /// `ca` is a file with the certificates of the authorities to trust instead of the system's.
    ///
    /// # Errors
    /// Says which of these failed.
    pub fn open(
        address: &DirectoryAddress,
        credentials: &Credentials,
        ca: Option<&Path>,
    ) -> Result<Self, DirectoryError> {
        credentials.check()?;
        let DirectoryAddress { server, port, .. } = address;
        let tls = tls::config(ca)?;
        let (stream, address) = connect(server, *port)?;
        let server = Server { url: format!("ldaps://{server}:{port}"), address, tls };
        let mut connection = server.sign_in(stream, credentials)?;
        let domain = domain(&mut connection)?;
        Ok(Self { connection, server, domain })
    }

    /// Connects to the same server again and signs in.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reconnect(&mut self, credentials: &Credentials) -> Result<(), DirectoryError> {
        credentials.check()?;
        let stream = TcpStream::connect_timeout(&self.server.address, CONNECT_TIMEOUT)
            .map_err(|error| DirectoryError::Unreachable(error.to_string()))?;
        self.connection = self.server.sign_in(stream, credentials)?;
        Ok(())
    }

    /// Returns the distinguished name of a computer, as the directory writes it.
    ///
    /// # Errors
    /// When there is none or there are several, or the search fails.
    pub fn computer(&mut self, computer: &Computer) -> Result<String, DirectoryError> {
        let class = "(objectClass=computer)";
        let (base, scope, filter) = match computer {
            Computer::Dn(dn) => (dn.as_str(), Scope::Base, class.to_owned()),
            Computer::Name(name) => {
                let name = dn::in_filter(name);
                let filter = format!("(&{class}(|(sAMAccountName={name}$)(dNSHostName={name})))");
                (self.domain.as_str(), Scope::Subtree, filter)
            }
        };
        let missing = || DirectoryError::NoComputer(computer.to_string());
        let found = match search::run(&mut self.connection, ANSWER_TIMEOUT, base, scope, &filter, &["cn"]) {
            Err(DirectoryError::NoSuchObject(_)) => return Err(missing()),
            found => found?,
        };
        let mut found: Vec<_> = found.into_iter().map(|object| object.dn).collect();
        match found.len() {
            0 | 1 => found.pop().ok_or_else(missing),
            _ => Err(DirectoryError::ManyComputers { name: computer.to_string(), found }),
        }
    }

    /// Returns the distinguished name that a key will have below a computer.
    pub fn place(computer: &str, record: &NewRecord<'_>) -> String {
        format!("CN={},{computer}", dn::escape(&record.name()))
    }

    /// Stores a key below a computer: whole, or not at all. Returns its distinguished name.
    ///
    /// # Errors
    /// When nothing was stored; after [`DirectoryError::Lost`] and [`DirectoryError::Timeout`] it may
    /// have been.
    pub fn store(&mut self, computer: &str, record: &NewRecord<'_>) -> Result<String, DirectoryError> {
        let dn = Self::place(computer, record);
        let result = self.connection.with_timeout(ANSWER_TIMEOUT).add(&dn, record.attributes())?;
        match outcome(Request::Add(&dn), result) {
            Ok(()) => Ok(dn),
            // A server may quote what it does not like.
            Err(DirectoryError::Refused { code, meaning, .. }) => {
                Err(DirectoryError::Refused { code, meaning, text: String::new() })
            }
            Err(error) => Err(error),
        }
    }

    /// Returns every key in the domain whose key ID starts so, as far as this user may see them.
    ///
    /// # Errors
    /// [`DirectoryError::TooMany`] when the start is too short to be of use; when the search fails.
    pub fn search(&mut self, prefix: &KeyIdPrefix) -> Result<Vec<Entry>, DirectoryError> {
        let domain = self.domain.clone();
        let found = self.keys(&domain, Scope::Subtree, &record::filter(prefix))?;
        Ok(found.into_iter().filter(|entry| prefix.matches(&entry.key_id)).collect())
    }

    /// Returns every key of a computer, given by its distinguished name, as far as this user may see them.
    ///
    /// # Errors
    /// When the search fails.
    pub fn list(&mut self, computer: &str) -> Result<Vec<Entry>, DirectoryError> {
        self.keys(computer, Scope::OneLevel, &format!("(objectClass={})", record::CLASS))
    }

    /// Returns the keys of a computer that have this key ID, as far as this user may see them.
    ///
    /// # Errors
    /// When the search fails.
    pub fn of_key(&mut self, computer: &str, key_id: KeyId) -> Result<Vec<Entry>, DirectoryError> {
        let found = self.keys(computer, Scope::OneLevel, &record::filter(&key_id.into()))?;
        Ok(found.into_iter().filter(|entry| entry.key_id == key_id).collect())
    }

    /// Reads a key; `None` when it is not there or this user may not see it.
    ///
    /// # Errors
    /// When the search fails.
    pub fn read(&mut self, dn: &str) -> Result<Option<Entry>, DirectoryError> {
        let filter = format!("(objectClass={})", record::CLASS);
        match self.keys(dn, Scope::Base, &filter) {
            Ok(mut found) => Ok(found.pop()),
            Err(DirectoryError::NoSuchObject(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes a key; says whether it was there.
    ///
    /// # Errors
    /// When it may still be there.
    pub fn delete(&mut self, dn: &str) -> Result<bool, DirectoryError> {
        let result = self.connection.with_timeout(ANSWER_TIMEOUT).delete(dn)?;
        match outcome(Request::Delete(dn), result) {
            Ok(()) => Ok(true),
            Err(DirectoryError::NoSuchObject(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn keys(&mut self, base: &str, scope: Scope, filter: &str) -> Result<Vec<Entry>, DirectoryError> {
        let wanted = &record::ATTRIBUTES;
        let found = search::run(&mut self.connection, ANSWER_TIMEOUT, base, scope, filter, wanted)?;
        let entry = |Found { dn, mut values }| Entry::new(dn, |name| values.remove(&name.to_lowercase()));
        Ok(found.into_iter().filter_map(entry).collect())
    }
}

impl Credentials {
    /// LDAP takes a user without a password for nobody, and lets nobody in (RFC 4513, 5.1.2).
    fn check(&self) -> Result<(), DirectoryError> {
        let missing = self.user.trim().is_empty() || self.password.expose().is_empty();
        if missing { Err(DirectoryError::NoCredentials) } else { Ok(()) }
    }
}

impl Server {
    fn sign_in(&self, stream: TcpStream, credentials: &Credentials) -> Result<LdapConn, DirectoryError> {
        let settings = LdapConnSettings::new()
            .set_config(Arc::clone(&self.tls))
            .set_conn_timeout(CONNECT_TIMEOUT)
            .set_std_stream(StdStream::Tcp(stream));
        let mut connection = LdapConn::with_settings(settings, &self.url)?;
        let Credentials { user, password } = credentials;
        let result = connection.with_timeout(ANSWER_TIMEOUT).simple_bind(user, password.expose())?;
        outcome(Request::SignIn, result).map(|()| connection)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Politeness: the server would notice anyway.
        let _ = self.connection.with_timeout(CONNECT_TIMEOUT).unbind();
    }
}

/// Returns the distinguished name of the server's domain, from the entry that every LDAP server has.
fn domain(connection: &mut LdapConn) -> Result<String, DirectoryError> {
    const DOMAIN: &str = "defaultNamingContext";
    let everything = "(objectClass=*)";
    let found = search::run(connection, ANSWER_TIMEOUT, "", Scope::Base, everything, &[DOMAIN])?;
    let value = found.into_iter().next().and_then(|mut root| root.values.remove(&DOMAIN.to_lowercase()));
    value
        .and_then(|value| String::from_utf8(value.expose().clone()).ok())
        .ok_or_else(|| DirectoryError::NoBitLocker("the server is no domain controller".to_owned()))
}

/// Connects to the first of a server's addresses that answers.
fn connect(server: &str, port: u16) -> Result<(TcpStream, SocketAddr), DirectoryError> {
    let mut why = "its name is not known here".to_owned();
    let addresses = (server, port).to_socket_addrs();
    for address in addresses.map_err(|error| DirectoryError::Unreachable(format!("{why} ({error})")))? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => why = error.to_string(),
        }
    }
    Err(DirectoryError::Unreachable(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) }
    }

    #[test]
    fn nobody_signs_in_without_a_password() {
        let address = DirectoryAddress::parse("ldaps://localhost:1/PC01").expect("an address");
        for (user, password) in [("", ""), ("ada", ""), (" ", "secret")] {
            let result = Directory::open(&address, &credentials(user, password), None);
            assert!(matches!(result, Err(DirectoryError::NoCredentials)));
        }
        assert!(!format!("{:?}", credentials("ada", "secret")).contains("secret"));
    }

    #[test]
    fn a_server_that_is_not_there_is_said_so() {
        let result = connect("localhost", 1);
        assert!(matches!(result, Err(DirectoryError::Unreachable(_))), "{result:?}");
        let result = connect("no-such-server.invalid", 636);
        assert!(matches!(result, Err(DirectoryError::Unreachable(_))), "{result:?}");
    }
}
