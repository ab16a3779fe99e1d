//! What a client and the server agree on before anything is read.

use std::io::{self, Read, Write};

use crate::Export;
use crate::fields::{Fields, Message};
use crate::protocol::{
    GREETING, MAX_LENGTH, MAX_STRING, OPTION, OPTION_REPLY, handshake_flag as flag, info, option, reply,
};

/// Long enough for a name and a few dozen questions; nobody has reason for more.
const MAX_OPTION: u32 = 64 << 10;
/// Whoever haggles longer has no wish to read.
const MAX_OPTIONS: usize = 1000;
/// What most clients read best: the pieces in which the bytes are decrypted are multiples of it.
const PREFERRED: u32 = 64 << 10;

/// The only context: where there is data, and where nothing.
pub(crate) const ALLOCATION: &str = "base:allocation";
/// Its number.
pub(crate) const ALLOCATION_ID: u32 = 1;

/// Why the server and a client came to no agreement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// The client speaks something else.
    #[error("the client does not speak the NBD protocol")]
    OtherProtocol,
    /// The client sent more than anybody needs to.
    #[error("the client sent too much before it began to read")]
    TooMuch,
    /// The client asked for an export that there is not, and in a way that leaves no room for an answer.
    #[error("the client asked for an export of another name")]
    UnknownExport,
    /// The client wanted to go on without TLS.
    #[error("the client did not begin TLS")]
    TlsRequired,
    /// TLS could not be established.
    #[error("TLS: {0}")]
    Tls(io::Error),
}

/// Whether what is said is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// It is not, and need not be.
    Open,
    /// It must be: nothing is said before TLS has begun.
    TlsRequired,
    /// It is.
    Tls,
}

/// What was agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Replies come in chunks.
    pub(crate) structured: bool,
    /// The client may ask what is allocated.
    pub(crate) allocation: bool,
}

/// How the haggling ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client begins to read.
    Transmission(Terms),
    /// TLS begins, and then the haggling anew.
    StartTls,
    /// The client has seen enough.
    Aborted,
}

/// Exchanges greetings; returns whether the client does without padding.
pub(crate) fn greet(stream: &mut (impl Read + Write)) -> Result<bool, HandshakeError> {
    let own = flag::FIXED_NEWSTYLE | flag::NO_ZEROES;
    stream.write_all(&Message::default().u64(GREETING).u64(OPTION).u16(own).0)?;
    let mut flags = [0; 4];
    stream.read_exact(&mut flags)?;
    let flags = u32::from_be_bytes(flags);
    if flags & !u32::from(own) != 0 {
        return Err(HandshakeError::OtherProtocol);
    }
    Ok(flags & u32::from(flag::NO_ZEROES) != 0)
}

/// Haggles over options.
pub(crate) fn negotiate(
    stream: &mut (impl Read + Write),
    export: &Export,
    security: Security,
    no_zeroes: bool,
) -> Result<Outcome, HandshakeError> {
    let mut haggling = Haggling { stream, export, structured: false, context: None };
    for _ in 0..MAX_OPTIONS {
        if let Some(outcome) = haggling.step(security, no_zeroes)? {
            return Ok(outcome);
        }
    }
    Err(HandshakeError::TooMuch)
}

struct Haggling<'a, S> {
    stream: &'a mut S,
    export: &'a Export,
    structured: bool,
    /// By what name the client called the export when it asked for the context.
    context: Option<Vec<u8>>,
}

impl<S: Read + Write> Haggling<'_, S> {
    fn step(&mut self, security: Security, no_zeroes: bool) -> Result<Option<Outcome>, HandshakeError> {
        let (option, data) = self.next()?;
        match option {
            option::ABORT => {
                // Whoever leaves may not wait for the answer.
                let _ = self.reply(option, reply::ACK, &[]);
                return Ok(Some(Outcome::Aborted));
            }
            option::STARTTLS => {
                let kind = match security {
                    Security::Open => reply::ERR_UNSUP,
                    Security::TlsRequired if data.is_empty() => reply::ACK,
                    _ => reply::ERR_INVALID,
                };
                self.reply(option, kind, &[])?;
                return Ok((kind == reply::ACK).then_some(Outcome::StartTls));
            }
            option::EXPORT_NAME if security == Security::TlsRequired => {
                return Err(HandshakeError::TlsRequired);
            }
            _ if security == Security::TlsRequired => {
                self.reply(option, reply::ERR_TLS_REQD, b"TLS is required")?
            }
            option::EXPORT_NAME => return self.export_name(&data, no_zeroes).map(Some),
            option::LIST if data.is_empty() => {
                let name = self.export.name().as_bytes();
                let server = Message::default().u32(name.len() as u32).bytes(name);
                self.reply(option, reply::SERVER, &server.0)?;
                self.reply(option, reply::ACK, &[])?;
            }
            option::STRUCTURED_REPLY if data.is_empty() => {
                self.structured = true;
                self.reply(option, reply::ACK, &[])?;
            }
            option::INFO | option::GO => return self.info(option, &data),
            option::LIST_META_CONTEXT | option::SET_META_CONTEXT => self.contexts(option, &data)?,
            option::LIST | option::STRUCTURED_REPLY => self.reply(option, reply::ERR_INVALID, &[])?,
            _ => self.reply(option, reply::ERR_UNSUP, &[])?,
        }
        Ok(None)
    }

    fn next(&mut self) -> Result<(u32, Vec<u8>), HandshakeError> {
        let mut header = [0; 16];
        self.stream.read_exact(&mut header)?;
        let mut fields = Fields::of(&header);
        if fields.u64() != Some(OPTION) {
            return Err(HandshakeError::OtherProtocol);
        }
        let (Some(option), Some(length)) = (fields.u32(), fields.u32()) else {
            return Err(HandshakeError::OtherProtocol);
        };
        if length > MAX_OPTION {
            return Err(HandshakeError::TooMuch);
        }
        let mut data = vec![0; length as usize];
        self.stream.read_exact(&mut data)?;
        Ok((option, data))
    }

    fn reply(&mut self, option: u32, kind: u32, data: &[u8]) -> io::Result<()> {
        let header = Message::default().u64(OPTION_REPLY).u32(option).u32(kind).u32(data.len() as u32);
        self.stream.write_all(&header.bytes(data).0)
    }

    /// The way of old: no answer but the export itself.
    fn export_name(&mut self, name: &[u8], no_zeroes: bool) -> Result<Outcome, HandshakeError> {
        if !self.export.is_called(name) {
            return Err(HandshakeError::UnknownExport);
        }
        let padding: &[u8] = if no_zeroes { &[] } else { &[0; 124] };
        let export = Message::default().u64(self.export.bytes.size()).u16(Export::FLAGS).bytes(padding);
        self.stream.write_all(&export.0)?;
        Ok(Outcome::Transmission(self.terms(name)))
    }

    fn info(&mut self, option: u32, data: &[u8]) -> Result<Option<Outcome>, HandshakeError> {
        let Some((name, wanted)) = parse_info(data) else {
            self.reply(option, reply::ERR_INVALID, &[])?;
            return Ok(None);
        };
        if !self.export.is_called(name) {
            self.reply(option, reply::ERR_UNKNOWN, b"there is no export of this name")?;
            return Ok(None);
        }
        let of = |kind: u16| Message::default().u16(kind);
        let mut answers = vec![of(info::EXPORT).u64(self.export.bytes.size()).u16(Export::FLAGS)];
        if wanted.contains(&info::NAME) {
            answers.push(of(info::NAME).bytes(self.export.name().as_bytes()));
        }
        if wanted.contains(&info::DESCRIPTION) {
            answers.push(of(info::DESCRIPTION).bytes(self.export.description().as_bytes()));
        }
        if wanted.contains(&info::BLOCK_SIZE) {
            answers.push(of(info::BLOCK_SIZE).u32(1).u32(PREFERRED).u32(MAX_LENGTH));
        }
        for answer in answers {
            self.reply(option, reply::INFO, &answer.0)?;
        }
        self.reply(option, reply::ACK, &[])?;
        Ok((option == option::GO).then(|| Outcome::Transmission(self.terms(name))))
    }

    fn contexts(&mut self, option: u32, data: &[u8]) -> Result<(), HandshakeError> {
        let is_set = option == option::SET_META_CONTEXT;
        if is_set {
            // Whatever comes of this, what was chosen before holds no more.
            self.context = None;
        }
        let Some((name, queries)) = parse_contexts(data).filter(|_| self.structured || !is_set) else {
            return Ok(self.reply(option, reply::ERR_INVALID, &[])?);
        };
        if !self.export.is_called(name) {
            return Ok(self.reply(option, reply::ERR_UNKNOWN, b"there is no export of this name")?);
        }
        let is_meant = |query: &[u8]| query == ALLOCATION.as_bytes() || !is_set && query == b"base:";
        if queries.iter().any(|query| is_meant(query)) || !is_set && queries.is_empty() {
            let id = if is_set { ALLOCATION_ID } else { 0 };
            let context = Message::default().u32(id).bytes(ALLOCATION.as_bytes());
            self.reply(option, reply::META_CONTEXT, &context.0)?;
            if is_set {
                self.context = Some(name.to_owned());
            }
        }
        Ok(self.reply(option, reply::ACK, &[])?)
    }

    fn terms(&self, name: &[u8]) -> Terms {
        Terms { structured: self.structured, allocation: self.context.as_deref() == Some(name) }
    }
}

/// Reads the name of an export and what the client wants to know of it.
fn parse_info(data: &[u8]) -> Option<(&[u8], Vec<u16>)> {
    let mut fields = Fields::of(data);
    let name = fields.string().filter(|name| name.len() <= MAX_STRING)?;
    let count = fields.u16()?;
    let wanted = (0..count).map(|_| fields.u16()).collect::<Option<_>>()?;
    fields.end()?;
    Some((name, wanted))
}

/// Reads the name of an export and the names of contexts.
fn parse_contexts(data: &[u8]) -> Option<(&[u8], Vec<&[u8]>)> {
    let mut fields = Fields::of(data);
    let name = fields.string().filter(|name| name.len() <= MAX_STRING)?;
    let count = fields.u32()?;
    let mut queries = Vec::new();
    for _ in 0..count {
        queries.push(fields.string().filter(|query| query.len() <= MAX_STRING)?);
    }
    fields.end()?;
    Some((name, queries))
}

#[cfg(test)]
mod tests;
