//! Who may come in: whoever has the code that the program showed, once, and then their browser's cookie.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The name of the cookie. It is for the panel's own host name, which no other program on this computer has, so that
/// browsers send it nowhere else. (Not `__Host-`: not every browser keeps such cookies without TLS.)
pub const COOKIE: &str = "lastkey-panel";
/// How long a code can be used.
const CODE_LIFE: Duration = Duration::from_secs(10 * 60);
/// How often a wrong one may be tried before it is of no use any more.
const TRIES: u32 = 10;
/// How many browsers may be in at once; the one that came first has to come anew.
const BROWSERS: usize = 8;
/// Letters and digits that nobody takes for others: 32, so that each is five bits.
const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Who may come in.
#[derive(Default)]
pub struct Door {
    state: Mutex<State>,
    /// Tells those in [`Door::wait`] that the code is of no use any more.
    used: Condvar,
}

#[derive(Default)]
struct State {
    /// The hash of the code, since when it is good, how often a wrong one was tried.
    code: Option<([u8; 32], Instant, u32)>,
    /// The hashes of the cookies, the oldest first.
    cookies: VecDeque<[u8; 32]>,
}

/// Why a code does not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is another one; it may be tried again.
    Code,
    /// There is none any more: it was used, is too old, or was guessed at too often.
    None,
}

impl Door {
    /// Makes a code of 40 bits, `ABCD-2345`. The one before is of no use any more.
    #[must_use]
    pub fn new_code(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 8]);
        fill(&mut *bytes);
        let mut code = Zeroizing::new(String::with_capacity(9));
        for (place, byte) in bytes.iter().enumerate() {
            if place == 4 {
                code.push('-');
            }
            code.push(char::from(LETTERS[usize::from(byte % 32)]));
        }
        self.lock().code = Some((hash(&plain(&code)), Instant::now(), 0));
        self.used.notify_all();
        code
    }

    /// Takes a code, once, and returns the cookie that it is good for.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn enter(&self, code: &str) -> Result<Zeroizing<String>, Wrong> {
        let mut state = self.lock();
        let (right, since, tries) = state.code.as_mut().ok_or(Wrong::None)?;
        if since.elapsed() > CODE_LIFE || *tries >= TRIES {
            state.code = None;
            return Err(Wrong::None);
        }
        *tries += 1;
        if !bool::from(hash(&plain(code)).ct_eq(right)) {
            return Err(Wrong::Code);
        }
        state.code = None;
        self.used.notify_all();
        let cookie = Zeroizing::new(random_id() + &random_id());
        if state.cookies.len() == BROWSERS {
            state.cookies.pop_front();
        }
        state.cookies.push_back(hash(&cookie));
        Ok(cookie)
    }

    /// Waits until a code was used, or replaced by another, for so long at most.
    pub fn wait(&self, code: &str, limit: Duration) {
        let ours = hash(&plain(code));
        let is_ours = |state: &mut State| state.code.is_some_and(|(code, ..)| code == ours);
        let _ = self.used.wait_timeout_while(self.lock(), limit, is_ours);
    }

    /// Whether a browser has come in: the `Cookie` header of its request.
    #[must_use]
    pub fn knows(&self, header: &str) -> bool {
        let cookies = header.split(';').filter_map(|cookie| cookie.trim().split_once('='));
        let ours = cookies.filter(|(name, _)| *name == COOKIE).map(|(_, value)| hash(value));
        let state = self.lock();
        ours.into_iter().any(|given| state.cookies.iter().any(|cookie| bool::from(cookie.ct_eq(&given))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes what a person types as what was meant: spaces, dashes and small letters do not matter.
fn plain(code: &str) -> Zeroizing<String> {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).take(32);
    Zeroizing::new(letters.map(|letter| letter.to_ascii_uppercase()).collect())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Returns a name of 128 bits that nobody guesses.
pub fn random_id() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes.iter().fold(String::with_capacity(32), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

fn fill(bytes: &mut [u8]) {
    // Without random numbers there is no secret, and nothing that would be safe to do instead.
    getrandom::fill(bytes).expect("the system has random numbers");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(door: &Door) -> String {
        let code = door.new_code();
        format!("{COOKIE}={}", *door.enter(&code).expect("the right code"))
    }

    #[test]
    fn a_code_lets_in_once() {
        let door = Door::default();
        let code = door.new_code();
        assert_eq!(door.enter("AAAA-AAAA").err(), Some(Wrong::Code));
        let cookie =
            door.enter(&format!(" {} ", code.to_lowercase().replace('-', ""))).expect("the right code");
        assert!(door.knows(&format!("a=b; {COOKIE}={}", *cookie)));
        assert!(!door.knows(&format!("{COOKIE}=")) && !door.knows("") && !door.knows(&cookie));
        assert_eq!(door.enter(&code).err(), Some(Wrong::None));
    }

    #[test]
    fn guessing_ends() {
        let door = Door::default();
        let code = door.new_code();
        (0..TRIES).for_each(|_| assert_eq!(door.enter("no").err(), Some(Wrong::Code)));
        assert_eq!(door.enter(&code).err(), Some(Wrong::None));
        assert!(door.enter(&door.new_code()).is_ok(), "a new code is a new chance");
    }

    #[test]
    fn the_first_browser_makes_room_for_the_last() {
        let door = Door::default();
        let all: Vec<_> = (0..=BROWSERS).map(|_| cookie(&door)).collect();
        assert!(!door.knows(&all[0]) && all[1..].iter().all(|cookie| door.knows(cookie)));
    }
}
