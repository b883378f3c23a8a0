//! The API's description, made from the handlers and the JSON types themselves.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::routes::{checks, compilations, events, faults, hosts, journal, orders, pauses, services, takeovers};
use crate::wire::{HostView, JournalLine, Problem};

/// `/openapi.json`.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "understudy",
        description = "Take over services from servers that must shut down. Fields are snake_case, words of closed lists \
            kebab-case, times whole milliseconds since the Unix epoch; what is not known is null. Errors are problem \
            documents (RFC 9457). Orders take an `Idempotency-Key`."
    ),
    paths(
        checks::livez, checks::readyz, checks::active, checks::metrics, checks::document,
        hosts::list, hosts::one,
        services::list, services::one, services::newest_takeover,
        orders::takeover, orders::giveback, orders::cure, orders::cancel, orders::bootstrap,
        pauses::pause_service, pauses::unpause_service, pauses::pause_host, pauses::unpause_host,
        pauses::pause_cluster, pauses::unpause_cluster,
        takeovers::list, takeovers::one, takeovers::cancel, takeovers::bundle, takeovers::proof,
        compilations::list, compilations::one, compilations::requests,
        faults::list, journal::list, events::stream,
    ),
    components(schemas(HostView, JournalLine, Problem)),
    modifiers(&Security),
    security((), ("token" = [])),
)]
pub(crate) struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::router::Tables;

    fn routed() -> BTreeSet<String> {
        let tables = Tables::default();
        let lists = [&tables.checks.list, &tables.guarded.list, &tables.streams.list];
        lists
            .into_iter()
            .flatten()
            .map(|(method, path)| format!("{method} {path}"))
            .collect()
    }

    fn documented() -> BTreeSet<String> {
        let document = serde_json::to_value(Document::openapi()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let methods = |(path, item): (&String, &serde_json::Value)| {
            let names = item.as_object().unwrap().keys();
            names
                .map(|method| format!("{} {path}", method.to_uppercase()))
                .collect::<Vec<_>>()
        };
        paths.iter().flat_map(methods).collect()
    }

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        assert_eq!(routed(), documented());
        assert!(routed().len() > 20);
    }

    #[test]
    fn every_reference_is_defined() {
        let document = serde_json::to_value(Document::openapi()).unwrap();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let names = text
            .split("#/components/schemas/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        let missing: BTreeSet<&str> = names.filter(|name| !schemas.contains_key(*name)).collect();
        assert!(missing.is_empty(), "not defined: {missing:?}");
        assert!(schemas.contains_key("Takeover") && schemas.contains_key("RequestLine"));
    }
}
