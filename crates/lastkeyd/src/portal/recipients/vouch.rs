//! What the owner's key says of those who can open an account's records.
//!
//! Records are sealed anew for whoever stands in the database's list. So that nobody gets in there who can write to the
//! database, but whom the owner has not added, each row carries what only the owner's key makes of it: HMAC-SHA-256 under
//! a key that is derived from it. Each has its own, so that taking somebody out, as it happens when they delete their
//! account, needs no key. It does not keep a row from coming back that the owner had added once.

use std::net::IpAddr;

use hkdf::Hkdf;
use sha2::Sha256;

use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::sign_in::Refused;
use crate::sign_in::account_key::AccountKey;
use crate::store::accounts::Account;
use crate::store::recipients::Other;

/// Returns what the owner's key says of somebody.
pub fn vouch(key: &AccountKey, account: &str, other: &Other) -> Result<Vec<u8>, Error> {
    let broken =
        |why: &dyn std::fmt::Display| Error::Internal(format!("a recipient was not vouched for: {why}"));
    let Other { recipient, name, account: theirs, .. } = other;
    let what =
        serde_json::to_vec(&("recipient", account, recipient, name, theirs)).map_err(|why| broken(&why))?;
    let mut mac = vec![0; 32];
    // The first block of HKDF's expansion is the HMAC of what is expanded by.
    Hkdf::<Sha256>::new(Some(b"lastkeyd recipients"), key.text().expose().as_bytes())
        .expand(&what, &mut mac)
        .map_err(|why| broken(&why))?;
    Ok(mac)
}

/// Whether somebody was added by who has this key.
fn holds(key: &AccountKey, account: &str, other: &Other) -> Result<bool, Error> {
    let expected = vouch(key, account, other)?;
    let said = other.vouched.as_deref().unwrap_or_default();
    // However much of it is right, it takes as long.
    let differ = expected.iter().zip(said).fold(0, |differ, (one, other)| differ | (one ^ other));
    Ok(said.len() == expected.len() && differ == 0)
}

/// Returns to whom records are sealed, the account's own key first, if it is the owner who has said so.
///
/// # Errors
/// When somebody is among them whom the owner has not added, or the account's own key is not the owner's.
pub async fn recipients(
    app: &App,
    account: &Account,
    key: &AccountKey,
    from: IpAddr,
) -> Result<Vec<String>, Refused> {
    let refuse = async |why: &str, text: String| {
        tracing::error!(account = account.id, why, "nothing was sealed anew");
        app.store.note(Entry::refused("record.reseal", why).account(&account.id).from(from)).await?;
        Err(Refused::Wrong(text))
    };
    if key.recipient() != account.recipient {
        let text = "Your account stands in the database with another key than yours: somebody has changed it there. \
                    Nothing was sealed anew, because you could not open it. Tell whoever runs this server, let no \
                    device add keys until it is put right, and export what you have.";
        return refuse("the account's key was exchanged", text.to_owned()).await;
    }
    let mut recipients = vec![account.recipient.clone()];
    for other in app.store.others(&account.id).await? {
        if !holds(key, &account.id, &other)? {
            let text = format!(
                "\u{201c}{}\u{201d} ({}) stands among those who can open your keys, and was not added with your key: \
                 somebody has written that into the database. Nothing was sealed anew. Remove them here, and tell \
                 whoever runs this server; what your devices have added since they stand here may be sealed to them, so \
                 give those drives new recovery keys. If you know them, add them anew afterwards.",
                other.name, other.recipient
            );
            return refuse("a recipient that the owner has not added", text).await;
        }
        recipients.push(other.recipient);
    }
    Ok(recipients)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_vouched_for_is_the_whole_row_of_this_account_under_this_key() {
        let key = AccountKey::generate();
        let mut joan = Other {
            recipient: "age1joan".to_owned(),
            name: "Joan".to_owned(),
            account: Some("j".to_owned()),
            vouched: None,
        };
        assert!(!holds(&key, "g", &joan).unwrap());
        joan.vouched = Some(vouch(&key, "g", &joan).unwrap());
        assert!(holds(&key, "g", &joan).unwrap());
        assert!(!holds(&key, "h", &joan).unwrap());
        assert!(!holds(&AccountKey::generate(), "g", &joan).unwrap());
        for other in [
            Other { recipient: "age1evil".to_owned(), ..joan.clone() },
            Other { name: "Eve".to_owned(), ..joan.clone() },
            Other { account: None, ..joan.clone() },
            Other { account: Some("e".to_owned()), ..joan.clone() },
            Other { vouched: Some(Vec::new()), ..joan.clone() },
            Other { vouched: joan.vouched.clone().map(|mac| mac[..31].to_vec()), ..joan.clone() },
        ] {
            assert!(!holds(&key, "g", &other).unwrap(), "{other:?}");
        }
    }
}
