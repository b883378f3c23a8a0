//! The hosts, each with its own word about itself.

use axum::Json;
use axum::extract::State;

use crate::extract::NameIn;
use crate::overview;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{HostView, Problem};

/// All hosts: this one first, then every peer with its last word and its age.
#[utoipa::path(get, path = "/api/v1/hosts", tag = "hosts", responses((status = 200, description = "The hosts", body = Vec<HostView>)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<Vec<HostView>> {
    let view = shared.host.view().borrow().clone();
    Json(overview::aged(&view))
}

/// One host.
#[utoipa::path(get, path = "/api/v1/hosts/{host}", tag = "hosts", params(("host" = String, Path)), responses(
    (status = 200, description = "The host", body = HostView),
    (status = 404, description = "No such host", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(State(shared): State<Shared>, NameIn(name): NameIn) -> Answer<Json<HostView>> {
    let view = shared.host.view().borrow().clone();
    let found = overview::aged(&view).into_iter().find(|host| host.host == name);
    found.map(Json).ok_or_else(|| {
        Box::new(Problem::not_found(format!(
            "there is no host {name:?}; see /api/v1/hosts"
        )))
    })
}
