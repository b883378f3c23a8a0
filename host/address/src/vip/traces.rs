//! What a service's address has left in this machine's kernel, whoever put it there: for a look without a daemon.
//!
//! It must not judge: whether something belongs here is for those who know who serves.

use understudy_protocol::ServiceName;

use super::kernel::Kernel;
use super::rules::OURS;
use crate::nft::{Batch, Link};
use crate::{AddressError, VipConfig};

/// Something of a service's address in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The service; none: a table of ours that belongs to no configured service.
    pub service: Option<ServiceName>,
    /// What it is.
    pub kind: TraceKind,
    /// The interface, or the table as `nft list tables` shows it.
    pub place: String,
    /// The address, or what the table says of itself.
    pub what: String,
}

/// What a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceKind {
    /// An address on an interface: the host answers for it.
    Address,
    /// An address on `lo`: the host can serve under it and does not show it.
    Armed,
    /// A table of the packet filter.
    Table,
}

impl TraceKind {
    /// The kind's name in the CLI, kebab-case.
    pub fn as_str(self) -> &'static str {
        match self {
            TraceKind::Address => "address",
            TraceKind::Armed => "armed",
            TraceKind::Table => "rules",
        }
    }
}

/// Looks for traces of these services, and for tables of ours beside them. Changes nothing. Must be called within a
/// tokio runtime.
///
/// # Errors
/// The kernel does not answer; for tables it wants `CAP_NET_ADMIN`.
pub async fn traces(services: &[(ServiceName, VipConfig)]) -> Result<Vec<Trace>, AddressError> {
    let kernel = Kernel::connect().map_err(|error| system("asking the kernel (rtnetlink)", error))?;
    let mut found = Vec::new();
    for (service, config) in services {
        for (interface, kind) in [
            (config.interface.as_str(), TraceKind::Address),
            ("lo", TraceKind::Armed),
        ] {
            for what in addresses(&kernel, interface, config).await? {
                found.push(Trace {
                    service: Some(service.clone()),
                    kind,
                    place: interface.to_owned(),
                    what,
                });
            }
        }
    }
    let filter = Link::connect().map_err(|error| system("asking the kernel (nftables)", error))?;
    let tables = filter.tables(OURS).await;
    for table in tables.map_err(|refused| system("listing the packet filter's tables", refused.error))? {
        let name = &table.place.table;
        let service = services.iter().find(|(service, _)| belongs_to(name, service.as_str()));
        found.push(Trace {
            service: service.map(|(service, _)| service.clone()),
            kind: TraceKind::Table,
            place: format!("{} {name}", table.place.family.name()),
            what: table.comment.unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Removes the tables of ours that belong to none of these services, and says which they were.
///
/// # Errors
/// As [`traces`].
pub async fn remove_strangers(services: &[(ServiceName, VipConfig)]) -> Result<Vec<String>, AddressError> {
    let filter = Link::connect().map_err(|error| system("asking the kernel (nftables)", error))?;
    let tables = filter.tables(OURS).await;
    let mut removed = Vec::new();
    for table in tables.map_err(|refused| system("listing the packet filter's tables", refused.error))? {
        let name = &table.place.table;
        if services.iter().any(|(service, _)| belongs_to(name, service.as_str())) {
            continue;
        }
        let mut batch = Batch::new();
        batch.no_table(&table.place);
        let gone = filter.apply(batch).await;
        gone.map_err(|refused| system("removing a table of the packet filter", refused.error))?;
        removed.push(format!("{} {name}", table.place.family.name()));
    }
    Ok(removed)
}

async fn addresses(kernel: &Kernel, interface: &str, config: &VipConfig) -> Result<Vec<String>, AddressError> {
    let failed = |error: rtnetlink::Error| AddressError::Interface {
        interface: interface.to_owned(),
        problem: error.to_string(),
    };
    let Some(found) = kernel.interface(interface).await.map_err(failed)? else {
        return Ok(Vec::new());
    };
    let present = kernel.addresses(found.index).await.map_err(failed)?;
    let ours = present
        .iter()
        .filter(|found| config.addresses.iter().any(|address| address.ip == found.ip));
    Ok(ours.map(ToString::to_string).collect())
}

/// `us_STEP_SERVICE`.
fn belongs_to(table: &str, service: &str) -> bool {
    let rest = table.strip_prefix(OURS).unwrap_or_default();
    rest.split_once('_').is_some_and(|(_, name)| name == service)
}

fn system(what: &'static str, error: std::io::Error) -> AddressError {
    AddressError::System { what, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_name_says_whose_it_is() {
        assert!(belongs_to("us_hold_web-1", "web-1"));
        assert!(!belongs_to("us_hold_web-1", "web"));
        assert!(!belongs_to("us_hold", "hold"));
        assert!(!belongs_to("hold_web", "web"));
    }
}
