//! Opening a volume with a key.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fve_crypto::{Method, SectorCipher, stretch};
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};

use crate::datum::{Key as KeyDatum, Sealed, method};
use crate::error::Error;
use crate::metadata::Metadata;
use crate::protector::{Protector, ProtectorKind};
use crate::sealed;
use crate::unlocked::Unlocked;
use crate::volume::{State, Volume, protectors};

/// Something that may open a volume.
#[derive(Debug)]
pub enum Key {
    /// Nothing: for volumes that are suspended or decrypted.
    None,
    /// The 48 digits.
    RecoveryPassword(RecoveryPassword),
    /// What a person types.
    Password(Secret<String>),
    /// A `.BEK` file.
    External(Bek),
    /// The volume master key itself.
    Vmk(Secret<[u8; 32]>),
    /// The full volume encryption key itself. Nothing authenticates it but the volume's first sector,
    /// which must decrypt to a file system's; where that lies in clear (Vista, a volume that is half
    /// converted), not even that.
    Fvek(Secret<Vec<u8>>),
}

/// Why a key did not open a volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnlockError {
    /// The volume has no protector of that kind.
    #[error("no {wanted} opens this drive; what does: {}", list(.present))]
    NoProtector {
        /// What the key is.
        wanted: ProtectorKind,
        /// What the volume has.
        present: Vec<ProtectorKind>,
    },
    /// The key fits none of the protectors of its kind.
    #[error("the key is wrong: it does not open {}", ids(.tried))]
    WrongKey {
        /// The protectors that were tried.
        tried: Vec<KeyId>,
    },
    /// A `.BEK` file belongs to a protector that the volume does not have.
    #[error("the key file is for key ID {}, but this drive has {}", .file.short(), ids(.present))]
    OtherKeyId {
        /// The key ID in the file.
        file: KeyId,
        /// The volume's external keys.
        present: Vec<KeyId>,
    },
    /// The volume is encrypted and its key does not lie beside the lock.
    #[error("the drive is locked: it opens only with a key ({})", list(.present))]
    Locked {
        /// What the volume has.
        present: Vec<ProtectorKind>,
    },
    /// The volume master key was opened, but the data's key under it is damaged.
    #[error("the key is right, but the drive's data key (FVEK) is damaged in the metadata")]
    DataKeyDamaged,
    /// The raw key is of another length than the volume's method takes.
    #[error("{0}")]
    KeyLength(#[from] fve_crypto::KeyLength),
    /// The raw key decrypts the first sector to something that is no file system.
    #[error("the key is wrong: under it the drive's first sector is no file system's")]
    WrongDataKey,
    /// The volume itself cannot be read.
    #[error(transparent)]
    Volume(#[from] Error),
}

fn list(kinds: &[ProtectorKind]) -> String {
    let mut words: Vec<_> = kinds.iter().map(ToString::to_string).collect();
    words.dedup();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn ids(ids: &[KeyId]) -> String {
    let words: Vec<_> = ids.iter().map(|id| format!("key ID {}", id.short())).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

impl Volume {
    /// Opens the volume.
    ///
    /// All protectors that the key may fit are tried, several at once where a key is stretched. Where
    /// the metadata copies differ, the newest is used that the key opens and whose keyed hash holds,
    /// else the newest that the key opens.
    ///
    /// # Errors
    /// Says which protectors were tried and why none was opened.
    pub fn unlock(&self, key: &Key) -> Result<Unlocked<'_>, UnlockError> {
        if self.state() == State::Decrypted {
            return Ok(Unlocked::decrypted(self));
        }
        if let Key::Fvek(fvek) = key {
            return self.unlock_with_fvek(fvek);
        }
        let (mut second_best, mut first_error) = (None, None);
        for metadata in self.distinct() {
            match open_vmk(metadata, key).and_then(|vmk| self.with_vmk(metadata, vmk)) {
                Ok(unlocked) if unlocked.proves => return Ok(unlocked),
                Ok(unlocked) => second_best = second_best.or(Some(unlocked)),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        second_best.ok_or_else(|| first_error.expect("a volume has at least one metadata copy"))
    }

    fn with_vmk<'v>(&'v self, opened: &'v Metadata, vmk: OpenVmk) -> Result<Unlocked<'v>, UnlockError> {
        let wrong =
            |error| if vmk.protector.is_none() { UnlockError::WrongKey { tried: Vec::new() } } else { error };
        // What is not authentic shall not even say how the volume is read, when another copy is.
        let authentic = self.distinct().into_iter().find(|copy| copy.hash_holds(Some(&vmk.key)));
        let metadata = authentic.unwrap_or(opened);
        let sealed = metadata.fvek().ok_or(UnlockError::DataKeyDamaged)?;
        let KeyDatum { method, bytes, .. } =
            sealed::open_any(&vmk.key, sealed).ok_or_else(|| wrong(UnlockError::DataKeyDamaged))?;
        let method = Method::try_from(method).map_err(|_| Error::UnknownMethod(method))?;
        let cipher = SectorCipher::new(method, bytes.expose(), self.sector_size_in(metadata)?)?;
        Ok(Unlocked {
            volume: self,
            metadata,
            proves: authentic.is_some_and(|copy| copy.same_as(opened)),
            authentic: Some(authentic.is_some()),
            vmk: Some(vmk),
            data: Some((bytes, Arc::new(cipher))),
        })
    }

    fn unlock_with_fvek(&self, fvek: &Secret<Vec<u8>>) -> Result<Unlocked<'_>, UnlockError> {
        let method = self.method()?.ok_or(Error::UnknownMethod(0))?;
        let cipher = SectorCipher::new(method, fvek.expose(), self.sector_size())?;
        let unlocked = Unlocked {
            volume: self,
            metadata: self.metadata(),
            proves: false,
            authentic: None,
            vmk: None,
            data: Some((fvek.duplicate(), Arc::new(cipher))),
        };
        // Nothing authenticates a raw key; a first sector that is a file system's is the next best.
        if unlocked.view()?.file_system().is_none() {
            return Err(UnlockError::WrongDataKey);
        }
        Ok(unlocked)
    }
}

/// A volume master key and the protector that it came from.
#[derive(Debug)]
pub(crate) struct OpenVmk {
    pub(crate) key: Secret<[u8; 32]>,
    pub(crate) protector: Option<(KeyId, ProtectorKind)>,
}

fn open_vmk(metadata: &Metadata, key: &Key) -> Result<OpenVmk, UnlockError> {
    let all = protectors(metadata);
    let of = |kind| all.iter().filter(move |protector| protector.kind == kind);
    let found = match key {
        Key::Vmk(vmk) => return Ok(OpenVmk { key: vmk.duplicate(), protector: None }),
        Key::None => of(ProtectorKind::ClearKey)
            .find_map(|protector| open_protector(protector, &Secret::from_slice(protector.clear_key()?)?))
            .ok_or_else(|| UnlockError::Locked { present: kinds(&all) })?,
        Key::RecoveryPassword(password) => open_stretched(&all, ProtectorKind::RecoveryPassword, |salt| {
            stretch::recovery_password(password.bytes(), salt)
        })?,
        Key::Password(password) => {
            open_stretched(&all, ProtectorKind::Password, |salt| stretch::password(password.expose(), salt))?
        }
        Key::External(bek) => {
            let candidates: Vec<_> = of(ProtectorKind::ExternalKey).collect();
            let tried: Vec<_> = candidates.iter().map(|protector| protector.id).collect();
            candidates.into_iter().find_map(|protector| open_protector(protector, &bek.key)).ok_or_else(
                || match tried.as_slice() {
                    [] => missing(ProtectorKind::ExternalKey, &all),
                    tried if tried.contains(&bek.key_id) => UnlockError::WrongKey { tried: vec![bek.key_id] },
                    _ => UnlockError::OtherKeyId { file: bek.key_id, present: tried },
                },
            )?
        }
        Key::Fvek(_) => return Err(UnlockError::Locked { present: kinds(&all) }),
    };
    Ok(found)
}

fn kinds(protectors: &[Protector<'_>]) -> Vec<ProtectorKind> {
    protectors.iter().map(|protector| protector.kind).collect()
}

fn missing(wanted: ProtectorKind, all: &[Protector<'_>]) -> UnlockError {
    UnlockError::NoProtector { wanted, present: kinds(all) }
}

fn open_protector(protector: &Protector<'_>, key: &Secret<[u8; 32]>) -> Option<OpenVmk> {
    let vmk = sealed::open(key, protector.sealed_vmk()?, method::VMK)?;
    let key = Secret::from_slice(vmk.expose())?;
    Some(OpenVmk { key, protector: Some((protector.id, protector.kind)) })
}

/// Tries all protectors of a kind, as many at once as there are processors.
fn open_stretched(
    all: &[Protector<'_>],
    kind: ProtectorKind,
    stretch: impl Fn(&[u8; 16]) -> Secret<[u8; 32]> + Sync,
) -> Result<OpenVmk, UnlockError> {
    let candidates: Vec<(&Protector<'_>, &[u8; 16], &Sealed)> = all
        .iter()
        .filter(|protector| protector.kind == kind)
        .filter_map(|protector| Some((protector, protector.salt()?, protector.sealed_vmk()?)))
        .collect();
    if candidates.is_empty() {
        return Err(missing(kind, all));
    }
    let (next, done, found) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    let work = || {
        while !done.load(Ordering::Relaxed)
            && let Some((protector, salt, _)) = candidates.get(next.fetch_add(1, Ordering::Relaxed))
        {
            if let Some(open) = open_protector(protector, &stretch(salt)) {
                done.store(true, Ordering::Relaxed);
                found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(open);
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(candidates.len());
    std::thread::scope(|scope| {
        // A thread that cannot be had is no loss: this one does what is left.
        (1..workers).for_each(|_| drop(std::thread::Builder::new().spawn_scoped(scope, work)));
        work();
    });
    found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).ok_or_else(|| {
        UnlockError::WrongKey { tried: candidates.iter().map(|(protector, ..)| protector.id).collect() }
    })
}
