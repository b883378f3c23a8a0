//! The same takeover where both servers ran.

use serde_json::{Value, json};

use super::{grant, round, said, seal_json, step};

fn yielded() -> Value {
    json!({ "grant": { "new_term": 2, "to": "beta", "round": round(), "seal": null } })
}

pub(super) fn first() -> Vec<Value> {
    let sealed = || json!({ "round": round(), "seal": seal_json() });
    let offer = json!({ "round": round(), "new_term": 2, "warm": true });
    vec![
        step(1000, "fault-indicated", "active", "asking", 1),
        said(1000, "sent", "beta", "FaultIndicated", json!({ "round": round() })),
        said(1001, "sent", "beta", "FaultReported", json!({ "round": round() })),
        said(1030, "received", "beta", "ShutdownCommanded", offer),
        step(1030, "drain-started", "asking", "draining", 1),
        step(1040, "admission-yielded", "draining", "yielded", 1),
        step(1050, "redirected", "yielded", "yielded", 1),
        said(1050, "sent", "beta", "AdmissionYielded", yielded()),
        step(1060, "yield-taken", "yielded", "yielded", 2),
        step(1100, "compilation-sealed", "yielded", "yielded", 2),
        said(1100, "sent", "beta", "Compilation", sealed()),
        said(1110, "received", "beta", "CompilationStored", sealed()),
        step(1110, "server-stopping", "yielded", "yielded", 2),
        step(1120, "server-stopped", "yielded", "yielded", 2),
        step(1130, "released", "yielded", "released", 2),
        said(1130, "sent", "beta", "Released", grant()),
        said(1300, "received", "beta", "TookOver", json!({ "held": 2 })),
        step(1300, "grant-settled", "released", "standby", 2),
    ]
}

/// By a clock that is 70 ms ahead.
pub(super) fn second() -> Vec<Value> {
    let sealed = || json!({ "round": round(), "seal": seal_json() });
    let offer = json!({ "round": round(), "new_term": 2, "warm": true });
    vec![
        said(1072, "received", "alpha", "FaultIndicated", json!({ "round": round() })),
        step(1072, "fault-heard", "standby", "preparing", 1),
        said(1073, "received", "alpha", "FaultReported", json!({ "round": round() })),
        step(1080, "arming", "preparing", "preparing", 1),
        step(1085, "warming-up", "preparing", "preparing", 1),
        step(1099, "shutdown-commanded", "preparing", "preparing", 1),
        said(1099, "sent", "alpha", "ShutdownCommanded", offer),
        said(1122, "received", "alpha", "AdmissionYielded", yielded()),
        step(1122, "grant-accepted", "preparing", "activating", 2),
        step(1124, "server-serves", "activating", "activating", 2),
        step(1128, "serving", "activating", "active", 2),
        said(1172, "received", "alpha", "Compilation", sealed()),
        step(1178, "compilation-stored", "active", "active", 2),
        said(1178, "sent", "alpha", "CompilationStored", sealed()),
        said(1202, "received", "alpha", "Released", grant()),
        step(1210, "overlap-ended", "active", "active", 2),
        step(1360, "took-over", "active", "active", 2),
        said(1360, "sent", "alpha", "TookOver", json!({ "held": 2 })),
    ]
}
