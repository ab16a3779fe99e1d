//! What is noted of a request that is refused though it is certain who asked.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::Response;

use super::Entry;
use crate::app::App;
use crate::error::Error;
use crate::gate::{From, RouteName};
use crate::store::Whose;

/// Who makes a request: what has checked that says so, and whoever looks at the answer knows.
#[derive(Clone, Debug, Default)]
pub struct Asker(Arc<OnceLock<(String, Option<String>)>>);

impl Asker {
    /// Says which account a request is of, and which device of it, once that is certain.
    pub fn tell(extensions: &Extensions, account: &str, device: Option<&str>) {
        if let Some(Self(asker)) = extensions.get() {
            // It is said once; a second time would say the same.
            let _ = asker.set((account.to_owned(), device.map(str::to_owned)));
        }
    }
}

/// Notes what is refused to somebody who is known: a request that was made before, a device that was shut out, a record
/// that is another's.
pub async fn note_refused(
    State(app): State<App>,
    From(from): From,
    mut request: Request,
    next: Next,
) -> Response {
    let asker = Asker::default();
    request.extensions_mut().insert(asker.clone());
    let response = next.run(request).await;
    let Some((account, device)) = asker.0.get() else { return response };
    let error = response.extensions().get::<Arc<Error>>();
    let Some(error) = error.filter(|error| error.status().is_client_error()) else { return response };
    let route = response.extensions().get::<RouteName>().map_or("", |route| route.0);
    let Some(act) = act(route, error) else { return response };
    // The word for it, not the sentence: there may be something of the request in that.
    let mut entry = Entry::refused(act, error.code()).account(account).from(from);
    entry.device.clone_from(device);
    app.store.note_refusal(Whose::Known(device.as_ref().unwrap_or(account)), entry).await;
    response
}

/// Returns the act that a refused request was to be, if it is one of those that nothing else notes.
fn act(route: &str, error: &Error) -> Option<&'static str> {
    match route {
        "/api/v1/records" => Some("record.add"),
        "/api/v1/check-ins" => Some("check-in"),
        _ if route.starts_with("/api/") => Some("device.request"),
        // No record, or another's.
        _ if route.starts_with("/keys/") => matches!(error, Error::NotFound).then_some("key.ask"),
        "/devices/code" | "/devices/confirm" => Some("device.confirm"),
        "/devices/refuse" => Some("device.refuse"),
        "/devices/revoke" => Some("device.revoke"),
        "/account/sessions/end" => Some("session.end"),
        "/account/passkeys/add" => Some("passkey.add"),
        "/account/passkeys/remove" => Some("passkey.remove"),
        "/account/recipients/add" => Some("recipient.add"),
        "/account/recipients/remove" => Some("recipient.remove"),
        _ => None,
    }
}
