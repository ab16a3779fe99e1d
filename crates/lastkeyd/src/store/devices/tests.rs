#![allow(clippy::unwrap_used)]

use super::*;
use crate::app::App;
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
    for number in 0..ADDRESS_LIMIT {
        let key = [u8::try_from(number).unwrap(); 32];
        ask(&store, "laptop", key, "192.0.2.1", None).await.unwrap();
    }
    let refused = ask(&store, "laptop", [200; 32], "192.0.2.1", None).await;
    assert!(matches!(refused, Err(Error::TooMany(_))));
    ask(&store, "laptop", [200; 32], "192.0.2.2", None).await.unwrap();
}

#[test]
fn codes_are_eight_letters_in_two_groups() {
    let code = new_code().unwrap();
    assert_eq!((code.len(), code.as_bytes()[4]), (9, b'-'));
    assert!(code.bytes().all(|byte| byte == b'-' || LETTERS.contains(&byte)));
}
