//! Format 4, documented by KeePass and written by all its kin.
//!
//! After the version come header fields `id u8, length u32, bytes` up to one with id 0, their SHA-256 and
//! their HMAC; then blocks `HMAC, length u32, bytes` up to an empty one. The blocks hold, encrypted and
//! mostly compressed, inner header fields of the same form, attachments among them, and the text.

use hmac::{Hmac, KeyInit, Mac};
use recovery_key::Secret;
use sha2::{Digest, Sha256, Sha512};

use super::cipher::{self, Cipher, Stream};
use super::credentials::Credentials;
use super::error::KeePassError;
use super::kdbx::{
    BLOCK, CONTENT_LIMIT, Cut, Field, SIGNATURE, Version, field, fill, is_compressed, pack, unpack, utf8,
    word,
};
use super::kdf::{NewKdf, Parameters};
use super::text;

/// The format that KeePassXC gives a new database: every KeePass since 2.35 reads it.
const NEW_VERSION: Version = [0, 0, 4, 0];

mod outer {
    pub(super) const END: u8 = 0;
    pub(super) const CIPHER: u8 = 2;
    pub(super) const COMPRESSION: u8 = 3;
    pub(super) const MASTER_SEED: u8 = 4;
    pub(super) const NONCE: u8 = 7;
    pub(super) const KDF: u8 = 11;
}

mod inner {
    pub(super) const END: u8 = 0;
    pub(super) const STREAM: u8 = 1;
    pub(super) const STREAM_KEY: u8 = 2;
    pub(super) const FILE: u8 = 3;
}

/// What lies around the text in format 4.
#[derive(Debug)]
pub(super) struct Four {
    version: Version,
    outer: Vec<Field>,
    inner: Vec<Field>,
}

impl Four {
    pub(super) fn new(kdf: NewKdf) -> Self {
        let outer = vec![
            Field::new(outer::CIPHER, cipher::AES.to_vec()),
            Field::new(outer::COMPRESSION, vec![1, 0, 0, 0]),
            Field::new(outer::MASTER_SEED, vec![0; 32]),
            Field::new(outer::NONCE, vec![0; 16]),
            Field::new(outer::KDF, kdf.to_parameters()),
        ];
        let inner = vec![
            Field::new(inner::STREAM, cipher::STREAM_CHACHA20.to_le_bytes().to_vec()),
            Field::new(inner::STREAM_KEY, vec![0; 64]),
        ];
        Self { version: NEW_VERSION, outer, inner }
    }

    pub(super) fn open(
        mut cut: Cut<'_>,
        version: Version,
        credentials: &Credentials,
    ) -> Result<(Self, Secret<String>), KeePassError> {
        let outer = read_fields(&mut cut, "a header field", outer::END)?;
        let header = cut.taken();
        if cut.take("the header's hash", 32)? != Sha256::digest(header).as_slice() {
            return Err(KeePassError::Damaged("the hash of its header"));
        }
        let tag = cut.take("the header's seal", 32)?;
        let cipher = Cipher::parse(field(&outer, outer::CIPHER)?)?;
        let compressed = is_compressed(field(&outer, outer::COMPRESSION)?)?;
        let keys = Keys::new(&outer, credentials)?;
        if !keys.is_tag(u64::MAX, &[header], tag) {
            return Err(KeePassError::WrongKey);
        }
        let mut content = Secret::new(Vec::with_capacity(cut.left().len()));
        for number in 0_u64.. {
            let tag = cut.take("the seal of a block", 32)?;
            let block = cut.take_with_length("a block")?;
            let length = u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes();
            if !keys.is_tag(number, &[&number.to_le_bytes(), &length, block], tag) {
                return Err(KeePassError::Damaged("the seal of a block"));
            }
            if block.is_empty() {
                break;
            }
            content.expose_mut().extend_from_slice(block);
        }
        cipher
            .decrypt(keys.master.expose(), field(&outer, outer::NONCE)?, content.expose_mut())
            .ok_or(KeePassError::Damaged("its content"))?;
        if compressed {
            content = unpack(content.expose(), CONTENT_LIMIT)?;
        }
        let mut cut = Cut { bytes: content.expose(), at: 0 };
        let inner = read_fields(&mut cut, "an inner header field", inner::END)?;
        let text = text::transcribe(utf8(cut.left())?, &mut stream(&inner)?)?;
        Ok((Self { version, outer, inner }, text))
    }

    pub(super) fn file(&self, number: usize) -> Option<&[u8]> {
        let field = self.inner.iter().filter(|field| field.id == inner::FILE).nth(number)?;
        // The first byte says whether a program should keep it protected in its memory.
        field.bytes.expose().get(1..)
    }

    pub(super) fn add_file(&mut self, bytes: &[u8]) -> usize {
        let number = self.inner.iter().filter(|field| field.id == inner::FILE).count();
        self.inner.push(Field::new(inner::FILE, [&[1], bytes].concat()));
        number
    }

    pub(super) fn holds_all_of(&self, older: &Self) -> bool {
        let same_outer = self.outer.iter().zip(&older.outer).all(|(new, old)| {
            new.id == old.id
                && match new.id {
                    outer::MASTER_SEED | outer::NONCE => true,
                    outer::KDF => unsalted(new).is_some_and(|new| unsalted(old) == Some(new)),
                    _ => new.bytes.expose() == old.bytes.expose(),
                }
        });
        let same_inner = self.inner.iter().zip(&older.inner).all(|(new, old)| {
            new.id == old.id && (new.id == inner::STREAM_KEY || new.bytes.expose() == old.bytes.expose())
        });
        self.version == older.version
            && self.outer.len() == older.outer.len()
            && same_outer
            && self.inner.len() >= older.inner.len()
            && same_inner
    }

    pub(super) fn seal(
        &mut self,
        text: &Secret<String>,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, KeePassError> {
        let cipher = Cipher::parse(field(&self.outer, outer::CIPHER)?)?;
        for field in &mut self.outer {
            match field.id {
                outer::MASTER_SEED => fill(field.bytes.expose_mut())?,
                outer::NONCE => {
                    field.bytes.expose_mut().resize(cipher.nonce(), 0);
                    fill(field.bytes.expose_mut())?;
                }
                outer::KDF => {
                    let bytes = Parameters::parse(field.bytes.expose())?.with_salt(fill)?;
                    field.bytes = Secret::new(bytes);
                }
                _ => {}
            }
        }
        if let Some(key) = self.inner.iter_mut().find(|field| field.id == inner::STREAM_KEY) {
            fill(key.bytes.expose_mut())?;
        }
        let hidden = text::transcribe(text.expose(), &mut stream(&self.inner)?)?;
        let mut content = write_fields(&self.inner, inner::END, hidden.expose().len());
        content.expose_mut().extend_from_slice(hidden.expose().as_bytes());
        if is_compressed(field(&self.outer, outer::COMPRESSION)?)? {
            content = pack(content.expose())?;
        }
        let mut bytes = [&SIGNATURE[..], &self.version].concat();
        bytes.extend_from_slice(write_fields(&self.outer, outer::END, 0).expose());
        let keys = Keys::new(&self.outer, credentials)?;
        let sum = Sha256::digest(&bytes);
        let tag = keys.tag(u64::MAX, &[&bytes]);
        bytes.extend_from_slice(&sum);
        bytes.extend_from_slice(&tag);
        let nonce = field(&self.outer, outer::NONCE)?;
        let encrypted = cipher.encrypt(keys.master.expose(), nonce, content.expose());
        let encrypted = encrypted.ok_or(KeePassError::Damaged("its nonce"))?;
        for (number, block) in (0_u64..).zip(encrypted.chunks(BLOCK).chain([&[][..]])) {
            let length = u32::try_from(block.len()).unwrap_or(u32::MAX).to_le_bytes();
            bytes.extend_from_slice(&keys.tag(number, &[&number.to_le_bytes(), &length, block]));
            bytes.extend_from_slice(&length);
            bytes.extend_from_slice(block);
        }
        Ok(bytes)
    }

    #[cfg(test)]
    pub(super) fn set_header(&mut self, cipher: &[u8; 16], compression: u8) {
        for field in &mut self.outer {
            match field.id {
                outer::CIPHER => field.bytes = Secret::new(cipher.to_vec()),
                outer::COMPRESSION => field.bytes = Secret::new(vec![compression, 0, 0, 0]),
                _ => {}
            }
        }
    }
}

/// The keys of a file.
struct Keys {
    master: Secret<[u8; 32]>,
    tags: Secret<[u8; 64]>,
}

impl Keys {
    fn new(outer: &[Field], credentials: &Credentials) -> Result<Self, KeePassError> {
        let seed = field(outer, outer::MASTER_SEED)?;
        let kdf = Parameters::parse(field(outer, outer::KDF)?)?.kdf()?;
        let stretched = credentials.stretch(kdf)?;
        let master = Sha256::new().chain_update(seed).chain_update(stretched.expose());
        let tags = Sha512::new().chain_update(seed).chain_update(stretched.expose()).chain_update([1]);
        Ok(Self { master: Secret::new(master.finalize().into()), tags: Secret::new(tags.finalize().into()) })
    }

    fn hmac(&self, number: u64, parts: &[&[u8]]) -> Hmac<Sha256> {
        let key = Sha512::new().chain_update(number.to_le_bytes()).chain_update(self.tags.expose());
        let key = Secret::<[u8; 64]>::new(key.finalize().into());
        let mut hmac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes a key of any length");
        parts.iter().for_each(|part| hmac.update(part));
        hmac
    }

    fn tag(&self, number: u64, parts: &[&[u8]]) -> [u8; 32] {
        self.hmac(number, parts).finalize().into_bytes().into()
    }

    fn is_tag(&self, number: u64, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.hmac(number, parts).verify_slice(tag).is_ok()
    }
}

fn stream(inner: &[Field]) -> Result<Stream, KeePassError> {
    Stream::new(word(field(inner, inner::STREAM)?)?, field(inner, inner::STREAM_KEY)?)
}

/// Returns the parameters of a key derivation without what changes in them.
fn unsalted(field: &Field) -> Option<Vec<u8>> {
    let zeros = |salt: &mut [u8]| {
        salt.fill(0);
        Ok(())
    };
    Parameters::parse(field.bytes.expose()).ok()?.with_salt(zeros).ok()
}

fn read_fields(cut: &mut Cut<'_>, what: &'static str, end: u8) -> Result<Vec<Field>, KeePassError> {
    let mut fields = Vec::new();
    loop {
        let id = cut.take(what, 1)?.first().copied().unwrap_or(end);
        let bytes = cut.take_with_length(what)?.to_vec();
        if id == end {
            return Ok(fields);
        }
        fields.push(Field::new(id, bytes));
    }
}

/// Writes fields, with room for `more` bytes after them: growing would leave copies.
fn write_fields(fields: &[Field], end: u8, more: usize) -> Secret<Vec<u8>> {
    let length: usize = fields.iter().map(|field| 5 + field.bytes.expose().len()).sum();
    let mut out = Secret::new(Vec::with_capacity(length + 16 + more));
    let mut put = |id: u8, bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).expect("a field comes from a file of at most 256 MiB");
        out.expose_mut().push(id);
        out.expose_mut().extend_from_slice(&length.to_le_bytes());
        out.expose_mut().extend_from_slice(bytes);
    };
    fields.iter().for_each(|field| put(field.id, field.bytes.expose()));
    put(end, b"\r\n\r\n");
    out
}
