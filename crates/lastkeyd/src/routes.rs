//! The table of all routes: what there is, and who may.
//!
//! The router is made of this table, and so is the test that tries every route as everybody.

use axum::Router;
use axum::http::Method;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::MethodRouter;

use crate::app::App;
use crate::gate::{self, RouteName};
use crate::{api, audit, portal};

/// A route.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What answers.
    pub handler: MethodRouter<App>,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Anyone,
    /// A person who is signed in; others are sent to the sign-in page.
    SignedIn,
    /// A device of an account, by its signature; others get 401.
    Device,
    /// A device that is nobody's yet, by the signature of the key that it shows; others get 401.
    Stranger,
}

impl Route {
    /// A route that answers to GET.
    pub fn get(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self { method: Method::GET, path, access, handler }
    }

    /// A route that answers to POST.
    pub fn post(path: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self { method: Method::POST, path, access, handler }
    }
}

/// Returns all routes.
#[must_use]
pub fn all() -> Vec<Route> {
    let mut all = api::routes();
    all.extend(portal::routes());
    all
}

/// Makes the router, with the gate before it.
pub fn router(app: &App) -> Router {
    let routes = all().into_iter().fold(Router::new(), |router, Route { path, access, handler, .. }| {
        let named = handler.layer(map_response(move |mut response: Response| async move {
            response.extensions_mut().insert(RouteName(path));
            response
        }));
        let handler = match access {
            Access::SignedIn | Access::Device => {
                named.layer(from_fn_with_state(app.clone(), audit::note_refused))
            }
            Access::Anyone | Access::Stranger => named,
        };
        router.route(path, handler)
    });
    gate::before(routes.with_state(app.clone()), app)
}
