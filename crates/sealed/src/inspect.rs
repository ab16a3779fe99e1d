//! What can be said of a sealed file without opening it: for who keeps files that strangers sealed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::{HEADER_LIMIT, MAGIC, SIZE_LIMIT, SealError};

/// More recipients than this no file has that comes from strangers: each costs whoever opens it some time.
const RECIPIENT_LIMIT: usize = 64;
/// Between header and content there is a nonce of 16 bytes, and the shortest content is a tag of 16.
const CONTENT_MIN: usize = 32;
/// A full line of a stanza's body; the last one is shorter.
const LINE: usize = 64;

/// The header of a sealed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many X25519 recipients the file is sealed to. What [`Seal`](crate::Seal) makes has one more than it was
    /// given: its own.
    pub recipients: usize,
    /// How many recipients of other kinds there are. Writers add one at random that is nobody's, so that readers
    /// stay used to kinds which they do not know.
    pub others: usize,
}

/// Looks at a file that is sealed to recipients: it has the form of one, and opening it takes no more than a moment.
/// Whether it opens, and whose the recipients are, cannot be seen.
///
/// # Errors
/// When it is something else, is cut off, is too large, is sealed with a passphrase or to too many.
pub fn inspect(bytes: &[u8]) -> Result<Header, SealError> {
    if bytes.len() > SIZE_LIMIT {
        return Err(SealError::TooLarge { limit: SIZE_LIMIT });
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(SealError::NotSealed)?;
    let mut lines = Lines { bytes: rest.get(..HEADER_LIMIT).unwrap_or(rest), read: 0 };
    let mut header = Header { recipients: 0, others: 0 };
    loop {
        let line = lines.next()?;
        if let Some(mac) = line.strip_prefix("--- ") {
            let whole = key(mac) && rest.len() - lines.read >= CONTENT_MIN;
            return if whole && header.recipients > 0 { Ok(header) } else { Err(SealError::Damaged) };
        }
        let stanza = line.strip_prefix("-> ").ok_or(SealError::Damaged)?;
        let (kind, argument) = stanza.split_once(' ').unwrap_or((stanza, ""));
        let mut body = lines.next()?;
        match kind {
            "scrypt" => return Err(SealError::Passphrase),
            "X25519" if key(argument) && key(body) => header.recipients += 1,
            "X25519" => return Err(SealError::Damaged),
            _ => {
                header.others += 1;
                while body.len() == LINE {
                    body = lines.next()?;
                }
            }
        }
        if header.recipients + header.others > RECIPIENT_LIMIT {
            return Err(SealError::TooManyRecipients { limit: RECIPIENT_LIMIT });
        }
    }
}

/// Says whether a text is 32 bytes in Base64.
fn key(text: &str) -> bool {
    STANDARD_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

struct Lines<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, SealError> {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or(SealError::Damaged)?;
        let line = rest.get(..end).and_then(|line| std::str::from_utf8(line).ok());
        self.read += end + 1;
        line.ok_or(SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use age::x25519::Identity;
    use proptest::prelude::*;
    use recovery_key::Secret;

    use super::*;
    use crate::Seal;

    fn sealed(recipients: usize) -> Vec<u8> {
        let recipients: Vec<_> =
            (0..recipients).map(|_| Identity::generate().to_public().to_string()).collect();
        Seal::to_recipients(&recipients).and_then(|seal| seal.seal(b"the key")).expect("sealed")
    }

    #[test]
    fn recipients_are_counted_and_the_sealer_is_one() {
        for recipients in [1, 2, 50] {
            assert_eq!(inspect(&sealed(recipients)).expect("a header").recipients, recipients + 1);
        }
        assert!(matches!(inspect(&sealed(64)), Err(SealError::TooManyRecipients { .. })));
    }

    #[test]
    fn what_demands_work_is_seen_without_doing_it() {
        let seal = Seal::with_passphrase(Secret::new("correct horse".to_owned())).expect("a passphrase");
        let sealed = seal.seal(b"the key").expect("sealed");
        assert!(matches!(inspect(&sealed), Err(SealError::Passphrase)));
        let endless = [MAGIC, &b"-> x\n\n".repeat(HEADER_LIMIT)].concat();
        assert!(matches!(inspect(&endless), Err(SealError::TooManyRecipients { .. })));
        let wide = [MAGIC, b"-> x ", &b"A".repeat(2 * HEADER_LIMIT), b"\n\n"].concat();
        assert!(matches!(inspect(&wide), Err(SealError::Damaged)));
        assert!(matches!(inspect(&vec![0; SIZE_LIMIT + 1]), Err(SealError::TooLarge { .. })));
    }

    #[test]
    fn what_is_cut_off_is_no_file() {
        let sealed = sealed(1);
        // From the end of the tag on, a cut cannot be seen without opening.
        let least = sealed.len() - b"the key".len();
        assert!((0..least).all(|length| inspect(&sealed[..length]).is_err()));
        assert!(matches!(inspect(b"age"), Err(SealError::NotSealed)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(rest in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..300) {
            let _ = inspect(&rest);
            let _ = inspect(&[MAGIC, b"-> ", &rest].concat());
            let real = sealed(1);
            let _ = inspect(&[&real[..cut.min(real.len())], &rest].concat());
        }
    }
}
