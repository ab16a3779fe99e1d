//! Passkeys (WebAuthn): who has one is let in without name or password. A browser that can, derives a key with it
//! too (the extension PRF): that key opens the account's key, and never stays here.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use recovery_key::Secret;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use webauthn_rs::prelude::{
    CreationChallengeResponse, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, RequestChallengeResponse, Url,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_proto::ResidentKeyRequirement;

use crate::app::{App, Settings};
use crate::error::Error;
use crate::store::ceremonies::Ceremony;
use crate::store::hex;
use crate::store::openers::Opener;

/// A longer answer no passkey gives.
const ANSWER_LIMIT: usize = 64 << 10;
const SIGN_IN: &str = "sign-in";
const REGISTER: &str = "register";
const UNKNOWN: &str = "This passkey is not known here, or it took too long. Try again.";

/// What a browser is asked.
#[derive(Debug, Serialize)]
pub struct Question<T> {
    /// Goes back with the answer.
    pub ceremony: String,
    /// What `navigator.credentials` is given.
    pub options: T,
}

/// Whether this server can have passkeys: they are bound to a name, and an address is none.
#[must_use]
pub fn possible(settings: &Settings) -> bool {
    settings.host.parse::<std::net::IpAddr>().is_err() && webauthn(settings).is_ok()
}

/// Asks for any passkey of this server.
///
/// # Errors
/// When too much was asked from this network, or from all.
pub async fn ask(app: &App, from: IpAddr) -> Result<Question<RequestChallengeResponse>, Error> {
    let (options, state) = webauthn(&app.settings)?.start_discoverable_authentication().map_err(broken)?;
    keep(app, None, SIGN_IN, &state, options, from).await
}

/// Asks for a new passkey.
///
/// # Errors
/// When too much was asked from this network, or from all.
pub async fn ask_new(
    app: &App,
    account: Uuid,
    name: &str,
    known: &[Opener],
    from: IpAddr,
) -> Result<Question<CreationChallengeResponse>, Error> {
    let known = known.iter().filter_map(|opener| opener.passkey.as_ref()).map(|(id, _)| id.clone()).collect();
    let (mut options, state) = webauthn(&app.settings)?
        .start_passkey_registration(account, name, name, Some(known))
        .map_err(broken)?;
    // One that is asked for by name could not sign in without.
    if let Some(selection) = &mut options.public_key.authenticator_selection {
        selection.resident_key = Some(ResidentKeyRequirement::Required);
        selection.require_resident_key = true;
    }
    keep(app, Some(account.to_string()), REGISTER, &state, options, from).await
}

/// Takes a new passkey; returns the account that it was asked for, its ID, and what its signatures are checked with.
///
/// # Errors
/// When it is not what was asked for.
pub async fn take_new(app: &App, ceremony: &str, answer: &str) -> Result<(String, (Vec<u8>, String)), Error> {
    let bad = || {
        Error::Invalid(
            "The new passkey did not arrive as it should, or it took too long. Try again.".to_owned(),
        )
    };
    let asked = app.store.answered(hash(ceremony), REGISTER).await?.ok_or_else(bad)?;
    let state: PasskeyRegistration = serde_json::from_str(&asked.state).map_err(|_| bad())?;
    if answer.len() > ANSWER_LIMIT {
        return Err(bad());
    }
    let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(|_| bad())?;
    let passkey = webauthn(&app.settings)?.finish_passkey_registration(&answer, &state).map_err(|_| bad())?;
    let json = serde_json::to_string(&passkey).map_err(|error| Error::Internal(error.to_string()))?;
    Ok((asked.account.ok_or_else(bad)?, (passkey.cred_id().to_vec(), json)))
}

/// Checks a passkey's signature. Returns whose it is, and what has changed in it; or what to tell.
///
/// # Errors
/// What the database says.
pub async fn verify(
    app: &App,
    ceremony: &str,
    answer: &str,
) -> Result<Result<(Opener, Option<String>), &'static str>, Error> {
    let Some(asked) = app.store.answered(hash(ceremony), SIGN_IN).await? else { return Ok(Err(UNKNOWN)) };
    let state: DiscoverableAuthentication =
        serde_json::from_str(&asked.state).map_err(|error| Error::Internal(error.to_string()))?;
    let answer = Some(answer).filter(|answer| answer.len() <= ANSWER_LIMIT);
    let Some(answer) = answer.and_then(|answer| serde_json::from_str::<PublicKeyCredential>(answer).ok())
    else {
        return Ok(Err(UNKNOWN));
    };
    let Some(opener) = app.store.passkey(answer.get_credential_id()).await? else { return Ok(Err(UNKNOWN)) };
    let own = answer.get_user_unique_id().and_then(|id| Uuid::from_slice(id).ok());
    if own.map(|id| id.to_string()).as_deref() != Some(&opener.account) {
        return Ok(Err(UNKNOWN));
    }
    let kept = opener.passkey.as_ref().map_or("", |(_, passkey)| passkey);
    let mut passkey: Passkey =
        serde_json::from_str(kept).map_err(|error| Error::Internal(error.to_string()))?;
    let Ok(result) = webauthn(&app.settings)?.finish_discoverable_authentication_v2(&answer, state, &passkey)
    else {
        return Ok(Err(UNKNOWN));
    };
    let changed = passkey.update_credential(&result) == Some(true);
    let changed = changed.then(|| serde_json::to_string(&passkey));
    Ok(Ok((opener, changed.transpose().map_err(|error| Error::Internal(error.to_string()))?)))
}

/// Returns what keys are made of, from what a passkey derived.
#[must_use]
pub fn material(prf: &str) -> Option<Secret<[u8; 32]>> {
    let derived = Secret::new(URL_SAFE_NO_PAD.decode(prf).ok().filter(|derived| derived.len() == 32)?);
    let hash = Sha256::new_with_prefix(b"lastkeyd passkey ").chain_update(derived.expose()).finalize();
    Some(Secret::new(hash.into()))
}

async fn keep<T>(
    app: &App,
    account: Option<String>,
    kind: &'static str,
    state: &impl Serialize,
    options: T,
    from: IpAddr,
) -> Result<Question<T>, Error> {
    let ceremony = hex(&super::random::<32>()?);
    let state = serde_json::to_string(state).map_err(|error| Error::Internal(error.to_string()))?;
    app.store.await_answer(hash(&ceremony), Ceremony { account, kind, state }, from).await?;
    Ok(Question { ceremony, options })
}

fn hash(ceremony: &str) -> Vec<u8> {
    Sha256::digest(ceremony).to_vec()
}

fn webauthn(settings: &Settings) -> Result<Webauthn, Error> {
    let origin: Url =
        settings.url.parse().map_err(|_| Error::Internal("the server's URL is none".to_owned()))?;
    WebauthnBuilder::new(&settings.host, &origin)
        .and_then(|builder| builder.rp_name("lastkey").build())
        .map_err(broken)
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("passkeys: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_derived_bytes_are_a_key() {
        assert!(material(&URL_SAFE_NO_PAD.encode([7; 32])).is_some());
        assert!(material(&URL_SAFE_NO_PAD.encode([7; 31])).is_none());
        assert!(material("").is_none() && material("&").is_none());
    }
}
