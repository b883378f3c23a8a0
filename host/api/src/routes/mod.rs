//! The routes, one file a subject. Handlers read a view or a record, or give an order; nothing else.

pub(crate) mod checks;
pub(crate) mod compilations;
pub(crate) mod events;
pub(crate) mod faults;
pub(crate) mod hosts;
pub(crate) mod journal;
pub(crate) mod orders;
pub(crate) mod pauses;
pub(crate) mod services;
pub(crate) mod takeovers;

use crate::problem::Answer;
use crate::router::Routes;
use crate::wire::Problem;

/// For load balancers and supervisors.
pub(crate) fn checks() -> Routes {
    Routes::default()
        .get("/livez", checks::livez)
        .get("/readyz", checks::readyz)
        .get("/api/v1/services/{service}/active", checks::active)
}

/// Everything else, but for streams.
pub(crate) fn guarded() -> Routes {
    Routes::default()
        .get("/metrics", checks::metrics)
        .get("/openapi.json", checks::document)
        .get("/api/v1/hosts", hosts::list)
        .get("/api/v1/hosts/{host}", hosts::one)
        .get("/api/v1/services", services::list)
        .get("/api/v1/services/{service}", services::one)
        .get("/api/v1/services/{service}/takeover", services::newest_takeover)
        .post("/api/v1/services/{service}/takeover", orders::takeover)
        .post("/api/v1/services/{service}/giveback", orders::giveback)
        .post("/api/v1/services/{service}/cure", orders::cure)
        .post("/api/v1/services/{service}/cancel", orders::cancel)
        .post("/api/v1/services/{service}/bootstrap", orders::bootstrap)
        .post("/api/v1/services/{service}/pause", pauses::pause_service)
        .delete("/api/v1/services/{service}/pause", pauses::unpause_service)
        .post("/api/v1/hosts/{host}/pause", pauses::pause_host)
        .delete("/api/v1/hosts/{host}/pause", pauses::unpause_host)
        .post("/api/v1/pause", pauses::pause_cluster)
        .delete("/api/v1/pause", pauses::unpause_cluster)
        .get("/api/v1/takeovers", takeovers::list)
        .get("/api/v1/takeovers/{id}", takeovers::one)
        .delete("/api/v1/takeovers/{id}", takeovers::cancel)
        .get("/api/v1/takeovers/{id}/bundle", takeovers::bundle)
        .get("/api/v1/takeovers/{id}/proof", takeovers::proof)
        .get("/api/v1/compilations", compilations::list)
        .get("/api/v1/compilations/{round}", compilations::one)
        .get("/api/v1/compilations/{round}/requests", compilations::requests)
        .get("/api/v1/faults", faults::list)
        .get("/api/v1/journal", journal::list)
}

/// What never ends by itself.
pub(crate) fn streams() -> Routes {
    Routes::default().get("/api/v1/events", events::stream)
}

/// The length to use: what is asked for, within reason.
fn limit(asked: Option<u32>) -> Answer<u32> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        limit => Err(Box::new(Problem::invalid(
            "limit",
            format!("limit is {limit}; give 1 to {MAX_LIMIT}"),
        ))),
    }
}

/// A list's length when none is asked for.
const DEFAULT_LIMIT: u32 = 100;

/// The longest list in one answer: about a megabyte.
const MAX_LIMIT: u32 = 1000;
