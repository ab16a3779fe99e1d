//! What can go wrong with a directory, in plain words.

use std::io;
use std::path::PathBuf;

use ldap3::{LdapError, LdapResult};
use rustls::CertificateError;

/// Why the directory did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No connection could be made.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server said nothing for a long time.
    #[error("the server does not answer")]
    Timeout,
    /// The connection broke while something was asked for. Whether it was still done is not known.
    #[error("the connection broke before the server answered")]
    Lost,
    /// The server's certificate proves nothing.
    #[error("the server's certificate {0}")]
    Certificate(String),
    /// Both sides could not agree on how to encrypt.
    #[error("no encrypted connection could be made: {0}")]
    Tls(String),
    /// The file with the trusted certificates cannot be used.
    #[error("the certificate file {}: {why}", .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The system has no trusted certificates.
    #[error("this computer trusts no certificate authority; name a file with the directory's own")]
    NoRoots,
    /// No user name or no password was given; a server would take that for an anonymous sign-in.
    #[error("a user name and a password are needed")]
    NoCredentials,
    /// The server does not let the user in.
    #[error("the directory does not let this user in: {0}")]
    Credentials(&'static str),
    /// The user may not do this.
    #[error("this user has no right to {0} there")]
    Rights(&'static str),
    /// An object of that name is there.
    #[error("there is already an object of that name: {0}")]
    AlreadyThere(String),
    /// There is no such object, or this user may not see it.
    #[error("there is no {0}, or this user may not see it")]
    NoSuchObject(String),
    /// There is no such computer, or this user may not see it.
    #[error("there is no computer {0:?} in the directory, or this user may not see it")]
    NoComputer(String),
    /// Several computers have that name.
    #[error("several computers are called {name:?}; give one of these instead: {}", .found.join("; "))]
    ManyComputers {
        /// The name.
        name: String,
        /// Their distinguished names.
        found: Vec<String>,
    },
    /// More was found than anybody could look at.
    #[error("more than {0} were found; give more of the key ID")]
    TooMany(usize),
    /// The server is no Active Directory or Samba domain controller, or its schema is older than BitLocker.
    #[error("this directory holds no BitLocker keys: {0}")]
    NoBitLocker(String),
    /// The server said no for another reason.
    #[error("the directory refused: {meaning} (LDAP result {code}{})", remark(.text))]
    Refused {
        /// The number that LDAP gives the reason.
        code: u32,
        /// The reason.
        meaning: &'static str,
        /// What else the server said.
        text: String,
    },
    /// The answer makes no sense.
    #[error("the server's answer is not what LDAP says it should be")]
    Answer,
}

fn remark(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// What was asked for, to say what was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request<'a> {
    SignIn,
    Search(&'a str),
    Add(&'a str),
    Delete(&'a str),
}

impl From<LdapError> for DirectoryError {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::Timeout { .. } => Self::Timeout,
            LdapError::OpSend { .. }
            | LdapError::ResultRecv { .. }
            | LdapError::IdScrubSend { .. }
            | LdapError::EndOfStream => Self::Lost,
            LdapError::Rustls { source } => from_tls(&source),
            LdapError::DNSName { .. } => Self::Certificate("cannot be for this server name".to_owned()),
            LdapError::LdapResult { result } => refusal(Request::Search(""), result),
            LdapError::Io { source } => match source.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => from_tls(error),
                None => match source.kind() {
                    io::ErrorKind::TimedOut => Self::Timeout,
                    io::ErrorKind::UnexpectedEof => Self::Unreachable("it closed the connection".to_owned()),
                    _ => Self::Unreachable(source.to_string()),
                },
            },
            _ => Self::Answer,
        }
    }
}

fn from_tls(error: &rustls::Error) -> DirectoryError {
    use CertificateError as Bad;
    let why = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => {
                "was issued by an authority that is not trusted here; name a file with that authority's"
                    .to_owned()
            }
            Bad::NotValidForName => "is for another name".to_owned(),
            Bad::NotValidForNameContext { expected, presented } if presented.is_empty() => {
                format!("names no server at all (subjectAltName), so not {}", expected.to_str())
            }
            Bad::NotValidForNameContext { expected, presented } => {
                format!("is not for {}, but for {}", expected.to_str(), presented.join(", "))
            }
            Bad::Expired | Bad::ExpiredContext { .. } => "has expired".to_owned(),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                "is not valid yet; is this computer's clock right?".to_owned()
            }
            Bad::Revoked => "was revoked".to_owned(),
            other => format!("cannot be trusted: {other}"),
        },
        rustls::Error::NoCertificatesPresented => "is missing".to_owned(),
        other => return DirectoryError::Tls(other.to_string()),
    };
    DirectoryError::Certificate(why)
}

/// Takes a result apart: success, or what it means that there is none.
pub(crate) fn outcome(request: Request<'_>, result: LdapResult) -> Result<(), DirectoryError> {
    if result.rc == 0 { Ok(()) } else { Err(refusal(request, result)) }
}

fn refusal(request: Request<'_>, result: LdapResult) -> DirectoryError {
    let LdapResult { rc: code, text, .. } = result;
    let text = readable(&text);
    match (code, request) {
        (49, _) => DirectoryError::Credentials(credentials(&text)),
        (50, Request::SignIn) => DirectoryError::Rights("sign in"),
        (50, Request::Search(_)) => DirectoryError::Rights("search"),
        (50, Request::Add(_)) => DirectoryError::Rights("store keys"),
        (50, Request::Delete(_)) => DirectoryError::Rights("delete keys"),
        (68, Request::Add(dn)) => DirectoryError::AlreadyThere(dn.to_owned()),
        (32, Request::Search(dn) | Request::Add(dn) | Request::Delete(dn)) => {
            DirectoryError::NoSuchObject(dn.to_owned())
        }
        // Unknown attribute, undefined attribute, unknown class.
        (16 | 17 | 65, Request::Add(_)) => DirectoryError::NoBitLocker(format!(
            "its schema lacks the classes that BitLocker keeps keys in{}",
            remark(&text)
        )),
        (code, _) => DirectoryError::Refused { code, meaning: meaning(code), text },
    }
}

/// Cuts a server's remark to one short line.
fn readable(text: &str) -> String {
    const LENGTH_LIMIT: usize = 300;
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LENGTH_LIMIT).collect();
    line.trim().to_owned()
}

/// Says why a sign-in failed, by the code that Active Directory and Samba put into their remark:
/// `..., comment: AcceptSecurityContext error, data 52e, v4563`.
fn credentials(text: &str) -> &'static str {
    let code = text.split_once("data ").map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default());
    match code.unwrap_or_default() {
        "525" => "there is no such user",
        "530" => "this user may not sign in at this time",
        "531" => "this user may not sign in from this computer",
        "532" => "the password has expired",
        "533" => "the account is disabled",
        "568" => "the account is in too many groups",
        "701" => "the account has expired",
        "773" => "the password must be changed first",
        "775" => "the account is locked after too many wrong passwords",
        _ => "the user name or the password is wrong",
    }
}

/// The results of RFC 4511 that a request of ours can have.
fn meaning(code: u32) -> &'static str {
    match code {
        1 => "it cannot do this now",
        2 => "it did not understand the request",
        3 => "it took too long",
        4 | 11 => "there is more than it may give",
        7 => "it does not allow a sign-in by password",
        8 | 13 => "it asks for a more secure connection",
        10 => "another directory is responsible",
        18 | 21 => "it does not take such a value",
        19 => "a rule of the directory forbids it",
        34 => "the distinguished name is not well formed",
        51 => "it is busy",
        52 => "it is shutting down or not ready",
        53 => "it is not willing to",
        64 => "keys can be stored below computers only",
        66 => "there is something below the object",
        71 => "several servers would have to work together",
        _ => "it does not say why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    fn said(request: Request<'_>, rc: u32, text: &str) -> String {
        outcome(request, result(rc, text)).expect_err("no success").to_string()
    }

    #[test]
    fn a_refused_sign_in_says_why() {
        let said = |code: &str| {
            let text = format!(
                "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {code}, v4563\0"
            );
            said(Request::SignIn, 49, &text)
        };
        let start = "the directory does not let this user in: ";
        assert_eq!(said("52e"), format!("{start}the user name or the password is wrong"));
        assert_eq!(said("775"), format!("{start}the account is locked after too many wrong passwords"));
        assert_eq!(said("532"), format!("{start}the password has expired"));
        assert_eq!(said("0"), said("52e"));
    }

    #[test]
    fn results_are_said_in_words() {
        let dn = "CN=PC01,DC=example";
        assert_eq!(
            said(Request::Add(dn), 50, "00002098: SecErr"),
            "this user has no right to store keys there"
        );
        assert_eq!(said(Request::Add(dn), 68, ""), format!("there is already an object of that name: {dn}"));
        assert_eq!(
            said(Request::Delete(dn), 32, ""),
            format!("there is no {dn}, or this user may not see it")
        );
        assert!(said(Request::Add(dn), 17, "").starts_with("this directory holds no BitLocker keys"));
        assert_eq!(
            said(Request::Add(dn), 19, "000021C8:\tAtrErr\n\0"),
            "the directory refused: a rule of the directory forbids it (LDAP result 19: 000021C8: AtrErr)"
        );
        assert_eq!(said(Request::Search(dn), 51, ""), "the directory refused: it is busy (LDAP result 51)");
        assert!(said(Request::Search(dn), 80, &"x".repeat(5000)).len() < 400);
        assert!(outcome(Request::SignIn, result(0, "")).is_ok());
    }
}
