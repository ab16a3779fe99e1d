//! Deleting an account and all that is its own.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::header;
use axum::response::Response;
use serde::Deserialize;

use super::account;
use super::page::outside;
use crate::app::App;
use crate::audit::Entry;
use crate::error::Error;
use crate::gate::From;
use crate::sign_in::show::{self, Shown, Who};
use crate::sign_in::{Refused, SignedIn, session};
use crate::store::{accounts, erase, outbox};

/// What the form carries.
#[derive(Deserialize)]
pub struct Delete {
    #[serde(default)]
    name: String,
    #[serde(flatten)]
    shown: Shown,
}

#[derive(Template)]
#[template(path = "gone.html")]
struct Gone;

/// Deletes the account.
pub async fn delete(
    State(app): State<App>,
    From(from): From,
    signed_in: SignedIn,
    Form(form): Form<Delete>,
) -> Result<Response, Error> {
    match try_delete(&app, from, &signed_in, &form).await {
        Ok(()) => {
            let mut response = outside("Your account is deleted", None, &Gone)?;
            response.headers_mut().insert(header::SET_COOKIE, session::no_cookie());
            Ok(response)
        }
        Err(refused) => account::after(&app, &signed_in, Err(refused)).await,
    }
}

async fn try_delete(
    app: &App,
    from: std::net::IpAddr,
    signed_in: &SignedIn,
    form: &Delete,
) -> Result<(), Refused> {
    let account = &signed_in.account;
    if accounts::fold(&form.name) != accounts::fold(&account.name) {
        return Err(Refused::Wrong(
            "To delete the account, type its name as it stands on this page.".to_owned(),
        ));
    }
    show::check(app, Who::Account(account), &form.shown, from, "account.delete").await?;
    let id = account.id.clone();
    let text = format!(
        "The account {} was deleted, from {from}: its keys, its devices and the words of its history are gone. It cannot \
         be undone. This is the last notice. If it was not you, tell whoever runs the server at once.",
        account.name
    );
    app.store
        .write(move |tx| {
            Box::pin(async move {
                outbox::tell(tx, &id, "Your account was deleted", &text).await?;
                erase(tx, &id).await?;
                accounts::remove(tx, &id).await?;
                Ok(((), vec![Entry::done("account.delete")]))
            })
        })
        .await?;
    Ok(())
}
