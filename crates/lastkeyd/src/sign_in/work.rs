//! What costs memory and time. Above all what a password becomes: Argon2id, so that guessing costs memory and time, also for who has the database.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use recovery_key::Secret;
use tokio::sync::Semaphore;

use crate::error::Error;

/// The memory of one, in KiB.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
/// How many are worked on at once: 128 MiB at most.
const AT_ONCE: usize = 2;
/// How many may wait for their turn: some seconds' work.
const WAITING: usize = 16;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(15);

static QUEUE: Semaphore = Semaphore::const_new(AT_ONCE + WAITING);
static TURN: Semaphore = Semaphore::const_new(AT_ONCE);

/// Does what takes much memory or time, while nobody else here does more than one other such thing.
///
/// # Errors
/// When too many wait for their turn.
pub async fn alone<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let busy = || Error::Busy(PATIENCE.as_secs());
    let _place = QUEUE.try_acquire().map_err(|_| busy())?;
    let turn = tokio::time::timeout(PATIENCE, TURN.acquire()).await.map_err(|_| busy())?;
    let turn = turn.map_err(|_| busy())?;
    // Who goes away does not end the work: its turn lasts as long as it does.
    let work = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    work.await.map_err(|error| Error::Internal(error.to_string()))
}

/// Stretches a password.
///
/// # Errors
/// When too many others are being stretched.
pub async fn stretch(password: &str, salt: &[u8]) -> Result<Secret<[u8; 32]>, Error> {
    let (password, salt) = (Secret::new(password.to_owned()), salt.to_vec());
    let stretched = alone(move || {
        let mut out = Secret::new([0; 32]);
        let params = Params::new(MEMORY, PASSES, 1, Some(32))?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
            password.expose().as_bytes(),
            &salt,
            out.expose_mut(),
        )?;
        Ok::<_, argon2::Error>(out)
    });
    stretched.await?.map_err(|error| Error::Internal(format!("a password could not be stretched: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn the_same_password_and_salt_give_the_same() {
        let one = stretch("correct horse battery", b"sixteen bytes ..").await.unwrap();
        assert_eq!(one, stretch("correct horse battery", b"sixteen bytes ..").await.unwrap());
        assert_ne!(one, stretch("correct horse battery", b"sixteen bytes .,").await.unwrap());
    }
}
