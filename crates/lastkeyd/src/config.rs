//! From what was typed and what stands in the configuration file to what is done.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use axum::http::Uri;
use serde::Deserialize;

use crate::cli::{LogForm, Options};

/// Where it answers when nobody says.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 4848);
/// No configuration is longer.
const FILE_LIMIT: u64 = 1 << 20;

/// What is done.
#[derive(Debug)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// The database.
    pub database: Database,
    /// Where it answers.
    pub listen: SocketAddr,
    /// Where people go with a browser, without a slash at the end.
    pub url: String,
    /// The host of it.
    pub host: String,
    /// Other names.
    pub hosts: Vec<String>,
    /// The certificate.
    pub tls: Tls,
    /// The proxies that are believed.
    pub proxies: Vec<IpAddr>,
    /// Where the figures are.
    pub metrics: Option<SocketAddr>,
    /// How mails go out.
    pub mail: Option<Mail>,
    /// Whether webhooks may be on private networks.
    pub private_webhooks: bool,
    /// The log's form.
    pub log: LogForm,
    /// What is logged.
    pub log_level: String,
}

/// A database's URL. What it shows of itself has no password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Database(String);

/// Where the certificate comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum Tls {
    /// The server makes one.
    Own,
    /// Files.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// An ACME server.
    Acme {
        /// Who is told of trouble.
        contact: String,
        /// The directory; none is Let's Encrypt.
        directory: Option<String>,
        /// The certificates that the ACME server is trusted by.
        ca: Option<PathBuf>,
    },
}

/// How mails go out.
#[derive(Debug, PartialEq, Eq)]
pub struct Mail {
    /// The server.
    pub smtp: String,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// Whom they come from.
    pub from: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {why}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The URL is none.
    #[error("{0:?} is no address to go to: write https://NAME or https://NAME:PORT")]
    Url(String),
    /// A password in an argument.
    #[error(
        "everybody on this computer sees a password on a command line: write the database's URL into the \
         configuration file, or the password into PostgreSQL's password file (~/.pgpass)"
    )]
    Password,
    /// No such database.
    #[error("{0:?} is no database: write postgres://USER@HOST/NAME, or sqlite:FILE")]
    Database(String),
    /// Nowhere to keep things.
    #[error("there is no home folder to keep the data in: name a folder with --data FOLDER")]
    NoFolder,
    /// Two sources of certificates.
    #[error("a certificate comes from files or by ACME, not both; files are two: certificate and key")]
    Certificate,
    /// ACME for a name that nobody can check.
    #[error("ACME gives certificates for names that others reach: say which with --url https://NAME")]
    AcmeName,
    /// Mail without a sender.
    #[error("say whom mails come from: --mail-from MAIL")]
    NoSender,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    data: Option<PathBuf>,
    database: Option<String>,
    listen: Option<SocketAddr>,
    url: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    acme: Option<String>,
    acme_directory: Option<String>,
    acme_ca: Option<PathBuf>,
    #[serde(default)]
    proxies: Vec<IpAddr>,
    metrics: Option<SocketAddr>,
    smtp: Option<String>,
    smtp_password_file: Option<PathBuf>,
    mail_from: Option<String>,
    #[serde(default)]
    private_webhooks: bool,
    log: Option<LogForm>,
    log_level: Option<String>,
}

impl Config {
    /// Puts together what was typed and what stands in the file.
    ///
    /// # Errors
    /// When something is not what it should be.
    pub fn new(options: Options) -> Result<Self, ConfigError> {
        let file = options.config.as_deref().map(read).transpose()?.unwrap_or_default();
        if options.database.as_deref().is_some_and(has_password) {
            return Err(ConfigError::Password);
        }
        let data = options.data.or(file.data).or_else(default_data).ok_or(ConfigError::NoFolder)?;
        let data = std::path::absolute(&data).unwrap_or(data);
        let database = match options.database.or(file.database) {
            Some(url) => Database::new(url)?,
            None => Database(format!("sqlite:{}", data.join("lastkeyd.sqlite").display())),
        };
        let listen = options.listen.or(file.listen).unwrap_or(SocketAddr::from(LISTEN));
        let url = options.url.or(file.url).unwrap_or_else(|| format!("https://localhost:{}", listen.port()));
        let host = host_of(&url).ok_or_else(|| ConfigError::Url(url.clone()))?;
        let files = (options.certificate.or(file.certificate), options.key.or(file.key));
        let tls = match (files, options.acme.or(file.acme)) {
            ((None, None), None) => Tls::Own,
            ((Some(certificate), Some(key)), None) => Tls::Files { certificate, key },
            ((None, None), Some(_)) if host == "localhost" || host.parse::<IpAddr>().is_ok() => {
                return Err(ConfigError::AcmeName);
            }
            ((None, None), Some(contact)) => Tls::Acme {
                contact,
                directory: options.acme_directory.or(file.acme_directory),
                ca: options.acme_ca.or(file.acme_ca),
            },
            _ => return Err(ConfigError::Certificate),
        };
        let mail = match (options.smtp.or(file.smtp), options.mail_from.or(file.mail_from)) {
            (Some(smtp), Some(from)) => {
                let password_file = options.smtp_password_file.or(file.smtp_password_file);
                Some(Mail { smtp, password_file, from })
            }
            (Some(_), None) => return Err(ConfigError::NoSender),
            (None, _) => None,
        };
        Ok(Self {
            database,
            listen,
            url: url.trim_end_matches('/').to_owned(),
            host,
            hosts: more(options.hosts, file.hosts),
            tls,
            proxies: more(options.proxies, file.proxies),
            metrics: options.metrics.or(file.metrics),
            mail,
            private_webhooks: options.private_webhooks || file.private_webhooks,
            log: options.log.or(file.log).unwrap_or_default(),
            log_level: options.log_level.or(file.log_level).unwrap_or_else(|| "info,sqlx=warn".to_owned()),
            data,
        })
    }
}

impl Database {
    fn new(url: String) -> Result<Self, ConfigError> {
        let known = ["sqlite:", "postgres://", "postgresql://"];
        let known = known.iter().any(|scheme| url.starts_with(scheme));
        if known { Ok(Self(url)) } else { Err(ConfigError::Database(without_password(&url))) }
    }

    /// Returns the database's file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite:").map(Path::new)
    }

    /// Returns the URL, to connect with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

fn read(path: &Path) -> Result<File, ConfigError> {
    use std::io::Read;
    let unread = |source| ConfigError::Unread { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unread)?;
    file.take(FILE_LIMIT).read_to_string(&mut text).map_err(unread)?;
    // The parser's own message shows the line, and there may be a password in it.
    toml::from_str(&text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| 1 + text.get(..span.start).unwrap_or("").matches('\n').count());
        ConfigError::Invalid { path: path.to_owned(), why: format!("line {line}: {}", error.message()) }
    })
}

fn more<T>(typed: Vec<T>, file: Vec<T>) -> Vec<T> {
    if typed.is_empty() { file } else { typed }
}

fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let host = uri.host().filter(|host| !host.is_empty() && uri.scheme_str() == Some("https") && bare)?;
    Some(host.to_ascii_lowercase())
}

fn default_data() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = |folder: PathBuf| folder.join("lastkeyd");
    set("STATE_DIRECTORY")
        .or_else(|| set("XDG_DATA_HOME").filter(|folder| folder.is_absolute()).map(named))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/lastkeyd")))
        .or_else(|| set("LOCALAPPDATA").map(named))
}

fn has_password(url: &str) -> bool {
    without_password(url) != url || url.contains("password=")
}

fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, tail) = rest.split_at(end);
    let tail =
        tail.split_once("password=").map_or(tail.to_owned(), |(before, _)| format!("{before}password=..."));
    match place.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}@{host}{tail}")
        }
        None if scheme.is_empty() => format!("{place}{tail}"),
        None => format!("{scheme}://{place}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn options() -> Options {
        Options { data: Some(PathBuf::from("data")), ..Options::default() }
    }

    #[test]
    fn without_options_it_answers_on_this_computer_alone() {
        let config = Config::new(options()).unwrap();
        assert_eq!((config.url.as_str(), config.host.as_str()), ("https://localhost:4848", "localhost"));
        assert!(config.listen.ip().is_loopback() && config.database.url().starts_with("sqlite:"));
        assert_eq!(config.tls, Tls::Own);
    }

    #[test]
    fn what_is_typed_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lastkeyd.toml");
        std::fs::write(&path, "url = 'https://a.example'\nlisten = '127.0.0.1:1'\nhosts = ['b.example']")
            .unwrap();
        let typed = Options { config: Some(path), url: Some("https://c.example/".to_owned()), ..options() };
        let config = Config::new(typed).unwrap();
        assert_eq!((config.url.as_str(), config.listen.port()), ("https://c.example", 1));
        assert_eq!(config.hosts, ["b.example"]);
    }

    #[test]
    fn every_line_of_the_example_is_taken() {
        let example = include_str!("../../../packaging/lastkeyd.toml");
        let lines =
            example.lines().filter_map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')));
        let all: Vec<&str> = lines.filter(|line| line.contains(" = ")).collect();
        assert!(all.len() > 12, "{all:?}");
        for line in all {
            assert!(toml::from_str::<File>(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_wrong_line_is_named_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lastkeyd.toml");
        std::fs::write(&path, "listen = '127.0.0.1:1'\ndatabas = 'postgres://u:verysecret@h/d'\n").unwrap();
        let error = Config::new(Options { config: Some(path), ..options() }).unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("databas") && !error.contains("verysecret"),
            "{error}"
        );
    }

    #[test]
    fn no_password_is_shown_or_taken_from_the_command_line() {
        let shown = |url: &str| Database(url.to_owned()).to_string();
        assert_eq!(shown("postgres://u:pa@ss@h:5/d?x=1"), "postgres://u@h:5/d?x=1");
        assert_eq!(shown("postgres://h/d?password=pa&x=1"), "postgres://h/d?password=...");
        assert_eq!(shown("sqlite:/a/b.sqlite"), "sqlite:/a/b.sqlite");
        for url in ["postgres://u:pass@h/d", "postgres://h/d?password=p"] {
            let typed = Options { database: Some(url.to_owned()), ..options() };
            assert!(matches!(Config::new(typed), Err(ConfigError::Password)));
        }
        let typed = Options { database: Some("mysql://h/d".to_owned()), ..options() };
        assert!(matches!(Config::new(typed), Err(ConfigError::Database(_))));
    }

    #[test]
    fn a_url_is_https_and_a_host() {
        for url in ["http://a.example", "https://a.example/keys", "a.example", "https://", "https://a?b"] {
            let typed = Options { url: Some(url.to_owned()), ..options() };
            assert!(matches!(Config::new(typed), Err(ConfigError::Url(_))), "{url}");
        }
    }

    #[test]
    fn acme_needs_a_name_that_others_reach() {
        let typed = Options { acme: Some("a@example.org".to_owned()), ..options() };
        assert!(matches!(Config::new(typed), Err(ConfigError::AcmeName)));
    }
}
