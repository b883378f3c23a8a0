//! Recorded faults.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::limit;
use crate::extract::{Params, service_filter};
use crate::host::FaultFilter;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{FaultRecord, Page};

/// Which faults.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultQuery {
    /// Of this service only.
    service: Option<String>,
    /// Only those that stand.
    standing: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Not more than this: 1 to 1000, 100 when not given.
    limit: Option<u32>,
}

/// Faults, newest first, with what was seen.
#[utoipa::path(get, path = "/api/v1/faults", tag = "faults", params(FaultQuery), responses(
    (status = 200, description = "One page of faults", body = Page<FaultRecord>),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<FaultQuery>,
) -> Answer<Json<Page<FaultRecord>>> {
    let filter = FaultFilter {
        service: service_filter(query.service.as_deref())?,
        standing: query.standing.unwrap_or(false),
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    Ok(Json(shared.host.faults(filter).await?))
}
