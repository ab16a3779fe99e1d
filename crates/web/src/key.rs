//! A recovery key, large: eight numbered groups of six, as Windows asks for them.

use askama::Template;

/// The 48 digits as people type them: one group after the other, each with its number.
#[derive(Template)]
#[template(path = "key.html")]
pub struct KeyDigits<'k> {
    groups: Vec<&'k str>,
}

impl<'k> KeyDigits<'k> {
    /// Takes digits in groups with a hyphen between them.
    #[must_use]
    pub fn new(digits: &'k str) -> Self {
        Self { groups: digits.split('-').collect() }
    }
}

impl askama::filters::HtmlSafe for KeyDigits<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_stands_in_its_own_place() {
        let key = KeyDigits::new("000011-000022-000033-000044-000055-000066-000077-000088");
        let html = key.render().expect("rendered");
        assert_eq!(html.matches("<li>").count(), 8);
        assert!(html.contains(">000011<") && html.contains(">000088<"));
    }
}
