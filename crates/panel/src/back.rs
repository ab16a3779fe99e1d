//! The way back to what somebody was at when something else had to come first.

use std::fmt;

use serde::Deserialize;

/// A page of a drive to go on to. It comes with addresses and forms, which others can write: whatever is no such page is
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Back(String);

impl Back {
    /// Returns the page, or where all drives are.
    pub fn path(&self) -> &str {
        if self.0.is_empty() { "/drives" } else { &self.0 }
    }

    /// Returns a page that leads there afterwards.
    pub fn after(&self, page: &str) -> String {
        if self.0.is_empty() { page.to_owned() } else { format!("{page}?back={self}") }
    }
}

impl From<String> for Back {
    fn from(path: String) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._".contains(&byte);
        Self(
            Some(path)
                .filter(|path| path.starts_with("/drives/") && path.bytes().all(plain))
                .unwrap_or_default(),
        )
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leads_to_a_drive_and_nowhere_else() {
        let back = Back::from("/drives/sda1/back-up".to_owned());
        assert_eq!(back.path(), "/drives/sda1/back-up");
        assert_eq!(back.after("/rights"), "/rights?back=/drives/sda1/back-up");
        for other in ["", "/drives", "//example.org", "https://example.org/drives/", "/drives/a?b=c", "/quit"]
        {
            let back = Back::from(other.to_owned());
            assert_eq!((back.path(), back.after("/rights")), ("/drives", "/rights".to_owned()), "{other}");
        }
    }
}
