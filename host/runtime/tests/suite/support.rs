//! What every test needs: the runtime, the hostile plugin, a target, and what the plugin saw.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;
use understudy_protocol::{HostName, ServiceName, Term};
use understudy_runtime::{
    CallContext, CallFailure, Expectation, Limits, Plugin, Report, Runtime, RuntimeConfig, Status, Step, Target,
};

pub(crate) type Seen = BTreeMap<String, String>;

/// A call that hangs must fail its test, not hang it.
pub(crate) const GUARD: Duration = Duration::from_secs(60);

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugins");
        Runtime::new(RuntimeConfig {
            cache_dir,
            limits: Limits::default(),
        })
        .unwrap()
    })
}

/// Where a built plugin is; says how to build it where it is not.
pub(crate) fn plugin_path(name: &str) -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist");
    let directory = std::env::var_os("UNDERSTUDY_PLUGINS_DIR").map_or(ours, PathBuf::from);
    let path = directory.join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "{} is not there: run `make plugins` first",
        path.display()
    );
    path
}

pub(crate) async fn hostile() -> Arc<Plugin> {
    static HOSTILE: OnceCell<Arc<Plugin>> = OnceCell::const_new();
    let load = async || runtime().load(&plugin_path("hostile")).await.unwrap();
    HOSTILE.get_or_init(load).await.clone()
}

/// A target with everything granted that the plugin asks for, and nothing declared.
pub(crate) fn target(service: &str, config: Value) -> Target {
    let mut target = Target::new(
        ServiceName::new(service).unwrap(),
        "hostile",
        HostName::new("alpha").unwrap(),
    );
    target.config = config.to_string();
    target.granted = [
        "endpoint:tcp",
        "endpoint:unix",
        "endpoint:tls",
        "endpoint:web",
        "endpoint:silent",
        "endpoint:nowhere",
        "endpoint:unasked",
        "command:echo",
        "command:change",
        "command:sleep",
        "command:loud",
        "secret:password",
        "sockets",
        "system",
    ]
    .iter()
    .map(|ask| ask.parse().unwrap())
    .collect();
    target
}

pub(crate) fn context() -> CallContext {
    CallContext::new(Term(7), Expectation::Serving, Duration::from_secs(20))
}

pub(crate) fn context_of(remaining: Duration) -> CallContext {
    CallContext { remaining, ..context() }
}

/// A probe of the hostile plugin.
pub(crate) async fn check(target: Target, context: CallContext) -> Result<Report, CallFailure> {
    let plugin = hostile().await;
    let target = Arc::new(target);
    tokio::time::timeout(GUARD, plugin.check(&target, context))
        .await
        .expect("the call hangs")
}

/// What a probe saw.
pub(crate) async fn probe(target: Target) -> Seen {
    seen(&check(target, context()).await.unwrap())
}

pub(crate) fn seen(report: &Report) -> Seen {
    report.faults.iter().flat_map(|fault| fault.evidence.clone()).collect()
}

/// What a drain call saw.
pub(crate) fn seen_in_step(step: &Step) -> Seen {
    match &step.status {
        Status::Working {
            blocker: Some(blocker), ..
        } => serde_json::from_str(blocker).unwrap(),
        other => panic!("it saw nothing: {other:?}"),
    }
}
