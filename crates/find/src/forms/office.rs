//! Documents that are ZIP archives of XML: Word, Excel, PowerPoint (OOXML), LibreOffice (ODF).

use recovery_key::Secret;
use recovery_key::document;

use super::archive::Archive;
use super::{Form, Reader, sealed, text, xml};

/// The parts that hold text, by the end of their names and the folder they are in.
const PARTS: [(&str, &str); 8] = [
    ("word/", ".xml"),
    ("xl/worksheets/", ".xml"),
    ("xl/comments", ".xml"),
    ("ppt/slides/", ".xml"),
    ("ppt/notesSlides/", ".xml"),
    ("visio/pages/", ".xml"),
    ("", "content.xml"),
    ("", "styles.xml"),
];
/// Parts in those folders that hold none.
const OTHER_PARTS: [&str; 6] = [
    "word/styles.xml",
    "word/settings.xml",
    "word/fontTable.xml",
    "word/webSettings.xml",
    "word/theme/",
    "xl/styles.xml",
];

/// Says whether an archive is such a document.
pub(super) fn is_likely(archive: &Archive<'_>) -> bool {
    archive.has("[Content_Types].xml") || archive.has("mimetype") && archive.has("content.xml")
}

impl Reader {
    /// Reads all texts of a document as one, and the pictures in it.
    pub(super) fn office(&mut self, archive: &mut Archive<'_>) {
        let shared = archive
            .read_named("xl/sharedStrings.xml")
            .map(|bytes| xml::shared_strings(text::decode(bytes.expose()).expose()));
        let shared = shared.unwrap_or_default();
        for index in 0..archive.len() {
            let Some(name) = archive.name(index) else { continue };
            let is_text = PARTS.iter().any(|(folder, end)| name.starts_with(folder) && name.ends_with(end))
                && !OTHER_PARTS.iter().any(|other| name.starts_with(other));
            if is_text {
                match archive.read(index) {
                    Ok(bytes) => self.part(bytes.expose(), &shared),
                    Err(why) => self.unread(why),
                }
            } else if self.readers.picture.is_some() && is_picture_name(&name) {
                match archive.read(index) {
                    Ok(bytes) if sealed::is_picture(bytes.expose()) => self.picture(bytes.expose()),
                    Ok(_) => {}
                    Err(why) => self.unread(why),
                }
            }
        }
        shared.into_iter().for_each(|text| drop(Secret::new(text)));
    }

    fn part(&mut self, bytes: &[u8], shared: &[String]) {
        let xml::Texts { text, records } = xml::texts(text::decode(bytes).expose(), shared);
        let count = |text: &str| document::read(None, text.as_bytes()).keys.len();
        match records {
            Some(records) if count(records.expose()) >= count(text.expose()) => {
                self.text("", records.expose(), Form::Office);
            }
            _ => self.text("", text.expose(), Form::Office),
        }
    }
}

fn is_picture_name(name: &str) -> bool {
    name.contains("/media/") || name.starts_with("Pictures/")
}
