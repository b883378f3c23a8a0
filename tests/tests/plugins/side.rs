//! One host's view: a plugin, its target, and the state that the host keeps for it between the calls.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use understudy_protocol::{Disposition, Fault, RequestStatus, ServerState, Term};
use understudy_runtime::{
    Assessment, CallContext, CallFailure, Expectation, Manner, Plugin, PluginError, Report, RequestPages, SavedState,
    Status, Step, Target,
};

/// One host with one plugin.
pub(crate) struct Side {
    pub(crate) plugin: Arc<Plugin>,
    pub(crate) target: Arc<Target>,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) term: u64,
    /// What the host expects of the server in the calls of a drain.
    pub(crate) expected: Expectation,
    /// What the drain asked to keep.
    pub(crate) state: Option<SavedState>,
    /// What the probe asked to keep.
    pub(crate) probe_state: Option<SavedState>,
    attempt: u32,
}

/// As long as any step here may take.
const STEP_TIME: Duration = Duration::from_secs(20);
/// One call's time.
const CALL_TIME: Duration = Duration::from_secs(5);

impl Side {
    pub(crate) fn new(plugin: Arc<Plugin>, target: Target) -> Self {
        let target = Arc::new(target);
        Self {
            plugin,
            target,
            attributes: Vec::new(),
            term: 1,
            expected: Expectation::Serving,
            state: None,
            probe_state: None,
            attempt: 1,
        }
    }

    /// With a fact of each call, for example `active-host`.
    pub(crate) fn knows(&mut self, key: &str, value: &str) {
        self.attributes.retain(|(known, _)| known != key);
        self.attributes.push((key.to_owned(), value.to_owned()));
    }

    fn context(&self, expected: Expectation, state: Option<SavedState>) -> CallContext {
        let mut context = CallContext::new(Term(self.term), expected, CALL_TIME);
        context.attributes = self.attributes.clone();
        context.state = state;
        context.attempt = self.attempt;
        context
    }

    pub(crate) async fn check(&mut self, expected: Expectation) -> Report {
        let context = self.context(expected, self.probe_state.clone());
        let report = self.plugin.check(&self.target, context).await.unwrap();
        self.probe_state = report.state.clone();
        report
    }

    /// One call of a step.
    async fn once<F>(
        &mut self,
        call: impl Fn(Arc<Plugin>, Arc<Target>, CallContext) -> F,
    ) -> Result<Status, PluginError>
    where
        F: Future<Output = Result<Step, CallFailure>>,
    {
        let context = self.context(self.expected, self.state.clone());
        match call(self.plugin.clone(), self.target.clone(), context).await {
            Ok(step) => {
                self.state = step.state;
                Ok(step.status)
            }
            Err(CallFailure::Plugin(error)) => Err(error),
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Calls again until it is done, as the host does; the blockers that were named on the way.
    async fn done<F>(&mut self, call: impl Fn(Arc<Plugin>, Arc<Target>, CallContext) -> F) -> Vec<String>
    where
        F: Future<Output = Result<Step, CallFailure>>,
    {
        let end = Instant::now() + STEP_TIME;
        let mut blockers = Vec::new();
        self.attempt = 1;
        loop {
            match self.once(&call).await.unwrap() {
                Status::Done => return blockers,
                Status::Working { blocker, retry_in, .. } => {
                    blockers.extend(blocker);
                    assert!(Instant::now() < end, "never done: {:?}", blockers.last());
                    tokio::time::sleep(retry_in).await;
                }
            }
            self.attempt += 1;
        }
    }

    pub(crate) async fn stop_admitting(&mut self) -> Vec<String> {
        self.done(|plugin, target, context| async move { plugin.stop_admitting(&target, context).await })
            .await
    }

    pub(crate) async fn settle(&mut self) -> Vec<String> {
        self.done(|plugin, target, context| async move { plugin.settle(&target, context).await })
            .await
    }

    pub(crate) async fn settle_once(&mut self) -> Status {
        self.once(|plugin, target, context| async move { plugin.settle(&target, context).await })
            .await
            .unwrap()
    }

    pub(crate) async fn shut_down(&mut self, manner: Manner) -> Vec<String> {
        self.done(move |plugin, target, context| async move { plugin.shut_down(&target, context, manner).await })
            .await
    }

    pub(crate) async fn shut_down_once(&mut self, manner: Manner) -> Result<Status, PluginError> {
        self.once(move |plugin, target, context| async move { plugin.shut_down(&target, context, manner).await })
            .await
    }

    pub(crate) async fn resume(&mut self) -> Vec<String> {
        self.done(|plugin, target, context| async move { plugin.resume(&target, context).await })
            .await
    }

    pub(crate) async fn resume_once(&mut self) -> Result<Status, PluginError> {
        self.once(|plugin, target, context| async move { plugin.resume(&target, context).await })
            .await
    }

    pub(crate) async fn take_over(&mut self) -> Vec<String> {
        self.done(|plugin, target, context| async move { plugin.take_over(&target, context).await })
            .await
    }

    pub(crate) async fn take_over_once(&mut self) -> Result<Status, PluginError> {
        self.once(|plugin, target, context| async move { plugin.take_over(&target, context).await })
            .await
    }

    pub(crate) async fn stand_by(&mut self) -> Vec<String> {
        self.done(|plugin, target, context| async move { plugin.stand_by(&target, context).await })
            .await
    }

    pub(crate) async fn observe(&self) -> ServerState {
        self.plugin
            .observe(&self.target, self.context(Expectation::Down, self.state.clone()))
            .await
            .unwrap()
    }

    pub(crate) async fn assess(&self, fault: &Fault) -> Assessment {
        let context = self.context(Expectation::StandingBy, self.state.clone());
        self.plugin.assess(&self.target, context, fault).await.unwrap()
    }

    /// The code of the refusal; none where it can.
    pub(crate) async fn refusal(&self, fault: &Fault) -> Option<String> {
        match self.assess(fault).await {
            Assessment::Can => None,
            Assessment::Cannot { refusal, .. } => Some(refusal.code),
        }
    }

    pub(crate) async fn list_requests(&self) -> Vec<RequestStatus> {
        let (sender, mut receiver) = mpsc::channel(4);
        let context = self.context(Expectation::Serving, self.state.clone());
        let (plugin, target) = (self.plugin.clone(), self.target.clone());
        let call = tokio::spawn(async move { plugin.list_requests(&target, context, sender).await });
        let mut requests = Vec::new();
        while let Some(page) = receiver.recv().await {
            requests.extend(page);
        }
        call.await.unwrap().unwrap();
        requests
    }

    pub(crate) async fn resolve(&mut self, requests: Vec<RequestStatus>) -> Vec<Disposition> {
        let (sender, mut receiver) = mpsc::channel(4);
        let context = self.context(Expectation::Serving, self.state.clone());
        let (plugin, target) = (self.plugin.clone(), self.target.clone());
        let call = tokio::spawn(async move {
            plugin
                .resolve_requests(&target, context, RequestPages::of(requests), sender)
                .await
        });
        let mut dispositions = Vec::new();
        while let Some(page) = receiver.recv().await {
            dispositions.extend(page);
        }
        let step = call.await.unwrap().unwrap();
        assert_eq!(step.status, Status::Done);
        dispositions
    }
}

/// The codes of a report's faults.
pub(crate) fn codes(report: &Report) -> Vec<&str> {
    report.faults.iter().map(|fault| fault.code.as_str()).collect()
}

/// The value of an attribute.
pub(crate) fn value<'a>(attributes: &'a [(String, String)], key: &str) -> Option<&'a str> {
    attributes
        .iter()
        .find(|(known, _)| known == key)
        .map(|(_, value)| value.as_str())
}
