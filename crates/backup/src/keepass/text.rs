//! The XML inside a password database, step by step, with the place of each step.
//!
//! A database is changed by putting text between two of these places. Whatever else is in it stays byte
//! for byte, also what no program but its own knows.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use recovery_key::Secret;

use super::cipher::Stream;
use super::error::KeePassError;

/// Deeper than this no database nests its groups.
const DEPTH_LIMIT: usize = 100;

/// One step through the text.
pub(super) enum Step<'a> {
    /// An element begins.
    Open {
        /// Its name.
        name: String,
        /// Whether its text is encrypted once more.
        protected: bool,
        /// Whether its text is compressed.
        compressed: bool,
        /// The attachment it stands for: `Ref` or `ID`.
        number: Option<usize>,
        /// The hash of a key file.
        hash: Option<String>,
        /// Where it begins, and where its content does.
        start: usize,
        end: usize,
    },
    /// Some of an element's text.
    Text(Cow<'a, str>),
    /// An element ends.
    Close {
        /// Where its content ends, and where it does.
        start: usize,
        end: usize,
    },
}

/// Steps through a text.
pub(super) struct Walker<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
    /// Where an element ends that began and ended at once.
    empty: Option<usize>,
}

impl<'a> Walker<'a> {
    /// Begins at the start of a text.
    pub(super) fn new(text: &'a str) -> Self {
        Self { reader: Reader::from_str(text), depth: 0, empty: None }
    }

    /// Goes one step on, to `None` at the end.
    pub(super) fn step(&mut self) -> Result<Option<Step<'a>>, KeePassError> {
        loop {
            if let Some(start) = self.empty.take() {
                self.depth -= 1;
                return Ok(Some(Step::Close { start, end: start }));
            }
            let start = self.place();
            let event = self.reader.read_event();
            let step = match event.map_err(|error| self.broken(error.to_string()))? {
                Event::Start(tag) => self.open(&tag, start)?,
                Event::Empty(tag) => {
                    let step = self.open(&tag, start)?;
                    self.empty = Some(self.place());
                    step
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Step::Close { start, end: self.place() }
                }
                Event::Text(text) => Step::Text(text.xml10_content()),
                Event::CData(text) => Step::Text(text.xml10_content()),
                Event::GeneralRef(name) => {
                    let character = match name.resolve_char_ref() {
                        Ok(Some(character)) => Some(Cow::Owned(character.to_string())),
                        Ok(None) => resolve_xml_entity(&name).map(Cow::Borrowed),
                        Err(_) => None,
                    };
                    Step::Text(character.ok_or_else(|| self.broken("an unknown reference".to_owned()))?)
                }
                Event::DocType(_) => return Err(self.broken("a document type".to_owned())),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
                Event::Eof if self.depth > 0 => return Err(self.broken("it ends too early".to_owned())),
                Event::Eof => return Ok(None),
            };
            return Ok(Some(step));
        }
    }

    fn place(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn broken(&self, what: String) -> KeePassError {
        KeePassError::Text { at: self.place(), what }
    }

    fn open(&mut self, tag: &BytesStart<'_>, start: usize) -> Result<Step<'a>, KeePassError> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(self.broken("it is nested too deep".to_owned()));
        }
        let attribute = |name: &str| -> Result<Option<String>, KeePassError> {
            let found = tag.try_get_attribute(name).map_err(|error| self.broken(error.to_string()))?;
            Ok(found.map(|attribute| attribute.value.into_owned()))
        };
        let is_true = |value: Option<String>| value.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let number = attribute("Ref")?.or(attribute("ID")?).and_then(|number| number.parse().ok());
        Ok(Step::Open {
            name: tag.name().as_ref().to_owned(),
            protected: is_true(attribute("Protected")?),
            compressed: is_true(attribute("Compressed")?),
            number,
            hash: attribute("Hash")?,
            start,
            end: self.place(),
        })
    }
}

/// Copies a text; each protected value is put through the stream, which hides what is shown and shows
/// what is hidden.
pub(super) fn transcribe(text: &str, stream: &mut Stream) -> Result<Secret<String>, KeePassError> {
    let mut walker = Walker::new(text);
    let mut out = Secret::new(String::with_capacity(text.len()));
    let mut copied = 0;
    while let Some(step) = walker.step()? {
        let Step::Open { protected: true, end, .. } = step else { continue };
        let mut value = Secret::new(String::new());
        let start = loop {
            match walker.step()? {
                Some(Step::Text(part)) => {
                    value.expose_mut().extend(part.chars().filter(|c| !c.is_whitespace()));
                }
                Some(Step::Close { start, .. }) => break start,
                _ => return Err(walker.broken("a protected value holds more than text".to_owned())),
            }
        };
        // An element that ends where it begins has no content to replace.
        if value.expose().is_empty() {
            continue;
        }
        let bytes = BASE64_STANDARD.decode(value.expose());
        let mut bytes =
            Secret::new(bytes.map_err(|_| walker.broken("a protected value is no base64".to_owned()))?);
        stream.apply(bytes.expose_mut())?;
        out.expose_mut().push_str(text.get(copied..end).unwrap_or_default());
        BASE64_STANDARD.encode_string(bytes.expose(), out.expose_mut());
        copied = start;
    }
    out.expose_mut().push_str(text.get(copied..).unwrap_or_default());
    Ok(out)
}

/// Where an element lies, with and without its tags. Without, an element that ends where it begins has no
/// place of its own: `inner` is empty and `outer` is the tag.
pub(super) struct Element {
    pub(super) outer: Range<usize>,
    pub(super) inner: Range<usize>,
}

/// Finds the first element at a path.
pub(super) fn find(text: &str, path: &[&str]) -> Result<Option<Element>, KeePassError> {
    let mut walker = Walker::new(text);
    let mut open: Vec<(String, Range<usize>)> = Vec::new();
    while let Some(step) = walker.step()? {
        match step {
            Step::Open { name, start, end, .. } => open.push((name, start..end)),
            Step::Text(_) => {}
            Step::Close { start, end } => {
                let is_it = open.iter().map(|(name, _)| name.as_str()).eq(path.iter().copied());
                if let Some((_, tag)) = open.pop().filter(|_| is_it) {
                    return Ok(Some(Element { outer: tag.start..end, inner: tag.end..start }));
                }
            }
        }
    }
    Ok(None)
}

/// Returns a text with something in place of a part of it. A place that is none changes nothing.
pub(super) fn replace(text: &Secret<String>, range: Range<usize>, with: &str) -> Secret<String> {
    let text = text.expose();
    let (Some(head), Some(tail)) = (text.get(..range.start), text.get(range.end..)) else {
        return Secret::new(text.clone());
    };
    let mut out = Secret::new(String::with_capacity(head.len() + with.len() + tail.len()));
    [head, with, tail].iter().for_each(|part| out.expose_mut().push_str(part));
    out
}

/// Returns a text as it stands in XML. What XML cannot hold is left out.
pub(super) fn escape(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    quick_xml::escape::escape(text.chars().filter(allowed).collect::<String>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepass::cipher::STREAM_CHACHA20;

    const TEXT: &str = "<?xml version=\"1.0\"?>\n<A x=\"&lt;\"><!-- <B> --><![CDATA[<C>]]>\r\n\
        <V Protected=\"True\">c2VjcmV0</V><V Protected=\"True\"/><V Protected=\"True\"></V>\
        <V Protected=\"true\"> bW 9y\n ZQ== </V><V Protected=\"False\">plain &#x20ac; &amp;</V></A>\n";

    fn stream() -> Stream {
        Stream::new(STREAM_CHACHA20, b"a key").expect("a stream")
    }

    #[test]
    fn what_is_hidden_and_shown_again_is_as_it_was() {
        let hidden = transcribe(TEXT, &mut stream()).expect("hidden");
        let shown = transcribe(hidden.expose(), &mut stream()).expect("shown");
        // White space in base64 says nothing, and is all that goes.
        assert_eq!(shown.expose(), &TEXT.replace(" bW 9y\n ZQ== ", "bW9yZQ=="));
        assert!(!hidden.expose().contains("c2VjcmV0") && !hidden.expose().contains("bW9yZQ"));
        assert!(hidden.expose().contains("plain &#x20ac; &amp;"));
        // The stream goes on from value to value.
        let alone = transcribe("<V Protected=\"True\">bW9yZQ==</V>", &mut stream()).expect("hidden");
        let value = alone.expose().strip_prefix("<V Protected=\"True\">").expect("a value");
        assert!(!hidden.expose().contains(value.strip_suffix("</V>").expect("a value")));
    }

    #[test]
    fn text_is_read_with_its_references_resolved() {
        let mut walker = Walker::new("<A>a&amp;&#98;&#x63;<![CDATA[&d]]></A>");
        let mut text = String::new();
        while let Some(step) = walker.step().expect("a step") {
            if let Step::Text(part) = step {
                text.push_str(&part);
            }
        }
        assert_eq!(text, "a&bc&d");
    }

    #[test]
    fn broken_texts_are_refused() {
        let deep = "<A>".repeat(DEPTH_LIMIT + 1);
        let broken = [
            "<A>",
            "<A></B>",
            "</A>",
            "<A",
            "<A><B></A>",
            "<!DOCTYPE A><A/>",
            "<A>&unknown;</A>",
            &deep,
            "<A Protected=\"True\">no base64!</A>",
            "<A Protected=\"True\"><B/></A>",
        ];
        for text in broken {
            let error = transcribe(text, &mut stream());
            assert!(matches!(error, Err(KeePassError::Text { .. })), "{text}");
        }
    }

    #[test]
    fn no_changed_byte_is_more_than_an_error() {
        for at in 0..TEXT.len() {
            for byte in [b'<', b'>', b'"', b'&', b'/', 0] {
                let mut bytes = TEXT.as_bytes().to_vec();
                bytes[at] = byte;
                let text = String::from_utf8(bytes).expect("ASCII");
                let _ = transcribe(&text, &mut stream());
                let _ = crate::keepass::entry::entries(&text);
            }
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        assert_eq!(escape("<a & \u{0}\u{1b}\u{fffe}\u{1f511}>"), "&lt;a &amp; \u{1f511}&gt;");
    }
}
