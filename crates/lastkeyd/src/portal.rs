//! The pages that people see: whole without JavaScript, but for passkeys.

mod account;
mod danger;
mod devices;
mod enter;
mod export;
mod history;
mod home;
mod key;
mod one_time;
mod page;
mod passkeys;
mod recipients;
mod reveal;
mod shelf;
#[cfg(test)]
mod tests;
mod welcome;

use axum::routing::{get, post};

use crate::routes::{Access, Route};

pub use page::error_page;
pub use welcome::{first_invitation, invite};

/// Returns the routes of the pages.
#[must_use]
pub fn routes() -> Vec<Route> {
    use Access::{Anyone, SignedIn};
    vec![
        Route::get("/", Anyone, get(home::home)),
        Route::get("/assets/{hash}/{name}", Anyone, get(shelf::asset)),
        Route::get("/welcome", Anyone, get(welcome::show)),
        Route::post("/welcome/account", Anyone, post(welcome::make)),
        Route::post("/welcome/passkey", Anyone, post(passkeys::ask_first)),
        Route::get("/sign-in", Anyone, get(enter::show)),
        Route::post("/sign-in/enter", Anyone, post(enter::enter)),
        Route::post("/sign-in/passkey", Anyone, post(passkeys::ask)),
        Route::post("/sign-out", SignedIn, post(enter::leave)),
        Route::get("/keys/{id}", SignedIn, get(key::show)),
        Route::post("/keys/{id}/reveal", SignedIn, post(reveal::reveal)),
        Route::get("/devices", SignedIn, get(devices::show)),
        Route::post("/devices/code", SignedIn, post(devices::code)),
        Route::post("/devices/confirm", SignedIn, post(devices::confirm)),
        Route::post("/devices/refuse", SignedIn, post(devices::refuse)),
        Route::post("/devices/revoke", SignedIn, post(devices::revoke)),
        Route::get("/account", SignedIn, get(account::show)),
        Route::post("/account/password", SignedIn, post(account::password)),
        Route::post("/account/one-time", SignedIn, post(one_time::show)),
        Route::post("/account/one-time/confirm", SignedIn, post(one_time::confirm)),
        Route::post("/account/one-time/remove", SignedIn, post(one_time::remove)),
        Route::post("/account/code", SignedIn, post(account::code)),
        Route::post("/account/notices", SignedIn, post(account::notices)),
        Route::post("/account/sessions/end", SignedIn, post(account::end_session)),
        Route::post("/account/passkeys/ask", SignedIn, post(passkeys::ask_new)),
        Route::post("/account/passkeys/add", SignedIn, post(passkeys::add)),
        Route::post("/account/passkeys/remove", SignedIn, post(passkeys::remove)),
        Route::post("/account/recipients/add", SignedIn, post(recipients::add)),
        Route::post("/account/recipients/remove", SignedIn, post(recipients::remove)),
        Route::post("/account/recipients/seal", SignedIn, post(recipients::seal)),
        Route::post("/account/export", SignedIn, post(export::export)),
        Route::post("/account/delete", SignedIn, post(danger::delete)),
        Route::get("/history", SignedIn, get(history::show)),
    ]
}
