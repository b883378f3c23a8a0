//! A host in memory behind the real router on a real socket, and a client that says exactly what a test wants said.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, oneshot, watch};
use understudy_api::wire::{
    Compilation, FaultRecord, HostView, JournalLine, Page, ProofBundle, ProofReport, Rehearsal, RequestLine, Takeover,
};
use understudy_api::{
    ApiConfig, Caller, FaultFilter, Host, HostError, JournalFilter, KeptAnswer, OrderError, PageFilter, RequestFilter,
    Wish, router, serve,
};
use understudy_protocol::{HostName, Order, Refusal, ServiceName};

pub(crate) use crate::samples::*;

pub(crate) const ROUND: &str = "9f3a01c4-12";

/// What the tests set, and what they look at afterwards.
pub(crate) struct Memory {
    pub(crate) view: watch::Sender<Arc<Vec<HostView>>>,
    pub(crate) feed: broadcast::Sender<JournalLine>,
    pub(crate) peer_feed: broadcast::Sender<JournalLine>,
    pub(crate) journal: Mutex<Vec<JournalLine>>,
    pub(crate) orders: Mutex<Vec<(ServiceName, Order, Caller)>>,
    pub(crate) wishes: Mutex<Vec<Wish>>,
    pub(crate) answer: Mutex<Result<(), OrderError>>,
    pub(crate) order_delay: Mutex<Duration>,
    pub(crate) takeovers: Mutex<Vec<Takeover>>,
    pub(crate) compilation: Mutex<Option<Compilation>>,
    pub(crate) requests: Mutex<Vec<RequestLine>>,
    pub(crate) faults: Mutex<Vec<FaultRecord>>,
    pub(crate) asked_faults: Mutex<Option<FaultFilter>>,
    pub(crate) asked_requests: Mutex<Option<RequestFilter>>,
    pub(crate) kept: Mutex<HashMap<String, KeptAnswer>>,
    pub(crate) ready: Mutex<Result<(), String>>,
    pub(crate) store_fails: AtomicBool,
    pub(crate) panics: AtomicBool,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Memory {
            view: watch::channel(Arc::new(vec![host_view("alpha", true), host_view("beta", false)])).0,
            feed: broadcast::channel(8).0,
            peer_feed: broadcast::channel(8).0,
            journal: Mutex::default(),
            orders: Mutex::default(),
            wishes: Mutex::default(),
            answer: Mutex::new(Ok(())),
            order_delay: Mutex::default(),
            takeovers: Mutex::default(),
            compilation: Mutex::default(),
            requests: Mutex::default(),
            faults: Mutex::default(),
            asked_faults: Mutex::default(),
            asked_requests: Mutex::default(),
            kept: Mutex::default(),
            ready: Mutex::new(Ok(())),
            store_fails: AtomicBool::new(false),
            panics: AtomicBool::new(false),
        })
    }

    /// Stores a line, then feeds it.
    pub(crate) fn journal_line(&self, seq: u64) {
        let line = line(seq);
        self.journal.lock().unwrap().push(line.clone());
        let _nobody_listens = self.feed.send(line);
    }

    pub(crate) fn change_view(&self, change: impl FnOnce(&mut Vec<HostView>)) {
        self.view.send_modify(|view| change(Arc::make_mut(view)));
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        self.orders
            .lock()
            .unwrap()
            .iter()
            .map(|(_, order, _)| order.clone())
            .collect()
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        *self.answer.lock().unwrap() = Err(OrderError::Refused(refusal));
    }

    fn store(&self) -> Result<(), HostError> {
        let error = || HostError::Store {
            error: "disk full".to_owned(),
        };
        if self.store_fails.load(Ordering::SeqCst) {
            Err(error())
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl Host for Memory {
    fn name(&self) -> HostName {
        HostName::new("alpha").unwrap()
    }

    fn view(&self) -> watch::Receiver<Arc<Vec<HostView>>> {
        assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
        self.view.subscribe()
    }

    fn journal_feed(&self) -> broadcast::Receiver<JournalLine> {
        self.feed.subscribe()
    }

    fn peer_journal_feed(&self) -> broadcast::Receiver<JournalLine> {
        self.peer_feed.subscribe()
    }

    async fn journal(&self, filter: JournalFilter) -> Result<Vec<JournalLine>, HostError> {
        self.store()?;
        let all = self.journal.lock().unwrap().clone();
        let fits = |line: &JournalLine| {
            filter.host.as_ref().is_none_or(|host| line.host == host.as_str())
                && filter.service.as_ref().is_none_or(|s| line.service == s.as_str())
                && filter.round.is_none_or_equal(&line.round)
                && filter.after.is_none_or(|after| line.seq > after)
                && filter.before.is_none_or(|before| line.seq < before)
        };
        let lines: Vec<_> = all.into_iter().filter(fits).collect();
        let limit = filter.limit as usize;
        let skip = if filter.after.is_some() {
            0
        } else {
            lines.len().saturating_sub(limit)
        };
        Ok(lines.into_iter().skip(skip).take(limit).collect())
    }

    async fn order(&self, service: ServiceName, order: Order, caller: Caller) -> Result<(), OrderError> {
        let delay = *self.order_delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        if service.as_str() != "redis" {
            return Err(OrderError::UnknownService);
        }
        self.orders.lock().unwrap().push((service, order, caller));
        self.answer.lock().unwrap().clone()
    }

    async fn rehearse(&self, service: ServiceName, wish: Wish) -> Result<Option<Rehearsal>, HostError> {
        self.store()?;
        let known = service.as_str() == "redis";
        self.wishes.lock().unwrap().push(wish);
        Ok(known.then(rehearsal))
    }

    async fn takeovers(&self, filter: PageFilter) -> Result<Page<Takeover>, HostError> {
        self.store()?;
        if let Some(cursor) = filter.cursor {
            return Err(HostError::BadCursor { cursor });
        }
        let all = self.takeovers.lock().unwrap().clone();
        let mine = |takeover: &Takeover| filter.service.as_ref().is_none_or(|s| takeover.service == s.as_str());
        let items = all.into_iter().filter(mine).map(|takeover| Takeover {
            steps: Vec::new(),
            ..takeover
        });
        Ok(Page {
            items: items.take(filter.limit as usize).collect(),
            next: None,
        })
    }

    async fn takeover(&self, id: &str) -> Result<Option<Takeover>, HostError> {
        self.store()?;
        Ok(self
            .takeovers
            .lock()
            .unwrap()
            .iter()
            .find(|takeover| takeover.id == id)
            .cloned())
    }

    async fn proof_bundle(&self, id: &str) -> Result<Option<ProofBundle>, HostError> {
        self.store()?;
        Ok((id == ROUND).then(proof_bundle))
    }

    async fn proof(&self, id: &str) -> Result<Option<ProofReport>, HostError> {
        self.store()?;
        Ok((id == ROUND).then(proof_report))
    }

    async fn compilations(&self, _: PageFilter) -> Result<Page<Compilation>, HostError> {
        Ok(Page {
            items: self.compilation.lock().unwrap().clone().into_iter().collect(),
            next: None,
        })
    }

    async fn compilation(&self, round: &str) -> Result<Option<Compilation>, HostError> {
        Ok(self
            .compilation
            .lock()
            .unwrap()
            .clone()
            .filter(|compilation| compilation.round == round))
    }

    async fn requests(&self, _: &str, filter: RequestFilter) -> Result<Page<RequestLine>, HostError> {
        let start: usize = filter.cursor.as_deref().map_or(0, |cursor| cursor.parse().unwrap());
        let end = start + filter.limit as usize;
        let all = self.requests.lock().unwrap().clone();
        let next = (end < all.len()).then(|| end.to_string());
        *self.asked_requests.lock().unwrap() = Some(filter);
        Ok(Page {
            items: all.into_iter().skip(start).take(end - start).collect(),
            next,
        })
    }

    async fn faults(&self, filter: FaultFilter) -> Result<Page<FaultRecord>, HostError> {
        *self.asked_faults.lock().unwrap() = Some(filter);
        Ok(Page {
            items: self.faults.lock().unwrap().clone(),
            next: None,
        })
    }

    async fn kept_answer(&self, key: &str) -> Result<Option<KeptAnswer>, HostError> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }

    async fn keep_answer(&self, key: &str, answer: KeptAnswer) -> Result<(), HostError> {
        self.kept.lock().unwrap().insert(key.to_owned(), answer);
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.lock().unwrap().clone()
    }

    fn metrics(&self) -> String {
        "understudy_up 1\n".to_owned()
    }
}

trait NoneOrEqual {
    fn is_none_or_equal(&self, other: &Self) -> bool;
}

impl NoneOrEqual for Option<String> {
    fn is_none_or_equal(&self, other: &Self) -> bool {
        self.is_none() || self == other
    }
}

/// A served API, ended when dropped.
pub(crate) struct Served {
    pub(crate) host: Arc<Memory>,
    pub(crate) address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn served() -> Served {
    served_with(|_| ()).await
}

pub(crate) async fn served_with(change: impl FnOnce(&mut ApiConfig)) -> Served {
    let host = Memory::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = ApiConfig {
        listen: address,
        token: None,
        allowed_hosts: Vec::new(),
    };
    change(&mut config);
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move { drop(stopped.await) };
    let app = router(host.clone(), config);
    let ended = tokio::spawn(serve(listener, app, shutdown));
    let client = Client::builder(TokioExecutor::new()).build_http();
    Served {
        host,
        address,
        client,
        stop: Some(stop),
        ended,
    }
}

impl Served {
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        Ask {
            served: self,
            request,
            body: Bytes::new(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(Method::POST, path).json(body).send().await
    }
}

pub(crate) struct Ask<'a> {
    served: &'a Served,
    request: hyper::http::request::Builder,
    body: Bytes,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json").body(body.to_owned())
    }

    pub(crate) async fn open(self) -> Response<Incoming> {
        self.served
            .client
            .request(self.request.body(Full::new(self.body)).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn send(self) -> Reply {
        let (parts, body) = self.open().await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The problem's word, after checking what every problem must have.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text()
        );
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        for field in ["title", "detail", "instance", "request_id"] {
            assert!(
                json[field].as_str().is_some_and(|text| !text.is_empty()),
                "{field}: {json}"
            );
        }
        assert_eq!(json["request_id"], self.header("x-request-id"));
        let kind = json["type"].as_str().unwrap();
        (
            self.status.as_u16(),
            kind.strip_prefix("urn:understudy:problem:").unwrap().to_owned(),
        )
    }
}

/// What a tool gets that writes its request by hand, until the server closes.
pub(crate) async fn raw(address: SocketAddr, request: String) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}
