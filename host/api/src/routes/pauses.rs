//! Pauses: of one service, of every service on the answering host, of every service of the cluster.
//!
//! Invariant: a pause of several services is an order to each; what one refuses does not keep the others from it.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use understudy_protocol::{Order, PauseScope, ServiceName};

use super::orders::{MAX_REASON, Sender, give, kept, kept_problem, reason_or_none, short_text};
use crate::extract::{Body, NameIn, ServiceIn};
use crate::host::{Caller, Host, OrderError};
use crate::idempotency::{self, fingerprint};
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{Accepted, OrderKind, PauseAnswer, PauseRequest, Problem, ServicePaused, UnpauseRequest};

/// Pauses a service on every host: it does not move by itself any more.
#[utoipa::path(post, path = "/api/v1/services/{service}/pause", tag = "pauses", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = PauseRequest, responses(
    (status = 202, description = "Accepted", body = Accepted, headers(("Location" = String))),
    (status = 422, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn pause_service(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<PauseRequest>,
) -> Answer<Response> {
    let (caller, order) = pause(PauseScope::Service, &sender, body.value)?;
    give(shared, sender, service, OrderKind::Pause, order, caller, &body.bytes).await
}

/// Ends the pause of a service, the flap guard's too.
#[utoipa::path(delete, path = "/api/v1/services/{service}/pause", tag = "pauses", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 202, description = "Accepted", body = Accepted, headers(("Location" = String))),
    (status = 409, description = "It is not paused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn unpause_service(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<UnpauseRequest>,
) -> Answer<Response> {
    let (caller, order) = unpause(PauseScope::Service, &sender, body.value)?;
    give(shared, sender, service, OrderKind::Unpause, order, caller, &body.bytes).await
}

/// Pauses the answering host: nothing moves to it or away from it by itself any more.
#[utoipa::path(post, path = "/api/v1/hosts/{host}/pause", tag = "pauses", params(("host" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = PauseRequest, responses(
    (status = 200, description = "Done, service by service", body = PauseAnswer),
    (status = 422, description = "A field is not valid, or the host is another one", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn pause_host(
    State(shared): State<Shared>,
    NameIn(host): NameIn,
    sender: Sender,
    body: Body<PauseRequest>,
) -> Answer<Response> {
    require_this(&shared, &host)?;
    let (caller, order) = pause(PauseScope::Host, &sender, body.value)?;
    give_all(shared, sender, order, caller, &body.bytes).await
}

/// Ends the pause of the answering host.
#[utoipa::path(delete, path = "/api/v1/hosts/{host}/pause", tag = "pauses", params(("host" = String, Path), ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 200, description = "Done, service by service", body = PauseAnswer),
    (status = 409, description = "It is not paused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn unpause_host(
    State(shared): State<Shared>,
    NameIn(host): NameIn,
    sender: Sender,
    body: Body<UnpauseRequest>,
) -> Answer<Response> {
    require_this(&shared, &host)?;
    let (caller, order) = unpause(PauseScope::Host, &sender, body.value)?;
    give_all(shared, sender, order, caller, &body.bytes).await
}

/// Pauses the cluster: every service of the answering host, on every host.
#[utoipa::path(post, path = "/api/v1/pause", tag = "pauses", params(("Idempotency-Key" = Option<String>, Header)), request_body = PauseRequest, responses(
    (status = 200, description = "Done, service by service", body = PauseAnswer),
    (status = 422, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn pause_cluster(
    State(shared): State<Shared>,
    sender: Sender,
    body: Body<PauseRequest>,
) -> Answer<Response> {
    let (caller, order) = pause(PauseScope::Cluster, &sender, body.value)?;
    give_all(shared, sender, order, caller, &body.bytes).await
}

/// Ends the pause of the cluster.
#[utoipa::path(delete, path = "/api/v1/pause", tag = "pauses", params(("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 200, description = "Done, service by service", body = PauseAnswer),
    (status = 409, description = "It is not paused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn unpause_cluster(
    State(shared): State<Shared>,
    sender: Sender,
    body: Body<UnpauseRequest>,
) -> Answer<Response> {
    let (caller, order) = unpause(PauseScope::Cluster, &sender, body.value)?;
    give_all(shared, sender, order, caller, &body.bytes).await
}

fn pause(scope: PauseScope, sender: &Sender, request: PauseRequest) -> Answer<(Caller, Order)> {
    let caller = sender.caller(request.by)?;
    let reason = short_text("reason", &request.reason, MAX_REASON)?;
    let fits = request.for_ms.is_none_or(|ms| (1..=MAX_PAUSE_MS).contains(&ms));
    if !fits {
        let detail = format!("for_ms must be 1 to {MAX_PAUSE_MS} (a year); leave it out for a pause without an end");
        return Err(Box::new(Problem::invalid("for_ms", detail)));
    }
    let order = Order::Pause {
        scope,
        by: caller.by.clone(),
        reason,
        lasts: request.for_ms.map(Duration::from_millis),
    };
    Ok((caller, order))
}

fn unpause(scope: PauseScope, sender: &Sender, request: UnpauseRequest) -> Answer<(Caller, Order)> {
    let caller = sender.caller(request.by)?;
    let order = Order::Unpause {
        scope,
        by: caller.by.clone(),
        reason: reason_or_none(request.reason)?,
    };
    Ok((caller, order))
}

/// A host is paused by itself: nobody else knows what is done to it.
fn require_this(shared: &Shared, host: &str) -> Answer<()> {
    let here = shared.host.name();
    if here.as_str() == host {
        return Ok(());
    }
    let detail = format!("this is {here}; a host is paused by asking it: ask {host} itself");
    Err(Box::new(Problem::invalid("host", detail)))
}

/// The order to every service of the answering host, once for each `Idempotency-Key`.
async fn give_all(
    shared: Shared,
    sender: Sender,
    order: Order,
    caller: Caller,
    body: &bytes::Bytes,
) -> Answer<Response> {
    let digest = fingerprint(sender.method(), sender.path(), body);
    let host = shared.host.clone();
    let work = async move {
        match carry_out(&*host, order, caller).await {
            Ok(answer) => {
                let body = serde_json::to_string(&answer).unwrap_or_default();
                kept(StatusCode::OK, None, "application/json", body)
            }
            Err(problem) => kept_problem(&problem),
        }
    };
    idempotency::once(shared.host, shared.keys, sender.headers(), digest, work).await
}

async fn carry_out(host: &dyn Host, order: Order, caller: Caller) -> Answer<PauseAnswer> {
    let scope = match &order {
        Order::Pause { scope, .. } | Order::Unpause { scope, .. } => *scope,
        _ => return Err(Box::new(Problem::broken())),
    };
    let mut services = Vec::new();
    for service in own_services(host) {
        let refusal = match host.order(service.clone(), order.clone(), caller.clone()).await {
            Ok(()) => None,
            Err(OrderError::Refused(refusal)) => Some((&refusal).into()),
            Err(error) => return Err(error.into()),
        };
        services.push(ServicePaused {
            service: service.to_string(),
            refusal,
        });
    }
    // Nothing was done at all: the first reason stands for the others.
    let all_refused = services.iter().all(|service| service.refusal.is_some());
    if let Some(refusal) = services.iter().find_map(|service| service.refusal.clone())
        && all_refused
    {
        return Err(Box::new(Problem::refused(refusal)));
    }
    Ok(PauseAnswer {
        scope: scope.into(),
        services,
    })
}

fn own_services(host: &dyn Host) -> Vec<ServiceName> {
    let view = host.view().borrow().clone();
    let mine = view.iter().filter(|host| host.me).flat_map(|host| &host.services);
    mine.filter_map(|service| ServiceName::new(&service.service).ok())
        .collect()
}

const MAX_PAUSE_MS: u64 = 365 * 24 * 3_600_000;
