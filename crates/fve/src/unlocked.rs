//! An open volume: its keys, and the way to its data.

use std::sync::Arc;

use fve_crypto::{Method, SectorCipher};
use recovery_key::bek::Bek;
use recovery_key::{KeyId, RecoveryPassword, Secret};

use crate::FileTime;
use crate::datum::method;
use crate::error::Error;
use crate::metadata::Metadata;
use crate::protector::{Protector, ProtectorKind};
use crate::sealed;
use crate::unlock::OpenVmk;
use crate::view::View;
use crate::volume::{Volume, protectors};

/// A volume that a key has opened.
pub struct Unlocked<'v> {
    pub(crate) volume: &'v Volume,
    /// The newest copy whose keyed hash holds; if none does, the one that the key opened.
    pub(crate) metadata: &'v Metadata,
    /// The key opened this very copy, and it is authentic: a protector that stands only in another
    /// copy may be gone for Windows.
    pub(crate) proves: bool,
    pub(crate) authentic: Option<bool>,
    pub(crate) vmk: Option<OpenVmk>,
    pub(crate) data: Option<(Secret<Vec<u8>>, Arc<SectorCipher>)>,
}

/// A secret that was re-derived from the volume.
#[derive(Debug)]
pub struct Recovered<T> {
    /// The protector it belongs to.
    pub id: KeyId,
    /// The secret; `None` when its copy under the VMK is missing or damaged.
    pub secret: Option<T>,
}

impl<'v> Unlocked<'v> {
    pub(crate) fn decrypted(volume: &'v Volume) -> Self {
        let metadata = volume.metadata();
        let authentic = Some(metadata.hash_holds(None));
        Self { volume, metadata, proves: false, authentic, vmk: None, data: None }
    }

    /// Returns the volume.
    pub fn volume(&self) -> &'v Volume {
        self.volume
    }

    /// Returns the copy of the metadata that is used.
    pub fn metadata(&self) -> &'v Metadata {
        self.metadata
    }

    /// Returns the protector that was opened; `None` for raw keys and decrypted volumes.
    pub fn protector(&self) -> Option<(KeyId, ProtectorKind)> {
        self.vmk.as_ref().and_then(|vmk| vmk.protector)
    }

    /// Returns the volume master key; `None` when the volume was opened by its FVEK or is decrypted.
    pub fn vmk(&self) -> Option<&Secret<[u8; 32]>> {
        self.vmk.as_ref().map(|vmk| &vmk.key)
    }

    /// Returns the full volume encryption key; `None` when the volume is decrypted.
    pub fn fvek(&self) -> Option<&Secret<Vec<u8>>> {
        self.data.as_ref().map(|(fvek, _)| fvek)
    }

    /// Returns the method that the key is for; `None` when the volume is decrypted.
    pub fn method(&self) -> Option<Method> {
        self.data.as_ref().map(|(_, cipher)| cipher.method())
    }

    /// Returns whether the keyed hash of [`metadata`](Self::metadata) holds; `None` when there is no VMK
    /// to check it with.
    ///
    /// On a decrypted volume the hash has no key: it tells damage, not tampering.
    pub fn authentic(&self) -> Option<bool> {
        self.authentic
    }

    /// Re-derives every recovery password of the volume.
    ///
    /// Windows keeps the 16 bytes of each under the VMK, so that any open door shows all of them.
    pub fn recovery_passwords(&self) -> Vec<Recovered<RecoveryPassword>> {
        self.recover(ProtectorKind::RecoveryPassword, |protector, vmk| {
            let bytes = self.secret_under_vmk(protector, vmk, method::RECOVERY_PASSWORD)?;
            Some(RecoveryPassword::from_bytes(Secret::from_slice(bytes.expose())?))
        })
    }

    /// Re-derives every external key of the volume, as the `.BEK` file that Windows would write.
    pub fn external_keys(&self) -> Vec<Recovered<Bek>> {
        self.recover(ProtectorKind::ExternalKey, |protector, vmk| {
            let bytes = self.secret_under_vmk(protector, vmk, method::EXTERNAL_KEY)?;
            let FileTime(changed) = protector.changed;
            Some(Bek::new(protector.id, changed, changed, None, Secret::from_slice(bytes.expose())?))
        })
    }

    fn recover<T>(
        &self,
        kind: ProtectorKind,
        open: impl Fn(&Protector<'_>, &Secret<[u8; 32]>) -> Option<T>,
    ) -> Vec<Recovered<T>> {
        protectors(self.metadata)
            .into_iter()
            .filter(|protector| protector.kind == kind)
            .map(|protector| Recovered {
                id: protector.id,
                secret: self.vmk().and_then(|vmk| open(&protector, vmk)),
            })
            .collect()
    }

    fn secret_under_vmk(
        &self,
        protector: &Protector<'_>,
        vmk: &Secret<[u8; 32]>,
        method: u16,
    ) -> Option<Secret<Vec<u8>>> {
        protector.secrets_under_vmk().find_map(|sealed| sealed::open(vmk, sealed, method))
    }

    /// Returns the decrypted volume, to be read at any place from many threads.
    ///
    /// # Errors
    /// When it cannot be known for sure how some part is stored.
    pub fn view(&self) -> Result<View, Error> {
        let cipher = self.data.as_ref().map(|(_, cipher)| cipher.clone());
        View::new(self.volume, self.metadata, cipher)
    }
}
