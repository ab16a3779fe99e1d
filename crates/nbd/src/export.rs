//! What is lent.

use std::fmt;
use std::sync::Arc;

use fve::ReadAt;

use crate::protocol::{MAX_STRING, transmission_flag as flag};

/// The one thing that a server lends. Clients get it by its name, and by the empty name.
#[derive(Clone)]
pub struct Export {
    name: String,
    description: String,
    pub(crate) bytes: Arc<dyn ReadAt>,
}

impl Export {
    /// The flags that every client is told.
    pub(crate) const FLAGS: u16 = flag::HAS_FLAGS | flag::READ_ONLY | flag::SEND_DF | flag::CAN_MULTI_CONN;

    /// Makes an export. A name or description longer than the protocol's 4096 bytes is cut off there.
    pub fn new(name: &str, description: &str, bytes: Arc<dyn ReadAt>) -> Self {
        let cut = |text: &str| text[..text.floor_char_boundary(MAX_STRING)].to_owned();
        Self { name: cut(name), description: cut(description), bytes }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// Returns whether a client means this export.
    pub(crate) fn is_called(&self, name: &[u8]) -> bool {
        name.is_empty() || name == self.name.as_bytes()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("name", &self.name).finish_non_exhaustive()
    }
}
