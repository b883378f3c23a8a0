//! The services, over all hosts.

use axum::Json;
use axum::extract::State;

use crate::extract::ServiceIn;
use crate::host::PageFilter;
use crate::overview;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{Problem, ServiceOverview, Takeover};

/// All services that any host knows, by name.
#[utoipa::path(get, path = "/api/v1/services", tag = "services", responses((status = 200, description = "The services", body = Vec<ServiceOverview>)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Json<Vec<ServiceOverview>> {
    let view = shared.host.view().borrow().clone();
    Json(overview::services(&view))
}

/// One service: who is active, each host's word, and where the words differ.
#[utoipa::path(get, path = "/api/v1/services/{service}", tag = "services", params(("service" = String, Path)), responses(
    (status = 200, description = "The service", body = ServiceOverview),
    (status = 404, description = "No such service", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(State(shared): State<Shared>, ServiceIn(service): ServiceIn) -> Answer<Json<ServiceOverview>> {
    let view = shared.host.view().borrow().clone();
    let found = overview::service(&view, service.as_str());
    found
        .map(Json)
        .ok_or_else(|| Box::new(Problem::unknown_service(service.as_str())))
}

/// The service's newest takeover, with its steps: the one under way, or the last.
#[utoipa::path(get, path = "/api/v1/services/{service}/takeover", tag = "services", params(("service" = String, Path)), responses(
    (status = 200, description = "The takeover", body = Takeover),
    (status = 404, description = "No such service, or it was never taken over", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn newest_takeover(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
) -> Answer<Json<Takeover>> {
    let filter = PageFilter {
        service: Some(service.clone()),
        cursor: None,
        limit: 1,
    };
    let newest = shared.host.takeovers(filter).await?.items.into_iter().next();
    let none = || {
        Box::new(Problem::not_found(format!(
            "this host has no record of a takeover of {service}"
        )))
    };
    let id = newest.ok_or_else(none)?.id;
    shared.host.takeover(&id).await?.map(Json).ok_or_else(none)
}
