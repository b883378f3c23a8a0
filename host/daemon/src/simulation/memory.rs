//! The store's stand-in: what SQLite would keep, in memory. A test holds it to the real one, operation by operation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use understudy_protocol::{
    CompilationSeal, Disposition, Durable, Entry, Fault, HostName, Outcome, RequestState, RequestStatus, RoundId,
    ServiceName, Verdict,
};
use understudy_store::{CompilationSummary, JournalFilter, JournalLine, Order, Sealed, StoreError, seal_of};

use crate::edges::{Records, StoredPages};

#[derive(Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Default)]
pub(super) struct Kept {
    pub(super) boots: u64,
    pub(super) machine_boot: Option<u64>,
    pub(super) durable: BTreeMap<ServiceName, Durable>,
    journal: Vec<JournalLine>,
    compilations: BTreeMap<RoundId, Compilation>,
    plugin_states: BTreeMap<(ServiceName, String), Vec<u8>>,
}

struct Compilation {
    service: ServiceName,
    first: HostName,
    second: Option<HostName>,
    begun_at_ms: i64,
    sealed: Option<Sealed>,
    resolved_at_ms: Option<i64>,
    closed: Option<(i64, String)>,
    requests: BTreeMap<String, (RequestStatus, Option<Disposition>)>,
}

impl Memory {
    pub(super) fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sealed(&self, round: RoundId) -> Option<CompilationSeal> {
        Some(self.lock().compilations.get(&round)?.sealed.as_ref()?.seal)
    }

    pub(super) fn requests(&self, round: RoundId) -> Vec<(RequestStatus, Option<Disposition>)> {
        let kept = self.lock();
        let found = kept.compilations.get(&round);
        found
            .map(|of| of.requests.values().cloned().collect())
            .unwrap_or_default()
    }
}

impl Kept {
    fn of(&mut self, round: RoundId) -> Result<&mut Compilation, StoreError> {
        self.compilations
            .get_mut(&round)
            .ok_or(StoreError::NoCompilation { round })
    }
}

#[async_trait]
impl Records for Memory {
    async fn append(&self, entry: &Entry, at_ms: i64) -> Result<JournalLine, StoreError> {
        let mut kept = self.lock();
        let line = JournalLine {
            seq: kept.journal.last().map_or(0, |line| line.seq) + 1,
            at_ms,
            service: entry.service.clone(),
            step: entry.step.to_owned(),
            reason: entry.reason.to_owned(),
            detail: entry.detail.clone(),
            from: entry.from,
            to: entry.to,
            term: entry.term,
            round: entry.round,
        };
        kept.journal.push(line.clone());
        if let Some(durable) = &entry.durable {
            kept.durable.insert(entry.service.clone(), durable.clone());
        }
        Ok(line)
    }

    async fn journal(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<JournalLine>, StoreError> {
        assert_eq!(filter.order, Order::NewestFirst, "the driver reads the newest only");
        let kept = self.lock();
        Ok(kept.journal.iter().rev().take(limit as usize).cloned().collect())
    }

    async fn begin_compilation(
        &self,
        service: &ServiceName,
        round: RoundId,
        first: &HostName,
        second: Option<&HostName>,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let mut kept = self.lock();
        let compilation = kept.compilations.entry(round).or_insert_with(|| Compilation {
            service: service.clone(),
            first: first.clone(),
            second: None,
            begun_at_ms: at_ms,
            sealed: None,
            resolved_at_ms: None,
            closed: None,
            requests: BTreeMap::new(),
        });
        if let Some(second) = second {
            compilation.second = Some(second.clone());
        }
        Ok(())
    }

    async fn put_requests(&self, round: RoundId, page: &[RequestStatus]) -> Result<(), StoreError> {
        let mut kept = self.lock();
        let compilation = kept.of(round)?;
        let mut changed = false;
        for request in page {
            let (known, _) = compilation
                .requests
                .entry(request.id.clone())
                .and_modify(|(known, _)| changed |= known != request)
                .or_insert_with(|| {
                    changed = true;
                    (request.clone(), None)
                });
            known.clone_from(request);
        }
        if changed {
            (compilation.sealed, compilation.resolved_at_ms) = (None, None);
        }
        Ok(())
    }

    async fn all_requests(&self, round: RoundId) -> Result<Box<dyn StoredPages>, StoreError> {
        self.lock().of(round)?;
        let all: Vec<_> = self.requests(round).into_iter().map(|(request, _)| request).collect();
        Ok(Box::new(OnePage(Some(all).filter(|all| !all.is_empty()))))
    }

    async fn seal_compilation(&self, round: RoundId, at_ms: i64) -> Result<CompilationSeal, StoreError> {
        let mut kept = self.lock();
        let compilation = kept.of(round)?;
        let seal = seal_of(compilation.requests.values().map(|(request, _)| request));
        let at_ms = compilation.sealed.map_or(at_ms, |sealed| sealed.at_ms);
        compilation.sealed = Some(Sealed { seal, at_ms });
        Ok(seal)
    }

    async fn close_compilation(&self, round: RoundId, why: &str, at_ms: i64) -> Result<(), StoreError> {
        if let Some(compilation) = self.lock().compilations.get_mut(&round) {
            compilation.closed.get_or_insert_with(|| (at_ms, why.to_owned()));
        }
        Ok(())
    }

    async fn compilation(&self, round: RoundId) -> Result<Option<CompilationSummary>, StoreError> {
        Ok(self.lock().compilations.get(&round).map(|of| of.summary(round)))
    }

    async fn record_dispositions(
        &self,
        round: RoundId,
        page: &[Disposition],
        _at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        let mut kept = self.lock();
        let compilation = kept.of(round)?;
        let mut unknown = BTreeSet::new();
        for said in page {
            match compilation.requests.get_mut(&said.id) {
                Some((_, disposition)) => *disposition = Some(said.clone()),
                None => drop(unknown.insert(said.id.clone())),
            }
        }
        Ok(unknown.into_iter().collect())
    }

    async fn resolve_rest(
        &self,
        round: RoundId,
        outcome: Outcome,
        message: &str,
        at_ms: i64,
    ) -> Result<u64, StoreError> {
        let mut kept = self.lock();
        let compilation = kept.of(round)?;
        let rest = compilation.requests.values_mut().filter(|(_, said)| said.is_none());
        let mut resolved = 0;
        for (request, said) in rest {
            resolved += 1;
            *said = Some(Disposition {
                id: request.id.clone(),
                outcome,
                message: message.to_owned(),
            });
        }
        compilation.resolved_at_ms.get_or_insert(at_ms);
        Ok(resolved)
    }

    async fn plugin_state(&self, service: &ServiceName, plugin: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let of = (service.clone(), plugin.to_owned());
        Ok(self.lock().plugin_states.get(&of).cloned())
    }

    async fn put_plugin_state(&self, service: &ServiceName, plugin: &str, state: &[u8]) -> Result<(), StoreError> {
        let of = (service.clone(), plugin.to_owned());
        self.lock().plugin_states.insert(of, state.to_vec());
        Ok(())
    }

    async fn record_fault(
        &self,
        _: &ServiceName,
        _: &HostName,
        _: &Fault,
        _: Verdict,
        _: i64,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn end_faults(&self, _: &ServiceName, _: &HostName, _: i64) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Compilation {
    fn summary(&self, round: RoundId) -> CompilationSummary {
        let (mut by_state, mut by_outcome) = (BTreeMap::<RequestState, u64>::new(), BTreeMap::<Outcome, u64>::new());
        for (request, disposition) in self.requests.values() {
            *by_state.entry(request.state).or_default() += 1;
            if let Some(disposition) = disposition {
                *by_outcome.entry(disposition.outcome).or_default() += 1;
            }
        }
        let requests = self.requests.len() as u64;
        CompilationSummary {
            round,
            service: self.service.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
            begun_at_ms: self.begun_at_ms,
            sealed: self.sealed,
            resolved_at_ms: self.resolved_at_ms,
            closed: self.closed.clone(),
            requests,
            unresolved: requests - by_outcome.values().sum::<u64>(),
            by_state: by_state.into_iter().collect(),
            by_outcome: by_outcome.into_iter().collect(),
        }
    }
}

struct OnePage(Option<Vec<RequestStatus>>);

#[async_trait]
impl StoredPages for OnePage {
    async fn next_page(&mut self) -> Result<Option<Vec<RequestStatus>>, StoreError> {
        Ok(self.0.take())
    }
}

pub(super) fn place() -> PathBuf {
    PathBuf::from("/simulated/store.sqlite")
}
