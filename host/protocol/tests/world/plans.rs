//! The settings that worlds begin with; scenarios and walks change them.

use std::time::Duration;

use understudy_protocol::{Plan, ServiceName};

use super::name;

pub fn plan(candidates: &[&str]) -> Plan {
    Plan {
        service: ServiceName::new("web").unwrap(),
        me: name(candidates[0]),
        candidates: candidates.iter().map(|c| name(c)).collect(),
        mode: understudy_protocol::Mode::Exclusive,
        on_deadline_fault: understudy_protocol::DrainPolicy::Force,
        on_deadline_request: understudy_protocol::DrainPolicy::Abort,
        giveback: understudy_protocol::Giveback::Manual,
        reboot: true,
        on_unknown: understudy_protocol::OnUnknown::Alert,
        flap: understudy_protocol::FlapGuard::default(),
        extend_at_most: Duration::from_secs(60),
        timing: understudy_protocol::Timing::default(),
    }
}
