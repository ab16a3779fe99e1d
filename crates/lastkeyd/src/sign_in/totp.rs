//! One-time codes of an app (TOTP, RFC 6238): six digits, every 30 seconds others.
//!
//! Their secret is sealed under the password, so a stolen database makes no codes either. A code is good once.

use recovery_key::Secret;
use totp_rs::{Builder, Totp};

use super::account_key::{Lock, Place};
use crate::error::Error;

const WHAT: &str = "one-time codes";
const LENGTH: usize = 20;

/// What makes the codes.
pub struct Codes(Totp);

impl Codes {
    /// Makes new ones.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<Self, Error> {
        Self::new(super::random::<LENGTH>()?)
    }

    /// Takes the secret that [`Codes::text`] returned.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let secret = totp_rs::Secret::try_from_base32(text).ok()?;
        Self::new(secret.as_bytes().try_into().ok()?).ok()
    }

    /// Returns the secret as apps take it when it is typed.
    #[must_use]
    pub fn text(&self) -> Secret<String> {
        Secret::new(self.0.secret().to_base32().to_string())
    }

    /// Returns what apps read from a QR code.
    #[must_use]
    pub fn link(&self, account: &str, host: &str) -> Secret<String> {
        let plain = |text: &str| -> String {
            let mut out = String::new();
            for byte in text.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                        out.push(char::from(byte))
                    }
                    _ => out.push_str(&format!("%{byte:02X}")),
                }
            }
            out
        };
        let (account, host) = (plain(account), plain(host));
        Secret::new(format!(
            "otpauth://totp/lastkey%20{host}:{account}?secret={}&issuer=lastkey%20{host}",
            self.text().expose()
        ))
    }

    /// Returns the step of a code that is good now or was, or will be, half a minute ago.
    #[must_use]
    pub fn check(&self, typed: &str, now: i64) -> Option<i64> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0.check(&digits, u64::try_from(now).ok()?).and_then(|step| i64::try_from(step).ok())
    }

    /// Returns the code of a step.
    #[cfg(test)]
    pub fn at(&self, step: i64) -> String {
        self.0.generate(step.unsigned_abs() * 30).to_string()
    }

    /// Seals the secret.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn seal(&self, lock: &Lock, place: &Place<'_>) -> Result<Vec<u8>, Error> {
        lock.seal(WHAT, self.0.secret().as_bytes(), place)
    }

    /// Opens a sealed secret.
    #[must_use]
    pub fn open(sealed: &[u8], lock: &Lock, place: &Place<'_>) -> Option<Self> {
        Self::new(lock.open(WHAT, sealed, place)?.expose().as_slice().try_into().ok()?).ok()
    }

    fn new(secret: [u8; LENGTH]) -> Result<Self, Error> {
        let built = Builder::new().with_secret(totp_rs::Secret::new_stack(secret)).build();
        built.map(Self).map_err(|_| Error::Internal("one-time codes could not be made".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six of the eight digits.
        let codes = Codes::new(*b"12345678901234567890").unwrap();
        assert_eq!(codes.check("287082", 59), Some(1));
        assert_eq!(codes.check("081 804", 1_111_111_109), Some(37_037_036));
        assert_eq!(codes.check("287082", 59 + 90), None);
        assert_eq!(codes.check("28708", 59), None);
        assert_eq!(codes.check("", 59), None);
    }

    #[test]
    fn a_secret_comes_back_from_its_text_and_its_link_is_plain() {
        let codes = Codes::generate().unwrap();
        let again = Codes::parse(codes.text().expose()).unwrap();
        assert_eq!(again.0.secret().as_bytes(), codes.0.secret().as_bytes());
        assert!(Codes::parse("MFRGG").is_none() && Codes::parse("&").is_none());
        let link = codes.link("Ada & Bob", "localhost").expose().clone();
        assert!(link.starts_with("otpauth://totp/lastkey%20localhost:Ada%20%26%20Bob?secret="), "{link}");
    }
}
