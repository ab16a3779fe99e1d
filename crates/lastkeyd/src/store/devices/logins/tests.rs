#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use crate::app::App;
use crate::store::Of;
use crate::store::devices::{list, revoke};
use crate::tests::app;

#[tokio::test]
async fn a_device_is_let_in_by_its_code_and_shut_out_again() {
    let (_folder, App { store, .. }, account) = app().await;
    let (id, code, _) = ask(&store, "laptop", [7; 32], "127.0.0.1", None).await.unwrap();
    assert_eq!(login(&store, &id, [7; 32]).await.unwrap(), Login::Waiting);
    assert!(matches!(login(&store, &id, [8; 32]).await, Err(Error::NotFound)));

    let typed = code.to_lowercase().replace('-', " ");
    let found = waiting(&store, &typed).await.unwrap();
    assert_eq!((found.name.as_str(), found.id.as_str()), ("laptop", id.as_str()));
    let device = confirm(&store, &account, &id).await.unwrap();
    assert!(matches!(confirm(&store, &account, &id).await, Err(Error::NotFound)));
    assert!(matches!(waiting(&store, &code).await, Err(Error::NotFound)));
    let Login::Confirmed(confirmed) = login(&store, &id, [7; 32]).await.unwrap() else { panic!() };
    assert_eq!((confirmed.id.as_str(), confirmed.account.as_str()), (device.as_str(), account.as_str()));

    assert!(matches!(revoke(&store, "somebody else", &device).await, Err(Error::NotFound)));
    revoke(&store, &account, &device).await.unwrap();
    assert!(list(&store, &account).await.unwrap()[0].revoked.is_some());
}

#[tokio::test]
async fn a_device_that_was_refused_knows() {
    let (_folder, App { store, .. }, account) = app().await;
    let (id, ..) = ask(&store, "laptop", [7; 32], "127.0.0.1", None).await.unwrap();
    refuse(&store, &account, &id).await.unwrap();
    assert_eq!(login(&store, &id, [7; 32]).await.unwrap(), Login::Refused);
    assert!(matches!(confirm(&store, &account, &id).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn nobody_takes_all_the_places() {
    let (_folder, App { store, .. }, _) = app().await;
    let key = |number: i64| [u8::try_from(number).unwrap(); 32];
    for number in 0..NETWORK_LIMIT {
        ask(&store, "laptop", key(number), "192.0.2.1", None).await.unwrap();
        // Who has one address of IPv6 has as many as they like.
        let address = format!("2001:db8::{number:x}");
        ask(&store, "laptop", key(100 + number), &address, None).await.unwrap();
    }
    for full in ["192.0.2.1", "2001:db8::ffff"] {
        let refused = ask(&store, "laptop", [200; 32], full, None).await;
        assert!(matches!(refused, Err(Error::TooMany(_))), "{full}");
    }
    for free in ["192.0.2.2", "2001:db8:0:1::1"] {
        ask(&store, "laptop", [200; 32], free, None).await.unwrap();
    }
}

#[tokio::test]
async fn letting_in_and_shutting_out_say_from_where_and_are_told() {
    let (_folder, App { store, .. }, account) = app().await;
    let wanted = store.write(|tx| {
        Box::pin(async move {
            sqlx::query("UPDATE accounts SET webhook = 'https://a.example/'").execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    wanted.await.unwrap();
    let from = IpAddr::from([198, 51, 100, 7]);
    let (login, code, _) = ask(&store, "laptop", [7; 32], "192.0.2.1", None).await.unwrap();
    assert_eq!(waiting_still(&store, &login).await.unwrap(), waiting(&store, &code).await.unwrap());
    let device = confirm(&store, (account.as_str(), from), &login).await.unwrap();
    assert!(matches!(waiting_still(&store, &login).await, Err(Error::NotFound)));
    revoke(&store, (account.as_str(), from), &device).await.unwrap();
    let (second, ..) = ask(&store, "phone", [8; 32], "192.0.2.1", None).await.unwrap();
    refuse(&store, (account.as_str(), from), &second).await.unwrap();

    let history = store.history(Of::Account(account), None, 10).await.unwrap();
    let said = |act: &str| {
        let entry = history.iter().find(|entry| entry.act == act).unwrap();
        let said = entry.said.clone().unwrap();
        (said.address.unwrap(), said.detail.unwrap())
    };
    let here = from.to_string();
    assert_eq!(said("device.confirm"), (here.clone(), "laptop, which asked from 192.0.2.1".to_owned()));
    assert_eq!(said("device.revoke"), (here.clone(), "laptop".to_owned()));
    assert_eq!(said("device.refuse"), (here, "phone".to_owned()));
    let mut told = Vec::new();
    for _ in 0..2 {
        let notice = outbox::take(&store, 1, HashSet::new()).await.unwrap().remove(0);
        assert!(notice.text.contains("198.51.100.7"), "{}", notice.text);
        told.push(notice.subject);
    }
    told.sort_unstable();
    assert_eq!(told, ["A device was let in: laptop", "A device was shut out: laptop"]);
}

#[test]
fn codes_are_eight_letters_in_two_groups() {
    let code = new_code().unwrap();
    assert_eq!((code.len(), code.as_bytes()[4]), (9, b'-'));
    assert!(code.bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)));
}
