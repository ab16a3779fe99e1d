//! Which digits belong to which key ID.

use super::scan::{Token, What};
use super::{Form, Found, FoundSecret, Reading, Remark};
use crate::KeyIdPrefix;

/// The characters of the GUID that Windows Vista and 7 write before the whole of it, in digits.
const VISTA_PREFIX: usize = 14;
/// Digits that are no more than what the recovery screen shows: they may be anything.
const SHORT_ID: usize = 8;

/// Gives each run of digits its key ID, each key ID to one run only.
///
/// The key ID comes before its digits in the documents that Windows writes. In a text that begins
/// with digits and ends with a key ID, it comes after them.
pub(super) fn pair(tokens: Vec<Token>, reading: &mut Reading) {
    let is_id = |token: Option<&Token>| token.is_some_and(|token| matches!(token.what, What::Id(_)));
    let digits_first = is_id(tokens.last()) && !is_id(tokens.first());
    if digits_first {
        take(tokens.into_iter().rev(), reading);
        reading.keys.reverse();
        reading.remarks.reverse();
    } else {
        take(tokens.into_iter(), reading);
    }
}

fn take(tokens: impl Iterator<Item = Token>, reading: &mut Reading) {
    let mut current: Option<Id> = None;
    for token in tokens {
        match token.what {
            What::Id(id) => current = Some(Id::new(id, &token).after(current)),
            What::Wrong(error) => {
                let key_id = current.take().map(|id| id.id);
                reading.remarks.push(Remark::WrongDigits { line: token.line, key_id, error });
            }
            What::Password(password) => {
                let id = current.take();
                let repeated = matches!(reading.keys.last(),
                    Some(Found { secret: FoundSecret::RecoveryPassword(last), .. }) if *last == password);
                if repeated && id.is_none() {
                    continue;
                }
                reading.keys.push(Found {
                    key_id: id.as_ref().map(|id| id.id),
                    secret: FoundSecret::RecoveryPassword(password),
                    form: id.map_or(Form::OtherText, |id| id.form(token.alone)),
                });
            }
        }
    }
}

/// A key ID that waits for its digits.
struct Id {
    id: KeyIdPrefix,
    alone: bool,
    braced: bool,
    /// Whether its start stood before it, as Windows Vista and 7 write it.
    announced: bool,
}

impl Id {
    fn new(id: KeyIdPrefix, token: &Token) -> Self {
        Self { id, alone: token.alone, braced: token.braced, announced: false }
    }

    /// Chooses between this and the one that waits already.
    fn after(mut self, waiting: Option<Self>) -> Self {
        let Some(waiting) = waiting else { return self };
        let shorter = self.id.digits() < waiting.id.digits();
        if shorter && (self.id.digits() == SHORT_ID || self.id.agrees_with(&waiting.id)) {
            return waiting;
        }
        self.announced = waiting.announced || waiting.id.digits() == VISTA_PREFIX;
        self.announced &= waiting.id.agrees_with(&self.id);
        self
    }

    fn form(&self, digits_alone: bool) -> Form {
        match (self.announced, self.braced, self.alone) {
            (true, ..) => Form::VistaTextFile,
            (_, true, _) if digits_alone => Form::ManageBde,
            (_, false, true) if digits_alone => Form::TextFile,
            _ => Form::OtherText,
        }
    }
}
