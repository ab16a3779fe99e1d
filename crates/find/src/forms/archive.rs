//! ZIP archives: what they hold is read like any file, within bounds.

use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::sync::Arc;

use recovery_key::Secret;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{DEPTH_LIMIT, Reader, WHOLE_LIMIT, office};
use crate::{Seal, Unread};

/// All that is unpacked from one archive, in bytes: more is a bomb, or nothing with keys in it.
const ARCHIVE_LIMIT: u64 = 512 << 20;
/// The entries of an archive that are looked at.
const ENTRY_LIMIT: usize = 100_000;

/// An archive, and how much may still be unpacked from it.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, Unread> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unread::Damaged)?;
        Ok(Self { zip, left: ARCHIVE_LIMIT })
    }

    pub(super) fn len(&self) -> usize {
        self.zip.len().min(ENTRY_LIMIT)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    pub(super) fn name(&self, index: usize) -> Option<String> {
        self.zip.name_for_index(index)?.ok().map(Cow::into_owned)
    }

    pub(super) fn read_named(&mut self, name: &str) -> Option<Secret<Vec<u8>>> {
        self.read(self.zip.index_for_name(name)?).ok()
    }

    /// Unpacks an entry.
    pub(super) fn read(&mut self, index: usize) -> Result<Secret<Vec<u8>>, Unread> {
        let entry = self.zip.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Unread::Sealed(Seal::Zip),
            ZipError::UnsupportedArchive(_) => Unread::Archive,
            _ => Unread::Damaged,
        })?;
        let limit = self.left.min(WHOLE_LIMIT as u64);
        // What it says of its own length is believed only as far as it saves growing.
        let room = usize::try_from(entry.size().min(limit).min(1 << 20)).unwrap_or(0);
        let mut bytes = Secret::new(Vec::with_capacity(room + 1));
        let result = entry.take(limit + 1).read_to_end(bytes.expose_mut());
        let length = bytes.expose().len() as u64;
        self.left = self.left.saturating_sub(length);
        match result {
            Err(_) => Err(Unread::Damaged),
            Ok(_) if length > limit => Err(Unread::TooLarge),
            Ok(_) => Ok(bytes),
        }
    }
}

impl Reader {
    /// Reads an archive, or the document that it is.
    pub(super) fn zip(&mut self, bytes: &[u8]) {
        let mut archive = match Archive::open(bytes) {
            Ok(archive) => archive,
            Err(why) => return self.unread(why),
        };
        if office::is_likely(&archive) {
            return self.office(&mut archive);
        }
        if self.depth >= DEPTH_LIMIT {
            return self.unread(Unread::Archive);
        }
        self.depth += 1;
        let outer = self.inside.clone();
        for index in 0..archive.len() {
            let Some(name) = archive.name(index).filter(|name| !name.ends_with('/')) else { continue };
            self.inside = Some(match &outer {
                Some(outer) => Arc::from(format!("{outer}: {name}")),
                None => Arc::from(name.as_str()),
            });
            match archive.read(index) {
                Ok(bytes) => self.file(name.rsplit(['/', '\\']).next().unwrap_or(&name), bytes.expose()),
                Err(why) => self.unread(why),
            }
            if archive.left == 0 {
                break;
            }
        }
        self.inside = outer;
        self.depth -= 1;
    }
}
