//! The table of all routes: what there is, and who may.
//!
//! The router is made of this table, and so is the test that tries every route as a stranger.

use axum::Router;
use axum::http::Method;
use axum::routing::MethodRouter;

use crate::app::App;
use crate::{again, gate, pages};

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
    /// Everybody on this computer: the door itself, and the style of its page.
    Anyone,
    /// Who has come in.
    Inside,
    /// Another start of the program by the same person.
    Program,
}

impl Route {
    /// A page that shows something.
    pub fn get(path: &'static str, handler: MethodRouter<App>) -> Self {
        Self { method: Method::GET, path, access: Access::Inside, handler }
    }

    /// A form that does something.
    pub fn post(path: &'static str, handler: MethodRouter<App>) -> Self {
        Self { method: Method::POST, path, access: Access::Inside, handler }
    }

    /// The same for everybody.
    #[must_use]
    pub fn for_anyone(self) -> Self {
        Self { access: Access::Anyone, ..self }
    }

    /// The same for another start of the program, and for no browser.
    #[must_use]
    pub fn for_programs(self) -> Self {
        Self { access: Access::Program, ..self }
    }
}

/// Returns all routes.
#[must_use]
pub fn all() -> Vec<Route> {
    [pages::routes(), again::routes()].into_iter().flatten().collect()
}

/// Makes the router, with the gate before it.
pub fn router(app: &App) -> Router {
    let routes = all().into_iter().fold(Router::new(), |router, Route { path, handler, access, .. }| {
        router.route(path, gate::guard(handler, access, app))
    });
    gate::before(routes.with_state(app.clone()), app)
}
