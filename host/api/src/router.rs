//! All routes in one list, and what a request passes before it reaches one.
//!
//! Invariant: a route exists only through [`Routes`], which keeps the list that the API's document is checked against.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodFilter, on};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::config::ApiConfig;
use crate::extract::MAX_BODY_BYTES;
use crate::guard::{Guard, finish, limit_time, on_panic, require_local_host, require_own_origin, require_token};
use crate::host::Host;
use crate::idempotency::UnderWay;
use crate::routes::{self, events};
use crate::ui;

/// What every handler gets.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) guard: Guard,
    pub(crate) keys: UnderWay,
    pub(crate) streams: Arc<Semaphore>,
}

/// The whole API with the page, ready for [`crate::serve`]. Check the settings first with [`ApiConfig::check`].
pub fn router(host: Arc<dyn Host>, config: ApiConfig) -> Router {
    let shared = Shared {
        host,
        guard: Guard::new(&config),
        keys: UnderWay::default(),
        streams: Arc::new(Semaphore::new(events::MAX_STREAMS)),
    };
    let tables = Tables::default();
    let guard = shared.guard.clone();
    let local = || from_fn_with_state(guard.clone(), require_local_host);
    let token = || from_fn_with_state(guard.clone(), require_token);
    let timed = |routes: Routes| routes.router.route_layer(from_fn(limit_time));

    let checks = timed(tables.checks).with_state(shared.clone());
    let guarded = timed(tables.guarded).merge(tables.streams.router).with_state(shared);
    let page = Router::new().fallback(ui::page).layer(local());

    checks
        .merge(guarded.route_layer(token()).route_layer(local()))
        .merge(page)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CompressionLayer::new())
        .layer(from_fn(require_own_origin))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(from_fn(finish))
}

/// The routes, by what they ask of a request.
pub(crate) struct Tables {
    /// For load balancers and supervisors: no token, any name.
    pub(crate) checks: Routes,
    /// With the token, where one is set.
    pub(crate) guarded: Routes,
    /// The same, without a time limit.
    pub(crate) streams: Routes,
}

impl Default for Tables {
    fn default() -> Self {
        Tables {
            checks: routes::checks(),
            guarded: routes::guarded(),
            streams: routes::streams(),
        }
    }
}

/// A router that knows its routes.
#[derive(Default)]
pub(crate) struct Routes {
    router: Router<Shared>,
    pub(crate) list: Vec<(Method, &'static str)>,
}

impl Routes {
    /// Adds a route that is read; `HEAD` comes with it.
    pub(crate) fn get<T: 'static, H: Handler<T, Shared>>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::GET, MethodFilter::GET, path, handler)
    }

    /// Adds a route that changes something.
    pub(crate) fn post<T: 'static, H: Handler<T, Shared>>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::POST, MethodFilter::POST, path, handler)
    }

    /// Adds a route that ends something.
    pub(crate) fn delete<T: 'static, H: Handler<T, Shared>>(self, path: &'static str, handler: H) -> Self {
        self.add(Method::DELETE, MethodFilter::DELETE, path, handler)
    }

    fn add<T: 'static, H: Handler<T, Shared>>(
        mut self,
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Self {
        self.list.push((method, path));
        Routes {
            router: self.router.route(path, on(filter, handler)),
            list: self.list,
        }
    }
}
