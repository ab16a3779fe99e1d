//! The lock of one recovery password, kept beside it: it says years later, without the drive, whether the digits are
//! right.

use std::fmt;

use recovery_key::dataset::BadDatum;
use recovery_key::{KeyId, RecoveryPassword};

use crate::candidates::RecoveryLocks;
use crate::datum::Datum;
use crate::protector::Protector;
use crate::volume::Volume;

/// A recovery password's protector as it lies in the metadata: salt, nonce and the VMK that the digits open.
///
/// There is no key in it in clear. Whoever has it can try recovery passwords, as whoever has the drive can: they
/// are 128 bits, and each try costs about a million rounds of SHA-256.
pub struct Capsule(Datum);

/// Why bytes are no capsule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapsuleError {
    /// There are too many.
    #[error("it has more than {} bytes", Capsule::SIZE_LIMIT)]
    TooLarge,
    /// They cannot be cut apart.
    #[error(transparent)]
    Datum(#[from] BadDatum),
    /// They are not one datum, or one of something else.
    #[error("it is not the protector of a recovery key")]
    Other,
}

impl Volume {
    /// Returns the lock of a recovery password, to be kept beside it.
    #[must_use]
    pub fn capsule(&self, id: &KeyId) -> Option<Capsule> {
        let protector = self.protectors().into_iter().find(|protector| protector.id == *id)?;
        RecoveryLocks::of(&protector)?;
        let datums = self.metadata().datums.iter();
        let own = datums.filter(|datum| Protector::from_datum(datum).is_some_and(|found| found.id == *id));
        own.map(|datum| Capsule::parse(&to_bytes(datum))).find_map(Result::ok)
    }
}

impl Capsule {
    /// No capsule is longer. Those that Windows makes have about 300 bytes.
    pub const SIZE_LIMIT: usize = 4 << 10;

    /// Reads a capsule.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn parse(bytes: &[u8]) -> Result<Self, CapsuleError> {
        if bytes.len() > Self::SIZE_LIMIT {
            return Err(CapsuleError::TooLarge);
        }
        let [datum] = <[Datum; 1]>::try_from(Datum::parse_all(bytes)?).map_err(|_| CapsuleError::Other)?;
        let protector = Protector::from_datum(&datum).filter(|found| found.clear_key().is_none());
        match protector.as_ref().and_then(RecoveryLocks::of) {
            Some(_) => Ok(Self(datum)),
            None => Err(CapsuleError::Other),
        }
    }

    /// Returns the bytes, as they lie in the metadata.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(&self.0)
    }

    /// Returns which recovery password opens it.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.protector().id
    }

    /// Says whether these are the digits: whether they open the VMK, which is sealed with a tag of 128 bits.
    #[must_use]
    pub fn opens(&self, password: &RecoveryPassword) -> bool {
        let lock = RecoveryLocks::of(&self.protector());
        lock.is_some_and(|lock| lock.try_all(&[password.duplicate()]).is_some())
    }

    fn protector(&self) -> Protector<'_> {
        Protector::from_datum(&self.0).expect("checked when the capsule was made")
    }
}

impl fmt::Debug for Capsule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capsule({})", self.key_id())
    }
}

fn to_bytes(datum: &Datum) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(datum.size());
    datum.write(&mut bytes);
    bytes
}
