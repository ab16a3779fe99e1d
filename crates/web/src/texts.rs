//! What pages say, in the language of who reads them.
//!
//! Texts are messages of [Fluent](https://projectfluent.org): a site has a catalogue for each language, English has all
//! of them, and what another lacks is said in English.

use std::borrow::Borrow;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

/// A language that there is a catalogue for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// All of them, the first of which has every message.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Returns its tag, as in `<html lang>`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Returns what its speakers call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// Returns which way it is written, as in `<html dir>`.
    #[must_use]
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German => "ltr",
        }
    }

    /// Returns the language of a tag: `de`, `de-AT`.
    #[must_use]
    pub fn tagged(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// Returns the one that a browser likes best of those that there are (`Accept-Language`).
    #[must_use]
    pub fn accepted(header: &str) -> Option<Self> {
        // What is said of a header is said of few languages: a browser that lists hundreds is none.
        let liked = header.split(',').take(32).filter_map(|part| {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let quality =
                parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            (quality > 0.0).then_some((Self::tagged(tag.trim())?, quality))
        });
        // Of those that are liked alike, the first.
        liked.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(language, _)| language)
    }

    fn identifier(self) -> LanguageIdentifier {
        self.tag().parse().unwrap_or_default()
    }
}

/// A site's catalogues.
pub struct Texts(Vec<(Language, FluentBundle<FluentResource>)>);

impl Texts {
    /// Reads catalogues: the languages, and the files of each. What is wrong with a file is a test's business: a
    /// message that cannot be read is missing.
    #[must_use]
    pub fn new(catalogues: &[(Language, &[&str])]) -> Self {
        let bundle = |&(language, files): &(Language, &[&str])| {
            let mut bundle = FluentBundle::new_concurrent(vec![language.identifier()]);
            // The marks that keep what is put in apart matter only where text runs both ways.
            bundle.set_use_isolating(language.direction() == "rtl");
            for file in files {
                let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(part, _)| part);
                let _ = bundle.add_resource(resource);
            }
            (language, bundle)
        };
        Self(catalogues.iter().map(bundle).collect())
    }

    /// Returns what speaks a language.
    #[must_use]
    pub fn say(&self, language: Language) -> Say<'_> {
        Say { texts: self, language }
    }

    fn format(&self, language: Language, id: &str, arguments: Option<&FluentArgs<'_>>) -> String {
        let preferred = self.0.iter().filter(|(other, _)| *other == language);
        for (_, bundle) in preferred.chain(&self.0) {
            if let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) {
                return bundle.format_pattern(pattern, arguments, &mut Vec::new()).into_owned();
            }
        }
        // Better a name that can be looked up than nothing.
        id.to_owned()
    }
}

/// Speaks one language.
#[derive(Clone, Copy)]
pub struct Say<'t> {
    texts: &'t Texts,
    language: Language,
}

impl Say<'_> {
    /// Returns the language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// Returns a message.
    #[must_use]
    pub fn of(&self, id: &str) -> String {
        self.texts.format(self.language, id, None)
    }

    /// Returns a message that names something: `{ $name }`.
    #[must_use]
    pub fn with(&self, id: &str, arguments: &[(&str, &str)]) -> String {
        let mut all = FluentArgs::new();
        arguments.iter().for_each(|&(name, value)| all.set(name, FluentValue::from(value)));
        self.texts.format(self.language, id, Some(&all))
    }

    /// Returns a message that counts something: `{ $count }`, which chooses the plural.
    #[must_use]
    pub fn count(&self, id: &str, count: impl Borrow<u64>) -> String {
        let mut arguments = FluentArgs::new();
        arguments.set("count", FluentValue::from(*count.borrow()));
        self.texts.format(self.language, id, Some(&arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Texts {
        let english = "hello = Hello, { $name }\nkeys = { $count ->\n    [one] one key\n   *[other] { $count } keys\n}\nonly = here\n";
        let german = "hello = Hallo, { $name }\nkeys = { $count ->\n    [one] ein Schlüssel\n   *[other] { $count } Schlüssel\n}\n";
        Texts::new(&[(Language::English, &[english]), (Language::German, &[german])])
    }

    #[test]
    fn messages_are_said_in_the_language() {
        let texts = texts();
        let (english, german) = (texts.say(Language::English), texts.say(Language::German));
        assert_eq!(english.with("hello", &[("name", "Ada")]), "Hello, Ada");
        assert_eq!(german.with("hello", &[("name", "Ada")]), "Hallo, Ada");
        assert_eq!(
            (english.count("keys", 1_u64), german.count("keys", 2_u64)),
            ("one key".to_owned(), "2 Schlüssel".to_owned())
        );
        assert_eq!((german.of("only"), german.of("nowhere")), ("here".to_owned(), "nowhere".to_owned()));
    }

    #[test]
    fn browsers_say_what_they_like() {
        let accepted = Language::accepted;
        assert_eq!(accepted("de-AT,de;q=0.9,en;q=0.8"), Some(Language::German));
        assert_eq!(accepted("fr, en;q=0.5, de;q=0.7"), Some(Language::German));
        assert_eq!(accepted("en, de"), Some(Language::English));
        assert_eq!(accepted("de;q=0, fr"), None);
        assert_eq!(accepted(";;q=,=,\u{e9}"), None);
    }
}
