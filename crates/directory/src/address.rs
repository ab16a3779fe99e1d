//! Where a directory is, and which computer in it.

use std::fmt;

use crate::dn;

/// The port of LDAPS.
const PORT: u16 = 636;

/// A directory server, and the computer that keys are kept below.
///
/// Written as `ldaps://SERVER[:PORT][/COMPUTER]`. There is no plaintext LDAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryAddress {
    pub(crate) server: String,
    pub(crate) port: u16,
    computer: Option<Computer>,
}

/// A computer in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Computer {
    /// Its name, such as `PC01` or `pc01.example.com`.
    Name(String),
    /// Its distinguished name, such as `CN=PC01,CN=Computers,DC=example,DC=com`.
    Dn(String),
}

/// Why a text is no address of a directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Plaintext LDAP would show the key to everybody on the way.
    #[error("ldap:// is not encrypted, so a key would be seen on the way; write ldaps://")]
    Plaintext,
    /// It does not start with `ldaps://`.
    #[error("a directory is written as ldaps://SERVER/COMPUTER")]
    Scheme,
    /// A user name or password stands in the address.
    #[error("the user name does not belong into the address, and a password never")]
    User,
    /// The server's name cannot be one.
    #[error("{0:?} is not the name of a server; its certificate must show that name")]
    Server(String),
    /// The port is no number from 1 to 65535.
    #[error("{0:?} is not a port")]
    Port(String),
    /// A `%` without two hexadecimal digits, or bytes that are no UTF-8.
    #[error("in {0:?} a % is not followed by two hexadecimal digits of UTF-8; a % itself is written %25")]
    Percent(String),
    /// The computer is no name and no distinguished name.
    #[error("{0:?} is neither a computer's name nor its distinguished name (CN=PC01,CN=Computers,DC=...)")]
    Computer(String),
}

impl DirectoryAddress {
    /// Reads `ldaps://SERVER[:PORT][/COMPUTER]`, where the computer is a name or a distinguished name,
    /// as it is or percent-encoded as in an LDAP URL (RFC 4516).
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "ldaps" => {}
            "ldap" => return Err(AddressError::Plaintext),
            _ => return Err(AddressError::Scheme),
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return Err(AddressError::User);
        }
        let (server, port) = match authority.rsplit_once(':') {
            Some((server, port)) => (server, port_number(port)?),
            None => (authority, PORT),
        };
        // Of a certificate only names and IPv4 addresses are looked at, so nothing else can be trusted.
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if server.is_empty() || !server.chars().all(fits) {
            return Err(AddressError::Server(server.to_owned()));
        }
        let computer = match path {
            "" => None,
            path => Some(Computer::parse(&percent_decoded(path)?)?),
        };
        Ok(Self { server: server.to_owned(), port, computer })
    }

    /// Returns the name of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the computer; an address to search in has none.
    pub fn computer(&self) -> Option<&Computer> {
        self.computer.as_ref()
    }

    /// Returns the same server's address of something else.
    #[must_use]
    pub fn with_computer(self, computer: Computer) -> Self {
        Self { computer: Some(computer), ..self }
    }
}

/// The address as it may be typed again, without percent signs where they can be avoided.
impl fmt::Display for DirectoryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ldaps://{}", self.server)?;
        if self.port != PORT {
            write!(f, ":{}", self.port)?;
        }
        match &self.computer {
            Some(computer) => write!(f, "/{}", computer.to_string().replace('%', "%25")),
            None => Ok(()),
        }
    }
}

impl Computer {
    /// Reads a name, with or without the `$` of its account, or a distinguished name.
    ///
    /// # Errors
    /// [`AddressError::Computer`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError::Computer(text.to_owned());
        if text.contains('=') {
            let parts = dn::parts(text).ok_or_else(bad)?;
            return if parts.len() > 1 { Ok(Self::Dn(text.to_owned())) } else { Err(bad()) };
        }
        let name = text.strip_suffix('$').unwrap_or(text);
        // What no computer's name can have, by Microsoft's naming rules; `?` would be the rest of a URL.
        let foreign = |c: char| c.is_control() || c.is_whitespace() || "\"/\\[]:;|,+*?<>@$".contains(c);
        if name.is_empty() || name.contains(foreign) { Err(bad()) } else { Ok(Self::Name(name.to_owned())) }
    }
}

impl fmt::Display for Computer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Name(text) | Self::Dn(text)) = self;
        f.write_str(text)
    }
}

fn port_number(text: &str) -> Result<u16, AddressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.then(|| text.parse().ok()).flatten().filter(|&port| port != 0);
    port.ok_or_else(|| AddressError::Port(text.to_owned()))
}

fn percent_decoded(text: &str) -> Result<String, AddressError> {
    let bad = || AddressError::Percent(text.to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (pair, tail) = rest.split_at_checked(2).ok_or_else(bad)?;
        bytes.push(dn::hex_pair(pair).ok_or_else(bad)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DirectoryAddress, AddressError> {
        DirectoryAddress::parse(text)
    }

    fn address(server: &str, port: u16, computer: Option<Computer>) -> DirectoryAddress {
        DirectoryAddress { server: server.to_owned(), port, computer }
    }

    #[test]
    fn every_way_to_write_it() {
        let name = |name: &str| Some(Computer::Name(name.to_owned()));
        let dn = |dn: &str| Some(Computer::Dn(dn.to_owned()));
        for (text, expected) in [
            ("ldaps://dc.example.com", address("dc.example.com", 636, None)),
            ("LDAPS://dc.example.com/", address("dc.example.com", 636, None)),
            ("ldaps://10.0.0.1:3269/PC01$", address("10.0.0.1", 3269, name("PC01"))),
            ("ldaps://dc/pc01.example.com", address("dc", 636, name("pc01.example.com"))),
            (
                "ldaps://dc/CN=PC01,CN=Computers,DC=example,DC=com",
                address("dc", 636, dn("CN=PC01,CN=Computers,DC=example,DC=com")),
            ),
            (
                r"ldaps://dc/CN=Büro\, Süd,OU=A%20B%2FC,DC=example",
                address("dc", 636, dn(r"CN=Büro\, Süd,OU=A B/C,DC=example")),
            ),
            ("ldaps://dc/CN=50%25,DC=example", address("dc", 636, dn("CN=50%,DC=example"))),
        ] {
            assert_eq!(parse(text), Ok(expected.clone()), "{text}");
            assert_eq!(parse(&expected.to_string()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_it_is_not() {
        use AddressError as Error;
        for (text, expected) in [
            ("ldap://dc/PC01", Error::Plaintext),
            ("dc.example.com", Error::Scheme),
            ("https://dc", Error::Scheme),
            ("ldaps://admin:secret@dc/PC01", Error::User),
            ("ldaps:///PC01", Error::Server(String::new())),
            ("ldaps://dc one", Error::Server("dc one".to_owned())),
            ("ldaps://[::1]", Error::Port("1]".to_owned())),
            ("ldaps://dc:0", Error::Port("0".to_owned())),
            ("ldaps://dc:+636", Error::Port("+636".to_owned())),
            ("ldaps://dc/PC%2", Error::Percent("PC%2".to_owned())),
            ("ldaps://dc/PC%ff", Error::Percent("PC%ff".to_owned())),
            ("ldaps://dc/PC01?name", Error::Computer("PC01?name".to_owned())),
            ("ldaps://dc/CN=PC01", Error::Computer("CN=PC01".to_owned())),
            ("ldaps://dc/CN=PC01,", Error::Computer("CN=PC01,".to_owned())),
            ("ldaps://dc/$", Error::Computer("$".to_owned())),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }
}
