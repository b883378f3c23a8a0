//! Orders of an operator. Each is handed to the machine, which accepts it (202: it is under way, not done) or refuses
//! it (409, with the reason as data).

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, request::Parts};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use understudy_protocol::{HostName, Order, ServiceName};

use crate::extract::{Body, ServiceIn};
use crate::guard::RequestId;
use crate::host::{Caller, Host, KeptAnswer, Wish};
use crate::idempotency::{self, fingerprint};
use crate::overview::now_ms;
use crate::problem::{Answer, MEDIA_TYPE};
use crate::router::Shared;
use crate::serve::RemoteAddress;
use crate::wire::{
    Accepted, BootstrapRequest, CancelRequest, CureRequest, GivebackRequest, HostView, OrderKind, Problem, Rehearsal,
    TakeoverRequest,
};

/// Moves the service to another host. With `confirm_stopped`, `force` or `override_stay_down`, the answering host takes it
/// by force: although others are silent, nobody holds it, or it is ordered to stay down.
#[utoipa::path(post, path = "/api/v1/services/{service}/takeover", tag = "orders", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = TakeoverRequest, responses(
    (status = 200, description = "With `dry_run`: what would come of it", body = Rehearsal),
    (status = 202, description = "Accepted; `Location` names the operation", body = Accepted, headers(("Location" = String))),
    (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A field is not valid", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn takeover(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<TakeoverRequest>,
) -> Answer<Response> {
    let request = body.value;
    let caller = sender.caller(request.by)?;
    let reason = short_text("reason", &request.reason, MAX_REASON)?;
    let to = request.to.map(|host| host_name("to", &host)).transpose()?;
    let by = caller.by.clone();
    let forced = request.force || request.override_stay_down || !request.confirm_stopped.is_empty();
    if request.dry_run {
        let by_force = "a takeover by force rests on your word alone, which can't be rehearsed";
        if forced {
            return Err(Box::new(Problem::invalid("dry_run", by_force)));
        }
        let wish = Wish {
            to,
            giveback: false,
            by,
            override_vetoes: request.override_vetoes,
        };
        return rehearse(&shared, service, wish).await;
    }
    let order = if !forced {
        Order::TakeOver {
            to,
            by,
            reason,
            override_vetoes: request.override_vetoes,
        }
    } else if request.override_vetoes {
        let detail = "override_vetoes is for a takeover that a candidate may decline; nobody is asked in a forced one";
        return Err(Box::new(Problem::invalid("override_vetoes", detail)));
    } else {
        require_here(shared.host.name(), to)?;
        let name = |host: &String| host_name("confirm_stopped", host);
        Order::Force {
            stopped: request.confirm_stopped.iter().map(name).collect::<Answer<_>>()?,
            by,
            reason,
            at: now_ms() / 1000,
            override_stay_down: request.override_stay_down,
        }
    };
    give(shared, sender, service, OrderKind::Takeover, order, caller, &body.bytes).await
}

async fn rehearse(shared: &Shared, service: ServiceName, wish: Wish) -> Answer<Response> {
    let unknown = || Box::new(Problem::unknown_service(service.as_str()));
    let rehearsal = shared.host.rehearse(service.clone(), wish).await?;
    Ok(Json(rehearsal.ok_or_else(unknown)?).into_response())
}

/// Moves the service home.
#[utoipa::path(post, path = "/api/v1/services/{service}/giveback", tag = "orders", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = GivebackRequest, responses(
    (status = 200, description = "With `dry_run`: what would come of it", body = Rehearsal),
    (status = 202, description = "Accepted; `Location` names the operation", body = Accepted, headers(("Location" = String))),
    (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn giveback(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<GivebackRequest>,
) -> Answer<Response> {
    let caller = sender.caller(body.value.by)?;
    if body.value.dry_run {
        let wish = Wish {
            to: None,
            giveback: true,
            by: caller.by,
            override_vetoes: body.value.override_vetoes,
        };
        return rehearse(&shared, service, wish).await;
    }
    let order = Order::Giveback {
        by: caller.by.clone(),
        reason: reason_or_none(body.value.reason)?,
        override_vetoes: body.value.override_vetoes,
    };
    give(shared, sender, service, OrderKind::Giveback, order, caller, &body.bytes).await
}

/// Says that the fault of the answering host is cured.
#[utoipa::path(post, path = "/api/v1/services/{service}/cure", tag = "orders", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = CureRequest, responses(
    (status = 202, description = "Accepted", body = Accepted, headers(("Location" = String))),
    (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn cure(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<CureRequest>,
) -> Answer<Response> {
    let caller = sender.caller(body.value.by)?;
    let order = Order::Cure {
        by: caller.by.clone(),
        reason: reason_or_none(body.value.reason)?,
    };
    give(shared, sender, service, OrderKind::Cure, order, caller, &body.bytes).await
}

/// Ends the takeover under way, as long as the service is not released.
#[utoipa::path(post, path = "/api/v1/services/{service}/cancel", tag = "orders", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = CancelRequest, responses(
    (status = 202, description = "Accepted", body = Accepted, headers(("Location" = String))),
    (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn cancel(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<CancelRequest>,
) -> Answer<Response> {
    let caller = sender.caller(body.value.by)?;
    let order = Order::Cancel {
        by: caller.by.clone(),
        reason: reason_or_none(body.value.reason)?,
    };
    give(shared, sender, service, OrderKind::Cancel, order, caller, &body.bytes).await
}

/// Starts the service for the first time, on the answering host.
#[utoipa::path(post, path = "/api/v1/services/{service}/bootstrap", tag = "orders", params(("service" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = BootstrapRequest, responses(
    (status = 202, description = "Accepted", body = Accepted, headers(("Location" = String))),
    (status = 409, description = "Refused", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn bootstrap(
    State(shared): State<Shared>,
    ServiceIn(service): ServiceIn,
    sender: Sender,
    body: Body<BootstrapRequest>,
) -> Answer<Response> {
    let caller = sender.caller(body.value.by)?;
    let order = Order::Bootstrap {
        by: caller.by.clone(),
        at: now_ms() / 1000,
        reason: reason_or_none(body.value.reason)?,
    };
    give(
        shared,
        sender,
        service,
        OrderKind::Bootstrap,
        order,
        caller,
        &body.bytes,
    )
    .await
}

/// Who sent a request, and what identifies it.
pub(crate) struct Sender {
    headers: HeaderMap,
    method: Method,
    uri: Uri,
    address: Option<RemoteAddress>,
    request_id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Sender {
            headers: parts.headers.clone(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            address: parts.extensions.get::<RemoteAddress>().copied(),
            request_id: parts
                .extensions
                .get::<RequestId>()
                .map(|id| id.0.clone())
                .unwrap_or_default(),
        })
    }
}

impl Sender {
    pub(crate) fn method(&self) -> &str {
        self.method.as_str()
    }

    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The caller under the name given, else under its address.
    pub(crate) fn caller(&self, by: Option<String>) -> Answer<Caller> {
        let address = self.address.map(|RemoteAddress(address)| address);
        let from_address = || address.map_or_else(|| "api".to_owned(), |address| format!("api@{}", address.ip()));
        let by = by
            .map(|by| short_text("by", &by, MAX_BY))
            .transpose()?
            .unwrap_or_else(from_address);
        Ok(Caller {
            by,
            address,
            request_id: self.request_id.clone(),
        })
    }
}

/// Hands an order over, once for each `Idempotency-Key`.
pub(crate) async fn give(
    shared: Shared,
    sender: Sender,
    service: ServiceName,
    kind: OrderKind,
    order: Order,
    caller: Caller,
    body: &Bytes,
) -> Answer<Response> {
    let digest = fingerprint(sender.method.as_str(), sender.uri.path(), body);
    let host = shared.host.clone();
    tracing::info!(%service, order = ?kind, by = caller.by, "an operator gives an order");
    let work = async move {
        let answer = carry_out(&*host, service, kind, order, caller).await;
        answer.map_or_else(|problem| kept_problem(&problem), |accepted| kept_accepted(&accepted))
    };
    idempotency::once(shared.host, shared.keys, &sender.headers, digest, work).await
}

async fn carry_out(
    host: &dyn Host,
    service: ServiceName,
    kind: OrderKind,
    order: Order,
    caller: Caller,
) -> Answer<Accepted> {
    let opens_round = matches!(order, Order::TakeOver { .. } | Order::Giveback { .. });
    let before = rounds(&host.view().borrow(), service.as_str());
    host.order(service.clone(), order, caller).await?;
    let takeover = if opens_round {
        new_round(host, &service, &before).await
    } else {
        None
    };
    let location = match (&takeover, kind) {
        (Some(id), _) => format!("/api/v1/takeovers/{id}"),
        (None, OrderKind::Takeover | OrderKind::Giveback) => format!("/api/v1/services/{service}/takeover"),
        (None, OrderKind::Cure | OrderKind::Cancel | OrderKind::Bootstrap | OrderKind::Pause | OrderKind::Unpause) => {
            format!("/api/v1/services/{service}")
        }
    };
    Ok(Accepted {
        order: kind,
        service: service.to_string(),
        takeover,
        location,
    })
}

/// The id of the takeover that an order opened: as soon as any host shows one that was not there before.
async fn new_round(host: &dyn Host, service: &ServiceName, before: &[String]) -> Option<String> {
    let mut view = host.view();
    let mut seen = None;
    let opened = view.wait_for(|hosts| {
        seen = rounds(hosts, service.as_str())
            .into_iter()
            .find(|round| !before.contains(round));
        seen.is_some()
    });
    let _in_time = tokio::time::timeout(ROUND_WAIT, opened).await;
    seen
}

/// The rounds that hosts within reach show for a service.
fn rounds(hosts: &[HostView], service: &str) -> Vec<String> {
    let reachable = hosts.iter().filter(|host| host.me || host.reachable);
    let views = reachable
        .flat_map(|host| &host.services)
        .filter(|view| view.service == service);
    views.filter_map(|view| view.takeover.as_ref()?.round.clone()).collect()
}

fn kept_accepted(accepted: &Accepted) -> KeptAnswer {
    let body = serde_json::to_string(accepted).unwrap_or_default();
    kept(
        StatusCode::ACCEPTED,
        Some(accepted.location.clone()),
        "application/json",
        body,
    )
}

pub(crate) fn kept_problem(problem: &Problem) -> KeptAnswer {
    kept(problem.status_code(), None, MEDIA_TYPE, problem.body())
}

pub(crate) fn kept(status: StatusCode, location: Option<String>, content_type: &str, body: String) -> KeptAnswer {
    let content_type = content_type.to_owned();
    KeptAnswer {
        request_digest: String::new(),
        status: status.as_u16(),
        location,
        content_type,
        body,
    }
}

/// A forced takeover is made by the host that is asked: no other can vouch for what it hears.
fn require_here(here: HostName, to: Option<HostName>) -> Answer<()> {
    let detail = |to| format!("a takeover with confirm_stopped is made by the host that is asked: ask {to} itself");
    match to {
        Some(to) if to != here => Err(Box::new(Problem::invalid("to", detail(to)))),
        Some(_) | None => Ok(()),
    }
}

fn host_name(field: &str, text: &str) -> Answer<HostName> {
    HostName::new(text).map_err(|error| Box::new(Problem::invalid(field, format!("{field}: {error}"))))
}

/// A reason where one was given.
pub(crate) fn reason_or_none(reason: Option<String>) -> Answer<String> {
    reason.map_or_else(
        || Ok(NO_REASON.to_owned()),
        |text| short_text("reason", &text, MAX_REASON),
    )
}

pub(crate) fn short_text(field: &str, text: &str, max: usize) -> Answer<String> {
    let text = text.trim();
    let fits = (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let detail = || format!("{field} must be one line of 1 to {max} characters");
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Box::new(Problem::invalid(field, detail())))
    }
}

/// How long an answer waits for the takeover that an order opens, to name it. The order itself is accepted by then.
const ROUND_WAIT: Duration = Duration::from_secs(1);

/// What stands in the journal where nobody said why.
const NO_REASON: &str = "no reason given";

/// Names and reasons are for the journal, not for essays.
const MAX_BY: usize = 100;

pub(crate) const MAX_REASON: usize = 500;
