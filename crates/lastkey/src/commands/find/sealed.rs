//! What was found and is sealed: opened where the key to it is named or known.

use ::find::{Findings, Place, Seal, Unread};
use backup::READERS;

use crate::cli::Seals;
use crate::copy::Unsealing;
use crate::failure::Kind;
use crate::output::Output;
use crate::{interrupt, keys};

/// Opens sealed files and password databases, and adds what is in them to what was found.
pub fn open(findings: &mut Findings, seals: &Seals, output: &Output) {
    let mut unsealing = Unsealing::optional(seals);
    for why in [Unread::Sealed(Seal::KeePass), Unread::Sealed(Seal::Age)] {
        let places: Vec<Place> = findings
            .unread
            .iter()
            .filter(|unread| unread.why == why)
            .flat_map(|unread| unread.examples.iter().filter(|place| place.inside.is_none()).cloned())
            .collect();
        for place in places {
            if interrupt::asked() {
                return;
            }
            match unsealing.open(&place.path) {
                Ok(documents) => {
                    findings.opened(why, &place);
                    for (name, bytes) in documents {
                        findings.add(&place, name.as_deref().unwrap_or_default(), bytes.expose(), &READERS);
                    }
                }
                // Nobody knows what opens it: it stays among what was not read.
                Err(failure) if failure.kind == Kind::KeyNeeded => {}
                Err(failure) => {
                    output.note(format!("note: {}: {}", keys::shown(&place.path), failure.message));
                }
            }
        }
    }
}
