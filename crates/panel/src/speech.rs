//! The panel's words: `locales/LANGUAGE/*.ftl`, and which language somebody reads.

use std::convert::Infallible;
use std::sync::LazyLock;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use web::{Language, Say, Texts};

/// The name of the cookie that keeps the language somebody has chosen.
pub const COOKIE: &str = "language";

macro_rules! catalogue {
    ($language:literal: $($file:literal)*) => {
        &[$(include_str!(concat!("../locales/", $language, "/", $file, ".ftl"))),*]
    };
}

/// All that the panel says.
pub static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let english: &[&str] = catalogue!("en": "common" "home" "unlock" "keys" "back-up" "account" "rights");
    let german: &[&str] = catalogue!("de": "common" "home" "unlock" "keys" "back-up" "account" "rights");
    Texts::new(&[(Language::English, english), (Language::German, german)])
});

/// Something to say in whatever language it is read: a message, and what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    message: &'static str,
    arguments: Vec<(&'static str, String)>,
}

impl Sentence {
    /// Takes a message, and what it names.
    pub fn new(message: &'static str, arguments: &[(&'static str, &str)]) -> Self {
        let arguments = arguments.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        Self { message, arguments }
    }

    /// Says it.
    pub fn text(&self, say: Say<'_>) -> String {
        let arguments: Vec<_> = self.arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        say.with(self.message, &arguments)
    }
}

/// Who looks at a page: in which language.
#[derive(Clone, Copy)]
pub struct Reader(pub Say<'static>);

impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header =
            |name| parts.headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let cookies = header(header::COOKIE).unwrap_or_default().split(';');
        let chosen =
            cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE);
        let chosen = chosen.and_then(|(_, tag)| Language::tagged(tag));
        let liked = || header(header::ACCEPT_LANGUAGE).and_then(Language::accepted);
        Ok(Self(TEXTS.say(chosen.or_else(liked).unwrap_or(Language::English))))
    }
}
