//! What devices say of their drives.

use std::collections::{BTreeMap, BTreeSet};

use account::wire::{CheckedIn, DriveState};
use sqlx::Row;

use super::Tx;
use super::sql::{insert, select_by};
use crate::error::Error;

/// Keeps what a device says of its drives in place of what it said before, and returns what the account lacks.
///
/// # Errors
/// What the database says.
pub async fn check_in(
    tx: &mut Tx,
    account: &str,
    device: &str,
    at: i64,
    drives: &[DriveState],
) -> Result<CheckedIn, Error> {
    // A volume that is named twice counts as it was named last.
    let by_volume: BTreeMap<_, _> = drives.iter().map(|drive| (&drive.volume, drive)).collect();
    let drives: Vec<_> = by_volume.values().collect();
    let into = "check_ins (device_id, volume_id, drive, protection, key_ids, at)";
    let tail = "ON CONFLICT (device_id, volume_id) DO UPDATE SET drive = excluded.drive,
                protection = excluded.protection, key_ids = excluded.key_ids, at = excluded.at";
    insert(tx, into, &drives, tail, |query, drive| {
        query
            .bind(device.to_owned())
            .bind(drive.volume.clone())
            .bind(drive.drive.clone())
            .bind(drive.protection.word())
            .bind(drive.key_ids.join(" "))
            .bind(at)
    })
    .await?;

    let there: BTreeSet<&String> = drives.iter().flat_map(|drive| &drive.key_ids).collect();
    let kept = keys_with_records(tx, account, there.iter().copied()).await?;
    let missing = there.iter().filter(|&&id| !kept.contains(id)).map(|&id| id.clone()).collect();

    let volumes: Vec<_> = by_volume.keys().map(|&volume| (account, volume)).collect();
    let select = "SELECT DISTINCT r.volume_id, r.key_id FROM (VALUES) AS said CROSS JOIN records r
                  WHERE r.account_id = said.column1 AND r.volume_id = said.column2 AND r.kind = 'recovery-key'";
    let rows = select_by(tx, select, 2, &volumes, |query, (account, volume)| {
        query.bind((*account).to_owned()).bind((*volume).clone())
    });
    let mut stale = BTreeSet::new();
    for row in rows.await? {
        let (volume, key_id): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if by_volume.get(&volume).is_some_and(|drive| !drive.key_ids.contains(&key_id)) {
            stale.insert(key_id);
        }
    }
    Ok(CheckedIn { missing, stale: stale.into_iter().collect() })
}

/// Returns those of the recovery keys that an account has records of: of its own, for what others have sealed to it they
/// may take back.
pub(super) async fn keys_with_records(
    connection: &mut Tx,
    account: &str,
    key_ids: impl Iterator<Item = &String>,
) -> Result<BTreeSet<String>, Error> {
    let keys: Vec<_> = key_ids.collect::<BTreeSet<_>>().into_iter().collect();
    // One record of each is looked for, however many there are. No join: PostgreSQL would plan it while there are none.
    let select = "SELECT key_id FROM (SELECT column2 AS key_id, (
                      SELECT p.leaf FROM record_recipients p CROSS JOIN records r
                      WHERE p.account_id = said.column1 AND p.key_id = said.column2 AND r.leaf = p.leaf
                          AND r.account_id = p.account_id AND r.kind = 'recovery-key' LIMIT 1) AS leaf
                  FROM (VALUES) AS said) found WHERE leaf IS NOT NULL";
    let rows = select_by(connection, select, 2, &keys, |query, id| {
        query.bind(account.to_owned()).bind((*id).clone())
    });
    Ok(rows.await?.iter().map(|row| row.try_get(0)).collect::<Result<_, sqlx::Error>>()?)
}
