//! Takeovers as operations: look one up, follow it, cancel it.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use understudy_protocol::{Order, ServiceName};
use utoipa::IntoParams;

use super::limit;
use super::orders::{Sender, give, reason_or_none};
use crate::extract::{Body, NameIn, Params, service_filter};
use crate::host::PageFilter;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{Accepted, CancelRequest, OrderKind, Page, Problem, ProofBundle, ProofReport, Takeover};

/// Which takeovers, or which compilations.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Of this service only.
    service: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Not more than this: 1 to 1000, 100 when not given.
    limit: Option<u32>,
}

impl PageQuery {
    pub(crate) fn filter(self) -> Answer<PageFilter> {
        let service = service_filter(self.service.as_deref())?;
        Ok(PageFilter {
            service,
            cursor: self.cursor,
            limit: limit(self.limit)?,
        })
    }
}

/// Takeovers, newest first, without their steps.
#[utoipa::path(get, path = "/api/v1/takeovers", tag = "takeovers", params(PageQuery), responses(
    (status = 200, description = "One page of takeovers", body = Page<Takeover>),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<Takeover>>> {
    Ok(Json(shared.host.takeovers(query.filter()?).await?))
}

/// One takeover, with its steps.
#[utoipa::path(get, path = "/api/v1/takeovers/{id}", tag = "takeovers", params(("id" = String, Path)), responses(
    (status = 200, description = "The takeover", body = Takeover),
    (status = 404, description = "No such takeover", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(State(shared): State<Shared>, NameIn(id): NameIn) -> Answer<Json<Takeover>> {
    Ok(Json(find(&shared, &id).await?))
}

/// The takeover's proof bundle: what each host recorded, signed by each. Asks the other hosts.
#[utoipa::path(get, path = "/api/v1/takeovers/{id}/bundle", tag = "takeovers", params(("id" = String, Path)), responses(
    (status = 200, description = "The bundle; hosts that can't be asked are named in it", body = ProofBundle),
    (status = 404, description = "No such takeover", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn bundle(State(shared): State<Shared>, NameIn(id): NameIn) -> Answer<Response> {
    let bundle = shared.host.proof_bundle(&id).await?.ok_or_else(|| unknown(&id))?;
    let name = format!("attachment; filename=\"takeover-{}.json\"", bundle.takeover);
    Ok(([(CONTENT_DISPOSITION, name)], Json(bundle)).into_response())
}

/// What verifying the takeover's proof bundle finds, by this host's authority.
#[utoipa::path(get, path = "/api/v1/takeovers/{id}/proof", tag = "takeovers", params(("id" = String, Path)), responses(
    (status = 200, description = "What each check found", body = ProofReport),
    (status = 404, description = "No such takeover", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn proof(State(shared): State<Shared>, NameIn(id): NameIn) -> Answer<Json<ProofReport>> {
    Ok(Json(shared.host.proof(&id).await?.ok_or_else(|| unknown(&id))?))
}

/// Cancels a takeover, as long as the service is not released.
#[utoipa::path(delete, path = "/api/v1/takeovers/{id}", tag = "takeovers", params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)), responses(
    (status = 202, description = "Accepted: it is being cancelled", body = Accepted, headers(("Location" = String))),
    (status = 404, description = "No such takeover", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is over, or past the point of no return", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn cancel(
    State(shared): State<Shared>,
    NameIn(id): NameIn,
    sender: Sender,
    body: Body<CancelRequest>,
) -> Answer<Response> {
    let takeover = find(&shared, &id).await?;
    let over = |because: String| {
        Err(Box::new(Problem::conflict(
            "over",
            "The takeover is not under way",
            because,
        )))
    };
    if takeover.state.is_final() {
        return over(format!("takeover {id} of {} has ended", takeover.service));
    }
    if let Some(other) = other_round(&shared, &takeover) {
        return over(format!(
            "takeover {other} of {} is under way, not {id}",
            takeover.service
        ));
    }
    let unknown = |_| Box::new(Problem::unknown_service(&takeover.service));
    let service = ServiceName::new(&takeover.service).map_err(unknown)?;
    let caller = sender.caller(body.value.by)?;
    let order = Order::Cancel {
        by: caller.by.clone(),
        reason: reason_or_none(body.value.reason)?,
    };
    give(shared, sender, service, OrderKind::Cancel, order, caller, &body.bytes).await
}

async fn find(shared: &Shared, id: &str) -> Answer<Takeover> {
    shared.host.takeover(id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> Box<Problem> {
    Box::new(Problem::not_found(format!(
        "there is no takeover {id:?} on record here"
    )))
}

/// The machine's order to cancel names no round: make sure that it hits the one that is meant.
fn other_round(shared: &Shared, takeover: &Takeover) -> Option<String> {
    let view = shared.host.view().borrow().clone();
    let mut views = view.iter().filter(|host| host.me).flat_map(|host| &host.services);
    let current = views
        .find(|view| view.service == takeover.service)?
        .takeover
        .as_ref()?
        .round
        .clone()?;
    (current != takeover.id).then_some(current)
}
