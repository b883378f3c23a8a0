//! A service's plugins, each with what it may use: the one that drains, and those that probe.

use std::sync::Arc;

use async_trait::async_trait;
use understudy_protocol::{Fault, ServerState, ServiceName};
use understudy_runtime::{
    Assessment, BreakerState, CallContext, CallFailure, DispositionPagesSink, Manner, Plugin, Report, RequestPages,
    RequestPagesSink, Step, Target, World,
};

/// What is shown of a plugin.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) digest: String,
}

/// Looks after the server. Every call means what the method of [`Plugin`] with its name means.
#[async_trait]
pub(crate) trait Drainer: Send + Sync {
    fn name(&self) -> &str;
    async fn assess(&self, call: CallContext, fault: &Fault) -> Result<Assessment, CallFailure>;
    async fn observe(&self, call: CallContext) -> Result<ServerState, CallFailure>;
    async fn list_requests(&self, call: CallContext, sink: RequestPagesSink) -> Result<(), CallFailure>;
    async fn stop_admitting(&self, call: CallContext) -> Result<Step, CallFailure>;
    async fn settle(&self, call: CallContext) -> Result<Step, CallFailure>;
    async fn shut_down(&self, call: CallContext, manner: Manner) -> Result<Step, CallFailure>;
    async fn resume(&self, call: CallContext) -> Result<Step, CallFailure>;
    async fn take_over(&self, call: CallContext) -> Result<Step, CallFailure>;
    async fn stand_by(&self, call: CallContext) -> Result<Step, CallFailure>;
    async fn resolve_requests(
        &self,
        call: CallContext,
        requests: RequestPages,
        sink: DispositionPagesSink,
    ) -> Result<Step, CallFailure>;
}

/// Looks at the server.
#[async_trait]
pub(crate) trait Prober: Send + Sync {
    fn named(&self) -> Named;
    fn breaker(&self, service: &ServiceName) -> BreakerState;
    async fn check(&self, call: CallContext) -> Result<Report, CallFailure>;
}

/// A plugin and everything it may use.
#[derive(Clone)]
pub(crate) struct Granted {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) target: Arc<Target>,
}

#[async_trait]
impl Drainer for Granted {
    fn name(&self) -> &str {
        &self.plugin.description().name
    }

    async fn assess(&self, call: CallContext, fault: &Fault) -> Result<Assessment, CallFailure> {
        self.plugin.assess(&self.target, call, fault).await
    }

    async fn observe(&self, call: CallContext) -> Result<ServerState, CallFailure> {
        self.plugin.observe(&self.target, call).await
    }

    async fn list_requests(&self, call: CallContext, sink: RequestPagesSink) -> Result<(), CallFailure> {
        self.plugin.list_requests(&self.target, call, sink).await
    }

    async fn stop_admitting(&self, call: CallContext) -> Result<Step, CallFailure> {
        self.plugin.stop_admitting(&self.target, call).await
    }

    async fn settle(&self, call: CallContext) -> Result<Step, CallFailure> {
        self.plugin.settle(&self.target, call).await
    }

    async fn shut_down(&self, call: CallContext, manner: Manner) -> Result<Step, CallFailure> {
        self.plugin.shut_down(&self.target, call, manner).await
    }

    async fn resume(&self, call: CallContext) -> Result<Step, CallFailure> {
        self.plugin.resume(&self.target, call).await
    }

    async fn take_over(&self, call: CallContext) -> Result<Step, CallFailure> {
        self.plugin.take_over(&self.target, call).await
    }

    async fn stand_by(&self, call: CallContext) -> Result<Step, CallFailure> {
        self.plugin.stand_by(&self.target, call).await
    }

    async fn resolve_requests(
        &self,
        call: CallContext,
        requests: RequestPages,
        sink: DispositionPagesSink,
    ) -> Result<Step, CallFailure> {
        self.plugin.resolve_requests(&self.target, call, requests, sink).await
    }
}

#[async_trait]
impl Prober for Granted {
    fn named(&self) -> Named {
        let description = self.plugin.description();
        Named {
            name: description.name.clone(),
            version: description.version.clone(),
            digest: self.plugin.digest().to_string(),
        }
    }

    fn breaker(&self, service: &ServiceName) -> BreakerState {
        self.plugin.breaker(service, World::Probe)
    }

    async fn check(&self, call: CallContext) -> Result<Report, CallFailure> {
        self.plugin.check(&self.target, call).await
    }
}
