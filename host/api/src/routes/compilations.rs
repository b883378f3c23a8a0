//! Compilations and their requests.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::limit;
use super::takeovers::PageQuery;
use crate::extract::{NameIn, Params};
use crate::host::RequestFilter;
use crate::problem::Answer;
use crate::router::Shared;
use crate::wire::{Compilation, Outcome, Page, Problem, RequestLine, RequestState};

/// Compilations, newest first.
#[utoipa::path(get, path = "/api/v1/compilations", tag = "compilations", params(PageQuery), responses(
    (status = 200, description = "One page of compilations", body = Page<Compilation>),
))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(query): Params<PageQuery>,
) -> Answer<Json<Page<Compilation>>> {
    Ok(Json(shared.host.compilations(query.filter()?).await?))
}

/// One compilation, with its requests counted.
#[utoipa::path(get, path = "/api/v1/compilations/{round}", tag = "compilations", params(("round" = String, Path)), responses(
    (status = 200, description = "The compilation", body = Compilation),
    (status = 404, description = "No such compilation", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn one(State(shared): State<Shared>, NameIn(round): NameIn) -> Answer<Json<Compilation>> {
    Ok(Json(find(&shared, &round).await?))
}

/// Which requests.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestQuery {
    /// That got exactly so far on the first.
    #[param(inline)]
    state: Option<RequestState>,
    /// That ended so on the second; `unsettled`: whose outcome is not known yet.
    #[param(inline)]
    outcome: Option<OutcomeQuery>,
    /// Whose client begins with this text.
    client: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Not more than this: 1 to 1000, 100 when not given.
    limit: Option<u32>,
}

/// An outcome, or none yet.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutcomeQuery {
    Completed,
    Resumed,
    Replayed,
    ClientRetries,
    Refused,
    Lost,
    Unsettled,
}

impl OutcomeQuery {
    fn outcome(self) -> Option<Outcome> {
        match self {
            OutcomeQuery::Completed => Some(Outcome::Completed),
            OutcomeQuery::Resumed => Some(Outcome::Resumed),
            OutcomeQuery::Replayed => Some(Outcome::Replayed),
            OutcomeQuery::ClientRetries => Some(Outcome::ClientRetries),
            OutcomeQuery::Refused => Some(Outcome::Refused),
            OutcomeQuery::Lost => Some(Outcome::Lost),
            OutcomeQuery::Unsettled => None,
        }
    }
}

/// The requests of a compilation, in the order in which they were listed.
#[utoipa::path(get, path = "/api/v1/compilations/{round}/requests", tag = "compilations", params(("round" = String, Path), RequestQuery), responses(
    (status = 200, description = "One page of requests", body = Page<RequestLine>),
    (status = 404, description = "No such compilation", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn requests(
    State(shared): State<Shared>,
    NameIn(round): NameIn,
    Params(query): Params<RequestQuery>,
) -> Answer<Json<Page<RequestLine>>> {
    let filter = RequestFilter {
        state: query.state.map(Into::into),
        outcome: query.outcome.and_then(OutcomeQuery::outcome).map(Into::into),
        unsettled: query.outcome == Some(OutcomeQuery::Unsettled),
        client: query.client.filter(|client| !client.is_empty()),
        cursor: query.cursor,
        limit: limit(query.limit)?,
    };
    find(&shared, &round).await?;
    Ok(Json(shared.host.requests(&round, filter).await?))
}

async fn find(shared: &Shared, round: &str) -> Answer<Compilation> {
    let unknown = || {
        Box::new(Problem::not_found(format!(
            "there is no compilation {round:?} on record here"
        )))
    };
    shared.host.compilation(round).await?.ok_or_else(unknown)
}
