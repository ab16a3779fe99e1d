//! Format 3.1, which KeePass writes for databases without Argon2, and `keepassxc-cli` for new ones.
//!
//! Header fields have lengths of two bytes. The content begins with 32 bytes that the header repeats, by
//! which a wrong key is told; then come blocks `number u32, SHA-256, length u32, bytes`. Attachments lie
//! in the text, and so does the header's hash, the only thing that protects the header.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use recovery_key::Secret;
use sha2::{Digest, Sha256};

use super::cipher::{Cipher, Stream};
use super::credentials::Credentials;
use super::error::KeePassError;
use super::kdbx::{
    BLOCK, CONTENT_LIMIT, Cut, Field, SIGNATURE, Version, field, fill, is_compressed, pack, unpack, utf8,
    word,
};
use super::kdf::Kdf;
use super::text::{self, Element, Step, Walker, find, replace};

const CIPHER: u8 = 2;
const COMPRESSION: u8 = 3;
const MASTER_SEED: u8 = 4;
const TRANSFORM_SEED: u8 = 5;
const ROUNDS: u8 = 6;
const NONCE: u8 = 7;
const STREAM_KEY: u8 = 8;
const START: u8 = 9;
const STREAM: u8 = 10;

const BINARIES: [&str; 3] = ["KeePassFile", "Meta", "Binaries"];
const HEADER_HASH: [&str; 3] = ["KeePassFile", "Meta", "HeaderHash"];

/// What lies around the text in format 3, and the attachments in it.
#[derive(Debug)]
pub(super) struct Three {
    version: Version,
    header: Vec<Field>,
    files: Vec<Attachment>,
}

#[derive(Debug)]
struct Attachment {
    /// What entries refer to it by.
    number: usize,
    bytes: Secret<Vec<u8>>,
}

impl Three {
    pub(super) fn open(
        mut cut: Cut<'_>,
        version: Version,
        credentials: &Credentials,
    ) -> Result<(Self, Secret<String>), KeePassError> {
        let header = read_header(&mut cut)?;
        let sum = Sha256::digest(cut.taken());
        let cipher = Cipher::parse(field(&header, CIPHER)?)?;
        let compressed = is_compressed(field(&header, COMPRESSION)?)?;
        let master = master(&header, credentials)?;
        let mut content = Secret::new(cut.left().to_vec());
        cipher
            .decrypt(master.expose(), field(&header, NONCE)?, content.expose_mut())
            .ok_or(KeePassError::WrongKey)?;
        let start = field(&header, START)?;
        let rest = content.expose().strip_prefix(start).filter(|_| start.len() == 32);
        let mut content = read_blocks(rest.ok_or(KeePassError::WrongKey)?)?;
        if compressed {
            content = unpack(content.expose(), CONTENT_LIMIT)?;
        }
        let text = text::transcribe(utf8(content.expose())?, &mut stream(&header)?)?;
        if let Some(own) = find(text.expose(), &HEADER_HASH)? {
            let own = text.expose().get(own.inner).unwrap_or_default().trim();
            if !own.is_empty() && own != BASE64_STANDARD.encode(sum) {
                return Err(KeePassError::Damaged("the hash of its header"));
            }
        }
        let files = read_files(text.expose())?;
        Ok((Self { version, header, files }, text))
    }

    pub(super) fn file(&self, number: usize) -> Option<&[u8]> {
        let file = self.files.iter().find(|file| file.number == number)?;
        Some(file.bytes.expose())
    }

    pub(super) fn add_file(
        &mut self,
        bytes: &[u8],
        text: &mut Secret<String>,
    ) -> Result<usize, KeePassError> {
        let number = self.files.iter().map(|file| file.number + 1).max().unwrap_or(0);
        let content = BASE64_STANDARD.encode(bytes);
        let file = format!("<Binary ID=\"{number}\" Compressed=\"False\">{content}</Binary>");
        let whole = format!("<Binaries>{file}</Binaries>");
        *text = match find(text.expose(), &BINARIES)? {
            Some(Element { inner, .. }) if !inner.is_empty() => replace(text, inner.end..inner.end, &file),
            Some(Element { outer, .. }) => replace(text, outer, &whole),
            None => {
                let meta = find(text.expose(), &["KeePassFile", "Meta"])?;
                let end = meta.ok_or(KeePassError::Damaged("its text"))?.inner.end;
                replace(text, end..end, &whole)
            }
        };
        self.files.push(Attachment { number, bytes: Secret::new(bytes.to_vec()) });
        Ok(number)
    }

    pub(super) fn holds_all_of(&self, older: &Self) -> bool {
        let seeds = [MASTER_SEED, TRANSFORM_SEED, NONCE, STREAM_KEY, START];
        let same_header = self.header.iter().zip(&older.header).all(|(new, old)| {
            new.id == old.id && (seeds.contains(&new.id) || new.bytes.expose() == old.bytes.expose())
        });
        let same_files = self
            .files
            .iter()
            .zip(&older.files)
            .all(|(new, old)| new.number == old.number && new.bytes.expose() == old.bytes.expose());
        self.version == older.version
            && self.header.len() == older.header.len()
            && same_header
            && self.files.len() >= older.files.len()
            && same_files
    }

    /// Returns a text without what changes in it besides entries: the attachments, which are compared on
    /// their own, and the header's hash.
    pub(super) fn plain(text: &str) -> Result<Secret<String>, KeePassError> {
        let mut plain = Secret::new(text.to_owned());
        for path in [BINARIES, HEADER_HASH] {
            if let Some(element) = find(plain.expose(), &path)? {
                plain = replace(&plain, element.outer, "");
            }
        }
        Ok(plain)
    }

    pub(super) fn seal(
        &mut self,
        text: &mut Secret<String>,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, KeePassError> {
        let cipher = Cipher::parse(field(&self.header, CIPHER)?)?;
        for field in &mut self.header {
            if [MASTER_SEED, TRANSFORM_SEED, NONCE, STREAM_KEY, START].contains(&field.id) {
                fill(field.bytes.expose_mut())?;
            }
        }
        let mut bytes = [&SIGNATURE[..], &self.version].concat();
        write_header(&mut bytes, &self.header);
        if let Some(own) = find(text.expose(), &HEADER_HASH)?.filter(|own| !own.inner.is_empty()) {
            *text = replace(text, own.inner, &BASE64_STANDARD.encode(Sha256::digest(&bytes)));
        }
        let hidden = text::transcribe(text.expose(), &mut stream(&self.header)?)?;
        let mut content = Secret::new(hidden.expose().as_bytes().to_vec());
        if is_compressed(field(&self.header, COMPRESSION)?)? {
            content = pack(content.expose())?;
        }
        let content = write_blocks(field(&self.header, START)?, content.expose());
        let master = master(&self.header, credentials)?;
        let nonce = field(&self.header, NONCE)?;
        let encrypted = cipher.encrypt(master.expose(), nonce, content.expose());
        bytes.extend(encrypted.ok_or(KeePassError::Damaged("its nonce"))?);
        Ok(bytes)
    }
}

fn master(header: &[Field], credentials: &Credentials) -> Result<Secret<[u8; 32]>, KeePassError> {
    let seed = field(header, TRANSFORM_SEED)?.try_into();
    let rounds = field(header, ROUNDS)?.try_into().map(u64::from_le_bytes);
    let (Ok(seed), Ok(rounds)) = (seed, rounds) else {
        return Err(KeePassError::Damaged("the parameters of the key derivation"));
    };
    let stretched = credentials.stretch(Kdf::Aes { rounds, seed })?;
    let master = Sha256::new().chain_update(field(header, MASTER_SEED)?).chain_update(stretched.expose());
    Ok(Secret::new(master.finalize().into()))
}

fn stream(header: &[Field]) -> Result<Stream, KeePassError> {
    Stream::new(word(field(header, STREAM)?)?, field(header, STREAM_KEY)?)
}

fn read_header(cut: &mut Cut<'_>) -> Result<Vec<Field>, KeePassError> {
    let mut fields = Vec::new();
    loop {
        let id = cut.take("a header field", 1)?.first().copied().unwrap_or(0);
        let length = cut.take("a header field", 2)?;
        let length = length.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let bytes = cut.take("a header field", length)?.to_vec();
        if id == 0 {
            return Ok(fields);
        }
        fields.push(Field::new(id, bytes));
    }
}

fn write_header(out: &mut Vec<u8>, fields: &[Field]) {
    let mut put = |id: u8, bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("a field comes from a header of this format");
        out.push(id);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(bytes);
    };
    fields.iter().for_each(|field| put(field.id, field.bytes.expose()));
    put(0, b"\r\n\r\n");
}

fn read_blocks(bytes: &[u8]) -> Result<Secret<Vec<u8>>, KeePassError> {
    let mut cut = Cut { bytes, at: 0 };
    let mut out = Secret::new(Vec::with_capacity(bytes.len()));
    loop {
        let _number = cut.take("the number of a block", 4)?;
        let sum = cut.take("the hash of a block", 32)?;
        let block = cut.take_with_length("a block")?;
        if block.is_empty() {
            return Ok(out);
        }
        if sum != Sha256::digest(block).as_slice() {
            return Err(KeePassError::Damaged("the hash of a block"));
        }
        out.expose_mut().extend_from_slice(block);
    }
}

fn write_blocks(start: &[u8], bytes: &[u8]) -> Secret<Vec<u8>> {
    const HEADER: usize = 40;
    let blocks = bytes.chunks(BLOCK).chain([&[][..]]);
    let mut out =
        Secret::new(Vec::with_capacity(start.len() + bytes.len() + (bytes.len() / BLOCK + 2) * HEADER));
    out.expose_mut().extend_from_slice(start);
    for (number, block) in (0_u32..).zip(blocks) {
        let sum = if block.is_empty() { [0; 32] } else { Sha256::digest(block).into() };
        let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
        for part in [&number.to_le_bytes()[..], &sum, &length.to_le_bytes(), block] {
            out.expose_mut().extend_from_slice(part);
        }
    }
    out
}

fn read_files(text: &str) -> Result<Vec<Attachment>, KeePassError> {
    let mut walker = Walker::new(text);
    let (mut path, mut files, mut left) = (Vec::new(), Vec::new(), CONTENT_LIMIT);
    // Number, whether it is compressed, and its base64.
    let mut current: Option<(usize, bool, Secret<String>)> = None;
    while let Some(step) = walker.step()? {
        match step {
            Step::Open { name, number, compressed, .. } => {
                path.push(name);
                if path == ["KeePassFile", "Meta", "Binaries", "Binary"] {
                    current = number.map(|number| (number, compressed, Secret::new(String::new())));
                }
            }
            Step::Text(part) => {
                if let Some((.., content)) = &mut current {
                    content.expose_mut().extend(part.chars().filter(|c| !c.is_whitespace()));
                }
            }
            Step::Close { .. } => {
                path.pop();
                if let Some((number, compressed, content)) = current.take() {
                    let bytes = BASE64_STANDARD.decode(content.expose());
                    let bytes = Secret::new(bytes.map_err(|_| KeePassError::Damaged("an attachment"))?);
                    let bytes = if compressed { unpack(bytes.expose(), left)? } else { bytes };
                    left = left.saturating_sub(bytes.expose().len());
                    files.push(Attachment { number, bytes });
                }
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepass::kdbx::Database;
    use crate::keepass::{cipher, keys};
    use crate::{About, Content, Destination, Document, KeePassDestination, ReadBack};

    fn credentials(password: &str) -> Credentials {
        Credentials::new(Some(Secret::new(password.to_owned())), None)
    }

    /// Writes a file as KeePass 2.34 did.
    fn file(text: String) -> Vec<u8> {
        let header = [
            (CIPHER, cipher::AES.to_vec()),
            (COMPRESSION, vec![1, 0, 0, 0]),
            (MASTER_SEED, vec![1; 32]),
            (TRANSFORM_SEED, vec![1; 32]),
            (ROUNDS, 10_u64.to_le_bytes().to_vec()),
            (NONCE, vec![4; 16]),
            (STREAM_KEY, vec![3; 32]),
            (START, vec![2; 32]),
            (STREAM, vec![2, 0, 0, 0]),
        ];
        let header = header.into_iter().map(|(id, bytes)| Field::new(id, bytes)).collect();
        let mut three = Three { version: [1, 0, 3, 0], header, files: Vec::new() };
        three.seal(&mut Secret::new(text), &credentials("right")).expect("sealed")
    }

    fn text() -> String {
        let id = |n: u8| BASE64_STANDARD.encode([n; 16]);
        let attachment = "ID: AC9D5655-F7CA-4D1D-902F-1B6087118138\n\
            132858-327525-689172-680790-354607-080454-642268-377564";
        format!(
            "<KeePassFile><Meta><HeaderHash>x</HeaderHash><Binaries><Binary ID=\"5\" Compressed=\"True\">{}</Binary></Binaries></Meta>\
             <Root><Group><UUID>{}</UUID><Name>Old</Name><Entry><UUID>{}</UUID>\
             <String><Key>Title</Key><Value>a title</Value></String>\
             <String><Key>Password</Key><Value Protected=\"True\">{}</Value></String>\
             <Binary><Key>key.txt</Key><Value Ref=\"5\"/></Binary></Entry></Group></Root></KeePassFile>",
            BASE64_STANDARD.encode(pack(attachment.as_bytes()).expect("packed").expose()),
            id(1),
            id(2),
            BASE64_STANDARD.encode("hunter2")
        )
    }

    #[test]
    fn an_old_database_is_read_as_another_reader_reads_it() {
        let bytes = file(text());
        let key = ::keepass::DatabaseKey::new().with_password("right");
        let theirs = ::keepass::Database::parse(&bytes, key).expect("open");
        let entry = theirs.iter_all_entries().next().expect("an entry");
        assert_eq!(entry.get_password(), Some("hunter2"));
        let ours = Database::open(&bytes, &credentials("right")).expect("open");
        let plain = |text: &str| Three::plain(text).expect("a text").expose().clone();
        assert_eq!(plain(ours.text.expose()), plain(&text()));
        let attachment = entry.attachment_by_name("key.txt").expect("an attachment");
        assert_eq!(Some(attachment.data.get().as_slice()), ours.file(5));
        let found = keys(&bytes, &credentials("right")).expect("keys");
        assert_eq!((found.len(), found[0].name.as_deref()), (1, Some("key.txt")));
    }

    #[test]
    fn wrong_passwords_and_cuts_are_errors() {
        let bytes = file(text());
        assert!(matches!(keys(&bytes, &credentials("wrong")), Err(KeePassError::WrongKey)));
        for at in 0..bytes.len() {
            assert!(keys(&bytes[..at], &credentials("right")).is_err(), "cut at {at:#x}");
        }
    }

    #[test]
    fn a_header_that_was_changed_is_noticed() {
        let mut bytes = file(text());
        // A comment, on which no key depends.
        bytes.splice(12..12, [1, 2, 0, b'h', b'i']);
        let error = keys(&bytes, &credentials("right")).expect_err("a comment that was not there");
        assert!(matches!(error, KeePassError::Damaged("the hash of its header")), "{error}");
    }

    #[test]
    fn everything_that_was_in_an_old_database_is_still_in_it() {
        let without = text().replacen("<Binaries>", "<!--", 1).replacen("</Binaries>", "-->", 1);
        let none = without.replacen("<Binary><Key>key.txt</Key><Value Ref=\"5\"/></Binary>", "", 1);
        let empty = none.replacen("</Meta>", "<Binaries/></Meta>", 1);
        for text in [text(), none, empty] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("old.kdbx");
            std::fs::write(&path, file(text)).expect("written");
            let old = Database::open(&std::fs::read(&path).expect("the file"), &credentials("right"));
            let old = old.expect("open");
            let destination = KeePassDestination::new(path.clone(), credentials("right"));
            let key_id = "AC9D5655-F7CA-4D1D-902F-1B6087118138".parse().expect("a GUID");
            let digits = "132858-327525-689172-680790-354607-080454-642268-377564";
            let password = recovery_key::RecoveryPassword::parse(digits).expect("well-formed digits");
            let bek = recovery_key::bek::Bek::new(key_id, 1, 1, None, Secret::new([7; 32]));
            for content in [Content::RecoveryPassword { key_id, password }, Content::ExternalKey(bek)] {
                let drive = About { volume: uuid::Uuid::nil(), label: None, now: 1_700_000_000 };
                let document = Document { drive, content };
                let copy = destination.save(&document).expect("a copy");
                let Ok(ReadBack::Document(bytes)) = destination.read_back(&copy) else { panic!("a copy") };
                let reading = recovery_key::document::read(copy.name.as_deref(), bytes.expose());
                assert_eq!(reading.keys.len(), 1);
            }
            let new = Database::open(&std::fs::read(&path).expect("the file"), &credentials("right"));
            let new = new.expect("open");
            assert!(new.holds_all_of(&old) && !old.holds_all_of(&new));
            assert!(new.text.expose().contains("<CreationTime>2023-11-14T22:13:20Z</CreationTime>"));
            assert_eq!(new.file(5), old.file(5));
        }
    }
}
