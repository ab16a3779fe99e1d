//! Files that pages name: each has the hash of its content in its path, so that browsers may keep it for good.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// The style of all pages.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style.css", "text/css; charset=utf-8", include_bytes!("../assets/style.css"))
});

/// A file that pages name.
#[derive(Clone, Debug)]
pub struct Asset {
    path: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    /// How a server lets browsers keep it: for good, since another content has another path.
    pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

    /// Takes a file that the program carries.
    #[must_use]
    pub fn new(name: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = Sha256::digest(bytes);
        let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { path: format!("/assets/{hash}/{name}"), content_type, bytes }
    }

    /// Returns its path: `/assets/HASH/NAME`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what it is, for the header.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Returns its bytes.
    #[must_use]
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_has_another_path() {
        let path = |bytes| Asset::new("a.css", "text/css", bytes).path().to_owned();
        assert_eq!(path(b"a"), "/assets/ca978112ca1bbdca/a.css");
        assert_ne!(path(b"a"), path(b"b"));
    }

    #[test]
    fn the_style_fetches_nothing() {
        let style = String::from_utf8_lossy(STYLE.bytes());
        assert!(!style.contains("url(") && !style.contains("@import"));
    }
}
