//! A person at a browser without a browser: forms and a cookie, for what is tried a hundred times.

use std::fs;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::lastkeyd::Lastkeyd;

/// The password of every account that is made here.
pub const PASSWORD: &str = "four words that nobody guesses";

/// Somebody who visits the portal. What the server should have answered and did not is a panic.
pub struct Visitor {
    agent: Agent,
    url: String,
    cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub bytes: Vec<u8>,
    /// When to ask again, if it says so.
    pub retry_after: Option<String>,
    /// All of its fields but the time.
    pub fields: Vec<String>,
}

impl Page {
    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Visitor {
    /// Somebody who is not signed in.
    ///
    /// # Panics
    /// When the server's certificate cannot be read.
    pub fn new(server: &Lastkeyd) -> Self {
        Self { agent: agent(server), url: server.url(""), cookie: None }
    }

    /// Asks for a page.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn get(&mut self, path: &str) -> Page {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let answer = request.call().expect("an answer");
        self.take(answer)
    }

    /// Sends a form.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let url = format!("{}{path}", self.url);
        let mut request = self.agent.post(&url).header("origin", self.url.trim_end_matches('/'));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let answer = request.send_form(fields.iter().copied()).expect("an answer");
        self.take(answer)
    }

    fn take(&mut self, answer: ureq::http::Response<Body>) -> Page {
        if let Some(cookie) = answer.headers().get("set-cookie") {
            self.cookie = cookie.to_str().expect("text").split(';').next().map(str::to_owned);
        }
        read(answer)
    }

    /// Returns the cookie: what it is called, and what it holds.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    /// Makes the first account, and returns its account code.
    ///
    /// # Panics
    /// When the server makes none.
    pub fn make_account(&mut self, server: &Lastkeyd, name: &str) -> String {
        self.accept(&server.welcome(), name)
    }

    /// Makes an account by the link of an invitation, and returns its account code.
    ///
    /// # Panics
    /// When the server makes none.
    pub fn accept(&mut self, welcome: &str, name: &str) -> String {
        let invitation = welcome.split_once('#').expect("an invitation").1;
        let fields = [("invitation", invitation), ("name", name), ("new", PASSWORD), ("again", PASSWORD)];
        let page = self.post("/welcome/account", &fields);
        assert_eq!(page.status, 200, "{}", page.text());
        between(&page.text(), "class=\"code big\">", "<").to_owned()
    }

    /// Lets the device in that shows a code.
    ///
    /// # Panics
    /// When the server does not.
    pub fn confirm(&mut self, code: &str) {
        let page = self.post("/devices/code", &[("code", code)]);
        let id = between(&page.text(), "name=\"id\" value=\"", "\"").to_owned();
        let page = self.post("/devices/confirm", &[("id", &id), ("password", PASSWORD)]);
        assert_eq!(page.status, 303, "{}", page.text());
    }

    /// Lets somebody more open what is sealed from now on.
    ///
    /// # Panics
    /// When the server does not.
    pub fn add_recipient(&mut self, recipient: &str, label: &str) {
        let fields = [("who", recipient), ("label", label), ("password", PASSWORD)];
        let page = self.post("/account/recipients/add", &fields);
        assert_eq!(page.status, 200, "{}", page.text());
    }

    /// Returns the ID of the first record in the list.
    ///
    /// # Panics
    /// When there is none.
    pub fn first_record(&mut self) -> String {
        let page = self.get("/");
        between(&page.text(), "href=\"/keys/", "\"").to_owned()
    }

    /// Has a record shown.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn reveal(&mut self, record: &str) -> Page {
        let fields = [("reason", "the PC asks for it"), ("password", PASSWORD)];
        self.post(&format!("/keys/{record}/reveal"), &fields)
    }
}

/// Asks a server over TLS, and believes its own certificate.
///
/// # Panics
/// When that certificate cannot be read.
pub fn agent(server: &Lastkeyd) -> Agent {
    let certificate = fs::read(server.certificate()).expect("a certificate");
    let root = Certificate::from_pem(&certificate).expect("a certificate");
    let settings = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .tls_config(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).build())
        .build();
    // The library asks for a provider to be chosen once; that it was chosen before is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    settings.into()
}

/// Reads an answer to its end.
///
/// # Panics
/// When it breaks off.
pub fn read(answer: ureq::http::Response<Body>) -> Page {
    let text = |value: &ureq::http::HeaderValue| value.to_str().expect("text").to_owned();
    let retry_after = answer.headers().get("retry-after").map(text);
    let mut fields: Vec<_> =
        answer.headers().iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
    fields.retain(|field| !field.starts_with("date:"));
    let status = answer.status().as_u16();
    Page { status, bytes: answer.into_body().read_to_vec().expect("a whole body"), retry_after, fields }
}

/// Returns what stands between two texts.
///
/// # Panics
/// When one of them is not there.
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {text}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} in {rest}")).0
}
