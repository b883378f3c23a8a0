//! Checks for machines: is the daemon alive, is it ready, does this host serve; its metrics and its document.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::extract::ServiceIn;
use crate::openapi::Document;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{ActiveAnswer, Problem};

/// Alive: the daemon answers.
#[utoipa::path(get, path = "/livez", tag = "checks", security(()), responses((status = 200, description = "Alive", content_type = "text/plain")))]
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// Ready: the daemon does its work.
#[utoipa::path(get, path = "/readyz", tag = "checks", security(()), responses(
    (status = 200, description = "Ready", content_type = "text/plain"),
    (status = 503, description = "Not ready, and why", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(State(shared): State<Shared>) -> Answer<&'static str> {
    shared
        .host
        .ready()
        .map(|()| "ready\n")
        .map_err(|because| Box::new(Problem::unavailable(because)))
}

/// Whether this host serves the service: a check for load balancers.
#[utoipa::path(get, path = "/api/v1/services/{service}/active", tag = "checks", security(()), params(("service" = String, Path)), responses(
    (status = 200, description = "This host serves it", body = ActiveAnswer),
    (status = 503, description = "It does not", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It knows no such service", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn active(State(shared): State<Shared>, ServiceIn(service): ServiceIn) -> Answer<Json<ActiveAnswer>> {
    let view = shared.host.view().borrow().clone();
    let me = view.iter().find(|host| host.me);
    let found = me.and_then(|host| host.services.iter().find(|view| view.service == service.as_str()));
    let Some(view) = found else {
        return Err(Box::new(Problem::unknown_service(service.as_str())));
    };
    if view.serves {
        return Ok(Json(ActiveAnswer {
            active: shared.host.name().to_string(),
        }));
    }
    let elsewhere = view
        .active
        .as_ref()
        .map_or_else(|| "nobody is known to be".to_owned(), |host| format!("{host} is"));
    Err(Box::new(Problem::unavailable(format!(
        "this host is not active for {service}; {elsewhere}"
    ))))
}

/// The metrics, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "checks", responses((status = 200, description = "Metrics", content_type = "text/plain")))]
pub(crate) async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    let media_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, media_type)], shared.host.metrics())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "checks", responses((status = 200, description = "The API's description, OpenAPI 3.1", content_type = "application/json")))]
pub(crate) async fn document() -> Json<Value> {
    Json(serde_json::to_value(Document::openapi()).unwrap_or_else(|error| json!({ "error": error.to_string() })))
}
