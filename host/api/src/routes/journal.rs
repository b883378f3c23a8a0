//! The journal: every step of the protocol with its reason.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use understudy_protocol::HostName;
use utoipa::IntoParams;

use super::limit;
use crate::extract::{Params, service_filter};
use crate::host::JournalFilter;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{JournalLine, Problem};

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalQuery {
    /// Of this host: for a peer, the lines it has told this one. Without it, this host's own.
    host: Option<String>,
    /// Of this service only.
    service: Option<String>,
    /// Of this round only.
    round: Option<String>,
    /// The lines after this number, the first `limit` of them.
    after: Option<u64>,
    /// The lines before this number.
    before: Option<u64>,
    /// Not more than this: 1 to 1000, 100 when not given.
    limit: Option<u32>,
}

/// Journal lines, oldest first: those after `after`, or else the last ones (before `before`).
#[utoipa::path(get, path = "/api/v1/journal", tag = "journal", params(JournalQuery), responses(
    (status = 200, description = "The lines", body = Vec<JournalLine>),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<JournalQuery>,
) -> Answer<Json<Vec<JournalLine>>> {
    let host = query.host.as_deref().map(HostName::new).transpose();
    let filter = JournalFilter {
        host: host.map_err(|error| Box::new(Problem::invalid("host", error.to_string())))?,
        service: service_filter(query.service.as_deref())?,
        round: query.round,
        after: query.after,
        before: query.before,
        limit: limit(query.limit)?,
    };
    Ok(Json(shared.host.journal(filter).await?))
}
