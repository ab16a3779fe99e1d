//! What a printer answers.

use std::io::Cursor;

use ipp::attribute::IppAttributeGroup;
use ipp::model::DelimiterTag;
use ipp::parser::IppParser;
use ipp::reader::IppReader;
use ipp::request::IppRequestResponse;
use ipp::value::IppValue;

/// An answer that is IPP.
pub(crate) struct Answer(IppRequestResponse);

impl Answer {
    pub(crate) fn parse(body: Vec<u8>) -> Option<Self> {
        IppParser::new(IppReader::new(Cursor::new(body))).parse().ok().map(Self)
    }

    /// Returns the IPP status; below 0x0100 all went well.
    pub(crate) fn status(&self) -> u16 {
        self.0.header().operation_or_status.cast_unsigned()
    }

    /// Returns what the printer says of the status, in one printable line.
    pub(crate) fn message(&self) -> String {
        let group = self.groups(DelimiterTag::OperationAttributes).next();
        let text = group.and_then(|group| group.text("status-message").map(str::to_owned));
        let text: String = text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
        if text.is_empty() { "it does not say why".to_owned() } else { text }
    }

    pub(crate) fn groups(&self, tag: DelimiterTag) -> impl Iterator<Item = Group<'_>> {
        self.0.attributes().groups_of(tag).map(Group)
    }
}

/// Attributes of one thing.
pub(crate) struct Group<'a>(&'a IppAttributeGroup);

impl<'a> Group<'a> {
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.values(name).find_map(text)
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.values(name).filter_map(text).map(str::to_owned).collect()
    }

    pub(crate) fn number(&self, name: &str) -> Option<i32> {
        self.values(name).find_map(|value| match value {
            IppValue::Integer(number) | IppValue::Enum(number) => Some(*number),
            _ => None,
        })
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.values(name).find_map(|value| value.as_boolean().copied())
    }

    /// Returns resolutions that are the same both ways, in dots per inch.
    pub(crate) fn resolutions(&self, name: &str) -> Vec<u32> {
        let dpi = |value: &IppValue| match value {
            IppValue::Resolution { cross_feed, feed, units: 3 } if cross_feed == feed => {
                u32::try_from(*feed).ok()
            }
            _ => None,
        };
        self.values(name).filter_map(dpi).collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &'a IppValue> + use<'a> {
        let value = self.0.get(name).map(|attribute| attribute.value());
        let (one, many) = match value {
            Some(IppValue::Array(values)) => (None, values.as_slice()),
            value => (value, &[][..]),
        };
        one.into_iter().chain(many)
    }
}

fn text(value: &IppValue) -> Option<&str> {
    Some(match value {
        IppValue::TextWithoutLanguage(text) | IppValue::TextWithLanguage { text, .. } => text.as_ref(),
        IppValue::NameWithoutLanguage(name) | IppValue::NameWithLanguage { name, .. } => name.as_str(),
        IppValue::Uri(text) | IppValue::UriScheme(text) => text.as_str(),
        IppValue::Keyword(text) => text.as_str(),
        IppValue::MimeMediaType(text) => text.as_str(),
        _ => return None,
    })
}
