//! What owners are told, and what the log says of what was refused.

use axum::http::StatusCode;
use sqlx::Row;

use super::{Browser, PASSWORD};
use crate::app::App;
use crate::portal::invite;
use crate::sign_in::totp::Codes;
use crate::store::openers::{self, Kind, Opener};
use crate::store::{Of, devices, now};
use crate::tests::app;

/// Returns what waits to be told: where, and what.
async fn told(app: &App) -> Vec<(String, String)> {
    let rows = sqlx::query("SELECT target, body FROM outbox ORDER BY created, id")
        .fetch_all(app.store.readers())
        .await
        .unwrap();
    let line = |body: String| body.split('\n').next().unwrap().to_owned();
    let told = rows.iter().map(|row| (row.try_get("target").unwrap(), line(row.try_get("body").unwrap())));
    let mut told: Vec<_> = told.collect();
    told.sort_unstable();
    told
}

async fn set(app: &App, what: &'static str) {
    let set = app.store.write(move |tx| {
        Box::pin(async move {
            sqlx::query(what).execute(&mut *tx).await?;
            Ok(((), Vec::new()))
        })
    });
    set.await.unwrap();
}

/// Asks to be let in, as a device does, and returns the login's ID.
async fn waits(app: &App, key: u8) -> String {
    devices::ask(&app.store, "laptop", [key; 32], "192.0.2.1", None).await.unwrap().0
}

#[tokio::test]
async fn what_is_done_to_an_account_is_told_and_that_it_is_deleted_too() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    let code = grace.sign_up("Grace").await;
    let fields = [("webhook", "https://a.example/"), ("password", PASSWORD)];
    let set_up = grace.post("/account/notices", &fields).await;
    assert!(set_up.body.contains("The first is on its way"), "{}", set_up.body);

    let page = grace.post("/account/one-time", &[]).await.body;
    let (_, rest) = page.split_once("name=\"secret\" value=\"").unwrap();
    let secret = rest.split_once('"').unwrap().0.to_owned();
    let first = Codes::parse(&secret).unwrap().at(now() / 30);
    let fields = [("secret", secret.as_str()), ("first", &first), ("password", PASSWORD)];
    let set_up = grace.post("/account/one-time/confirm", &fields).await;
    assert!(set_up.body.contains("One-time codes are set up"), "{}", set_up.body);
    grace.post("/account/one-time/remove", &[("code", &code)]).await;

    let login = waits(&app, 7).await;
    let let_in = grace.post("/devices/confirm", &[("id", &login), ("password", PASSWORD)]).await;
    assert_eq!(let_in.status, StatusCode::SEE_OTHER, "{}", let_in.body);
    let owner = app.store.account_named("grace").await.unwrap().unwrap().id;
    let device = devices::list(&app.store, &owner).await.unwrap().remove(0).id;
    grace.post("/devices/revoke", &[("id", &device)]).await;

    let passkey = Opener {
        id: "phone".to_owned(),
        account: owner,
        kind: Kind::Passkey,
        name: "My phone".to_owned(),
        salt: vec![1; 16],
        wrapped: None,
        totp: None,
        passkey: Some((vec![2; 16], "{}".to_owned())),
        created: 0,
        used: None,
    };
    let added = app
        .store
        .write(|tx| Box::pin(async move { openers::add(tx, passkey).await.map(|()| ((), Vec::new())) }));
    added.await.unwrap();
    let removed = grace.post("/account/passkeys/remove", &[("id", "phone"), ("password", PASSWORD)]).await;
    assert!(removed.body.contains("The passkey was removed"), "{}", removed.body);

    let mut other = Browser::new(&app);
    other.post("/sign-in/enter", &[("name", "grace"), ("code", &code)]).await;
    let gone = grace.post("/account/delete", &[("name", "grace"), ("password", PASSWORD)]).await;
    assert!(gone.body.contains("Your account is deleted"), "{}", gone.body);
    assert!(app.store.account_named("grace").await.unwrap().is_none());

    // All of it waits, though the account is gone.
    let wanted = [
        "A device was let in: laptop",
        "A device was shut out: laptop",
        "A passkey was removed from your account",
        "Notices of your account come here",
        "One-time codes were removed",
        "One-time codes were set up",
        "Your account code was used to sign in",
        "Your account was deleted",
    ];
    let wanted = wanted.map(|what| ("https://a.example/".to_owned(), what.to_owned()));
    assert_eq!(told(&app).await, wanted);
}

#[tokio::test]
async fn a_new_address_is_told_to_the_old_one_and_to_itself() {
    let (_folder, app, _) = app().await;
    app.store.set_sends_mail(true);
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let mail = ("mail", "g@example.org");
    for webhook in ["https://a.example/", "https://b.example/"] {
        grace.post("/account/notices", &[mail, ("webhook", webhook), ("password", PASSWORD)]).await;
    }
    let told = told(&app).await;
    let told: Vec<_> = told.iter().map(|(target, what)| (target.as_str(), what.as_str())).collect();
    let (changed, here) = ("Where your notices go was changed", "Notices of your account come here");
    assert_eq!(
        told,
        [
            ("g@example.org", here),
            ("g@example.org", changed),
            ("https://a.example/", here),
            ("https://a.example/", changed),
            ("https://b.example/", here),
        ]
    );
}

#[tokio::test]
async fn nobody_is_promised_a_mail_that_no_server_sends() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let fields = [("mail", "g@example.org"), ("password", PASSWORD)];
    let field = "name=\"mail\"";
    assert!(!grace.get("/account").await.body.contains(field));
    let refused = grace.post("/account/notices", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("This server sends no mail"), "{}", refused.body);

    app.store.set_sends_mail(true);
    assert!(grace.get("/account").await.body.contains(field));
    assert!(grace.post("/account/notices", &fields).await.body.contains("Notices go there"));
    assert!(!grace.get("/account").await.body.contains("Nothing is told yet"));
    // Its operator took the mail server away: that is said, and the address can be taken out.
    app.store.set_sends_mail(false);
    let page = grace.get("/account").await.body;
    assert!(page.contains(field) && page.contains("Nothing is told yet"), "{page}");
}

#[tokio::test]
async fn a_session_alone_lets_no_device_in() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let owner = app.store.account_named("grace").await.unwrap().unwrap().id;
    let login = waits(&app, 7).await;
    for password in ["", "not the password"] {
        let asked = grace.post("/devices/confirm", &[("id", &login), ("password", password)]).await;
        assert_eq!(asked.status, StatusCode::UNPROCESSABLE_ENTITY);
        // The same form once more.
        assert!(asked.body.contains(&format!("name=\"id\" value=\"{login}\"")), "{}", asked.body);
        assert!(asked.body.contains("This is not your password"), "{}", asked.body);
        assert!(devices::list(&app.store, &owner).await.unwrap().is_empty());
    }
    let let_in = grace.post("/devices/confirm", &[("id", &login), ("password", PASSWORD)]).await;
    assert_eq!(let_in.status, StatusCode::SEE_OTHER);
    assert_eq!(devices::list(&app.store, &owner).await.unwrap().len(), 1);
    let again = grace.post("/devices/confirm", &[("id", &login), ("password", PASSWORD)]).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn strangers_who_guess_stand_in_the_history_and_in_nobodys_way() {
    let (_folder, app, _) = app().await;
    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let mut stranger = Browser::new(&app);
    for _ in 0..16 {
        if stranger.sign_in("grace", "a guess", "").await.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    let login = waits(&app, 7).await;
    let let_in = grace.post("/devices/confirm", &[("id", &login), ("password", PASSWORD)]).await;
    assert_eq!(let_in.status, StatusCode::SEE_OTHER, "{}", let_in.body);
    let owner = app.store.account_named("grace").await.unwrap().unwrap().id;
    let history = app.store.history(Of::Account(owner), None, 50).await.unwrap();
    let slowed = history
        .iter()
        .filter(|entry| entry.said.as_ref().is_some_and(|said| said.outcome == "refused: too many tries"));
    assert_eq!(slowed.map(|entry| entry.act.as_str()).collect::<Vec<_>>(), ["sign-in"]);
}

#[tokio::test]
async fn a_passkey_that_opens_no_keys_needs_a_password_beside_it() {
    let (_folder, app, _) = app().await;
    let invitation = invite(&app, 60).await.unwrap();
    let fields =
        [("invitation", invitation.as_str()), ("name", "Grace"), ("passkey", "{}"), ("ceremony", "asked")];
    let refused = Browser::new(&app).post("/welcome/account", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("cannot open keys"), "{}", refused.body);
    // What was made waits in the form, and a password that is too short does not lose it.
    let kept = "name=\"ceremony\" value=\"asked\"";
    assert!(refused.body.contains(kept) && app.store.account_named("grace").await.unwrap().is_none());
    let short = [&fields[..], &[("new", "short"), ("again", "short")]].concat();
    assert!(Browser::new(&app).post("/welcome/account", &short).await.body.contains(kept));

    let mut grace = Browser::new(&app);
    grace.sign_up("Grace").await;
    let warning = "Only the account code opens your keys";
    assert!(!grace.get("/account").await.body.contains(warning));
    set(&app, "DELETE FROM openers WHERE kind = 'password'").await;
    assert!(grace.get("/account").await.body.contains(warning));
}

#[tokio::test]
async fn a_wrong_invitation_stands_in_the_log_once_a_minute() {
    let (_folder, app, _) = app().await;
    let before: i64 = entries(&app).await;
    let fields = [("invitation", "WRONG"), ("name", "Grace"), ("new", PASSWORD), ("again", PASSWORD)];
    for _ in 0..2 {
        let refused = Browser::new(&app).post("/welcome/account", &fields).await;
        assert!(refused.body.contains("This invitation is not known here"), "{}", refused.body);
        let refused = Browser::new(&app).post("/welcome/passkey", &fields[..2]).await;
        assert!(refused.body.contains("This invitation is not known here"), "{}", refused.body);
    }
    assert_eq!(entries(&app).await, before + 1);
}

async fn entries(app: &App) -> i64 {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM audit_entries WHERE act = 'account.create'");
    count.fetch_one(app.store.readers()).await.unwrap()
}
