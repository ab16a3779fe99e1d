//! Where a server is.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

/// The port that goes without saying.
const PORT: u16 = 443;

/// A server: `https://keys.example.org:4848`, with nothing behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    authority: String,
}

/// Why a text is no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It has another form.
    #[error("it is no server: write it as https://keys.example.org or https://192.0.2.7:4848")]
    Form,
    /// It would be talked to in clear.
    #[error("it is not secured: write it with https://")]
    Clear,
}

impl Address {
    /// Returns name and port, as the `Host` field has them.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the name, or the IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let (host, _) = self.split();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.split().1.unwrap_or(PORT)
    }

    fn split(&self) -> (&str, Option<u16>) {
        match self.authority.rsplit_once(':') {
            // The last colon of a bare IPv6 address is inside its brackets.
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (&self.authority, None),
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: Uri = whole.parse().map_err(|_| AddressError::Form)?;
        if uri.scheme_str() == Some("http") {
            return Err(AddressError::Clear);
        }
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
        let authority = authority.ok_or(AddressError::Form)?.as_str().to_ascii_lowercase();
        let address = Self { authority: authority.strip_suffix(":443").unwrap_or(&authority).to_owned() };
        let bare = uri.path().trim_start_matches('/').is_empty() && uri.query().is_none();
        let whole_port = !authority.ends_with(':') && address.port() != 0;
        if bare && whole_port && !authority.contains('@') && !address.host().is_empty() {
            Ok(address)
        } else {
            Err(AddressError::Form)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_people_write_them() {
        for (text, shown, host, port) in [
            ("https://Keys.Example.org", "https://keys.example.org", "keys.example.org", 443),
            ("https://keys.example.org:443/", "https://keys.example.org", "keys.example.org", 443),
            ("localhost:4848", "https://localhost:4848", "localhost", 4848),
            (" https://[::1]:4848 ", "https://[::1]:4848", "::1", 4848),
            ("https://[::1]", "https://[::1]", "::1", 443),
            ("192.0.2.7", "https://192.0.2.7", "192.0.2.7", 443),
        ] {
            let address: Address = text.parse().expect(text);
            let seen = (address.to_string(), address.host(), address.port());
            assert_eq!(seen, (shown.to_owned(), host, port), "{text}");
        }
        assert_eq!("http://localhost".parse::<Address>(), Err(AddressError::Clear));
        for text in
            ["", "https://", "https://a/b", "https://a?b", "https://ada@a", "https://a:0", "a b", "ftp://a"]
        {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Form), "{text}");
        }
    }
}
