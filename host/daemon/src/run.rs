//! `understudy run`: puts the daemon together, runs it until it is told to stop, and takes it apart in order.
//!
//! ```text
//!  store ─ runtime ─ addresses ─ plugins ─ peers ─ driver (one task) ─ API
//! ```
//!
//! Invariants: nothing is served before the store is open and writable; no machine begins before the API has its port;
//! an orderly stop leaves the servers and, for a
//! `vip`, the addresses as they are: the daemon is not the server.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, mpsc};
use tracing::{info, warn};
use understudy_address::{Address, AddressEvent};
use understudy_protocol::{Durable, Event, Machine, ServiceName, StoreId};
use understudy_runtime::{Limits, Runtime, RuntimeConfig};
use understudy_store::{AddressLine, Start, Store};

use crate::assemble;
use crate::cluster::Identity;
use crate::config::{self, Config};
use crate::driver::{Clock, Driver, Input, Publisher, Service, ServiceInfo, wall_ms};
use crate::edges::{Lines, Links};
use crate::effects::{Effector, Parts, ServingMark};
use crate::inquiries::{self, Clocks, Inquiries, Inquiry, Question};
use crate::notify;
use crate::peers::{Pace, PeerEvent, Peers, PeersConfig};
use crate::proof::Prover;
use crate::rehearsal::Rehearser;
use crate::reload;
use crate::signals::{Reloads, Signals, Wanted};
use crate::surface::Surface;

/// Inputs that wait for the driver: more than a busy second brings, few enough that a stuck driver pushes back.
const INPUTS: usize = 1024;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the configuration of `file` again.
///
/// # Errors
/// When something that the daemon needs can't be had: each names the place and the mend.
pub async fn run(mut config: Config, file: &Path) -> anyhow::Result<()> {
    // First of all: a SIGHUP that nobody watches for ends the process.
    let reloads = Reloads::watch();
    let store = open_store(&config).await?;
    // Before any machine begins: a daemon that then could not show what it does would have to stop in the middle of it.
    let door = bind_api(&config).await?;
    let machine_boot_id = machine_boot_id();
    let start = store.next_boot(&machine_boot_id).await?;
    let runtime = Runtime::new(RuntimeConfig {
        cache_dir: config.host.state_dir.join("compiled"),
        limits: Limits::default(),
    })?;
    let (inputs, waiting) = mpsc::channel(INPUTS);
    let (inquiries, asked) = Inquiries::new();
    let peers = start_peers(&config, &inputs, &inquiries).await?;
    let clocks = Clocks::default();
    tokio::spawn(clocks.clone().keep_measuring(inquiries.clone(), peers.clone()));
    let publisher = Arc::new(Publisher::new(&config.host.name, service_infos(&config)));
    let clock = Clock::start();
    let links: Arc<dyn Links> = Arc::new(Lines::new(peers.clone(), clocks));
    let mut driver = Driver {
        clock: clock.clone(),
        store: Arc::new(store.clone()),
        peers: links.clone(),
        services: BTreeMap::new(),
        publisher: publisher.clone(),
    };
    let (mut begun, mut addresses) = (Vec::new(), Vec::new());
    for service in &config.services {
        let around = Around {
            config: &config,
            clock: &clock,
            runtime: &runtime,
            store: &store,
            start,
            machine_boot_id: &machine_boot_id,
            links: &links,
            inputs: &inputs,
        };
        let ready = around.start_service(service).await?;
        addresses.push(ready.address);
        let still_serving = ready.still_serving;
        driver.services.insert(service.name.clone(), ready.service);
        begun.push((service.name.clone(), Event::Started { still_serving }));
    }
    for (service, event) in begun {
        driver.begin(&service, event).await;
    }
    let prover = Prover::new(
        Identity::load(&config.cluster.identity)?,
        store.clone(),
        peers.clone(),
        inquiries.clone(),
        config.cluster.peers.iter().map(|peer| peer.name.clone()).collect(),
    );
    let contexts = driver.services.iter();
    let rehearser = Rehearser::new(
        config.host.name.clone(),
        publisher.clone(),
        inputs.clone(),
        contexts
            .map(|(name, service)| (name.clone(), service.context()))
            .collect(),
        peers.clone(),
        inquiries,
    );
    let answerers = (prover, rehearser);
    tokio::spawn(answer_peers(asked, peers.clone(), answerers.clone()));
    let api = start_api(door, &config, publisher, store.clone(), inputs.clone(), answerers);
    let pruning = tokio::spawn(prune(store.clone()));
    let driving = tokio::spawn(driver.run(waiting));
    info!(host = %config.host.name, api = %config.api.listen, cluster = %config.cluster.listen, "understudy runs");
    notify::ready();
    let mut signals = Signals::watch(reloads);
    while signals.next().await == Wanted::Reload {
        notify::reloading();
        if let Some(changes) = reload::read_again(file, &mut config, &store).await {
            let _ = inputs.send(Input::Reloaded(changes.settings())).await;
        }
        notify::ready();
    }
    notify::stopping();
    info!("stopping in order; the servers go on");
    api.stop().await;
    pruning.abort();
    let _ = inputs.send(Input::Stop).await;
    if let Err(error) = driving.await {
        warn!(%error, "the driver ended badly");
    }
    // Clients of a proxy are told; an address on an interface stays, and so does its server.
    for address in addresses {
        address.shutdown().await;
    }
    peers.shutdown().await;
    store.close().await;
    Ok(())
}

async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let folder = &config.host.state_dir;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} can't be made; see [host] state_dir", folder.display()))?;
    Ok(Store::open(&folder.join("store.sqlite"), config.retention).await?)
}

/// Removes what the retention no longer wants, now and then.
async fn prune(store: Store) {
    /// Often enough that no table grows far beyond its bound.
    const EVERY: Duration = Duration::from_secs(3600);
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        match store.prune(wall_ms()).await {
            Ok(pruned) => info!(?pruned, "old records removed"),
            Err(error) => warn!(%error, "old records can't be removed"),
        }
    }
}

/// Changes with every boot of the machine; without it, every start counts as a new boot.
fn machine_boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(|_| uuid::Uuid::new_v4().to_string(), |id| id.trim().to_owned())
}

async fn start_peers(config: &Config, inputs: &mpsc::Sender<Input>, inquiries: &Inquiries) -> anyhow::Result<Peers> {
    let (events, mut arriving) = mpsc::channel::<PeerEvent>(INPUTS);
    let peers = config
        .cluster
        .peers
        .iter()
        .map(|peer| (peer.name.clone(), peer.address.clone()))
        .collect();
    let identity = Identity::load(&config.cluster.identity)?;
    let peers_config = PeersConfig {
        me: config.host.name.clone(),
        listen: config.cluster.listen,
        peers,
        identity,
        pace: Pace::default(),
    };
    let peers = Peers::start(peers_config, events).await?;
    let (inputs, inquiries, asker) = (inputs.clone(), inquiries.clone(), peers.clone());
    tokio::spawn(async move {
        while let Some(event) = arriving.recv().await {
            if let Some(event) = inquiries.intercept(Some(&asker), event)
                && inputs.send(Input::Peer(event)).await.is_err()
            {
                return;
            }
        }
    });
    Ok(peers)
}

/// What every service is started with.
struct Around<'a> {
    config: &'a Config,
    clock: &'a Clock,
    runtime: &'a Runtime,
    store: &'a Store,
    start: Start,
    machine_boot_id: &'a str,
    links: &'a Arc<dyn Links>,
    inputs: &'a mpsc::Sender<Input>,
}

/// A service whose machine has not been told yet that it starts.
struct Ready {
    service: Service,
    address: Address,
    still_serving: bool,
}

impl Around<'_> {
    async fn start_service(&self, service: &config::Service) -> anyhow::Result<Ready> {
        let host = &self.config.host;
        let durable = self.store.durable(&service.name).await?;
        let address = assemble::address(service, &host.name).await?;
        let plugins = assemble::plugins(self.runtime, host, service, &address).await?;
        let mark = ServingMark::new(&host.state_dir, &service.name, self.machine_boot_id);
        let holds = durable.as_ref().is_some_and(|durable| durable.held.is_some());
        let completes = durable.as_ref().is_some_and(Durable::completes);
        // What a move left is undone, or gone on with, by the machine.
        let moving = durable.as_ref().is_some_and(Durable::is_moving);
        let still_serving = (holds || completes)
            && self.start.same_machine_boot
            && mark.is_set()
            && assemble::is_serving(&plugins, &service.name).await;
        if !holds && !moving {
            address
                .clear()
                .await
                .with_context(|| format!("service {}: a leftover address can't be removed", service.name))?;
        }
        tokio::spawn(tell_address_events(
            service.name.clone(),
            address.clone(),
            self.store.clone(),
        ));
        let effector = Effector::start(Parts {
            service: service.name.clone(),
            me: host.name.clone(),
            drain: Arc::new(plugins.drain),
            probes: plugins.probes.into_iter().map(|probe| Arc::new(probe) as _).collect(),
            probe_settings: assemble::probe_settings(&service.probe),
            address: Arc::new(address.clone()),
            reboot: assemble::reboot(service, service.plan.timing.reboot),
            mark,
            fence: plugins.fence,
            clock: self.clock.clone(),
            store: Arc::new(self.store.clone()),
            peers: self.links.clone(),
            inputs: self.inputs.clone(),
        })
        .await;
        let identity = records_of(self.store.store_id().await?, &service.name);
        let machine = Machine::new(Arc::new(service.plan.clone()), identity, self.start.boot, durable);
        Ok(Ready {
            service: Service::new(machine, effector),
            address,
            still_serving,
        })
    }
}

/// Answers what other hosts ask, a few at a time: none of it is urgent, and all of it only reads and looks.
async fn answer_peers(mut asked: mpsc::Receiver<Inquiry>, peers: Peers, (prover, rehearser): (Prover, Rehearser)) {
    /// A plugin that hangs must not keep everybody else waiting.
    const AT_ONCE: usize = 4;
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(inquiry) = asked.recv().await {
        let Ok(turn) = turns.clone().acquire_owned().await else {
            return;
        };
        let (peers, prover, rehearser) = (peers.clone(), prover.clone(), rehearser.clone());
        tokio::spawn(async move {
            let answer = match &inquiry.question {
                Question::Half { takeover } => match prover.half(takeover).await {
                    Ok(half) => serde_json::to_value(half).map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                },
                question => rehearser.answer(question).await,
            };
            inquiries::answer(&peers, &inquiry, answer).await;
            drop(turn);
        });
    }
}

/// What an address reports by itself goes to the log; what says who was admitted when is kept as evidence.
async fn tell_address_events(service: ServiceName, address: Address, store: Store) {
    let mut events = address.events();
    let (keep, kept) = mpsc::unbounded_channel();
    tokio::spawn(keep_address_events(service.clone(), kept, store));
    loop {
        match events.recv().await {
            Ok(event) => {
                info!(%service, event = event.name(), "{event}");
                if is_evidence(&event) {
                    // With its time before anything is written; the writer ends only after this task.
                    let _ = keep.send(AddressLine {
                        at_ms: wall_ms(),
                        event: event.name().to_owned(),
                        detail: event.to_string(),
                    });
                }
            }
            Err(RecvError::Lagged(missed)) => warn!(%service, missed, "the address reported more than could be read"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Rare by nature, each: what a single client or a broken interface causes is not among them.
fn is_evidence(event: &AddressEvent) -> bool {
    matches!(
        event,
        AddressEvent::Taken
            | AddressEvent::Held
            | AddressEvent::Admitted
            | AddressEvent::Dropped
            | AddressEvent::Received { .. }
            | AddressEvent::Passed { .. }
            | AddressEvent::Unclaimed { .. }
    )
}

async fn keep_address_events(service: ServiceName, mut kept: mpsc::UnboundedReceiver<AddressLine>, store: Store) {
    while let Some(line) = kept.recv().await {
        if let Err(error) = store.keep_address_event(&service, &line).await {
            warn!(%service, %error, "what the address did could not be kept");
        }
    }
}

/// Each service has records of its own in the one store, and its rounds must be told from every other service's.
pub(crate) fn records_of(store: StoreId, service: &ServiceName) -> StoreId {
    use sha2::{Digest, Sha256};
    let hash = Sha256::new()
        .chain_update(store.0.to_be_bytes())
        .chain_update(service.as_str())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    StoreId(u128::from_be_bytes(bytes))
}

fn service_infos(config: &Config) -> BTreeMap<ServiceName, ServiceInfo> {
    config
        .services
        .iter()
        .map(|service| (service.name.clone(), ServiceInfo::of(service)))
        .collect()
}

/// The API, and how to end it.
struct RunningApi {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl RunningApi {
    async fn stop(self) {
        let _ = self.stop.send(());
        if let Ok(Err(error)) = self.task.await {
            warn!(%error, "the API ended badly");
        }
    }
}

/// Where the API listens, and what it demands of callers: all that can be wrong with it.
async fn bind_api(config: &Config) -> anyhow::Result<(TcpListener, understudy_api::ApiConfig)> {
    let settings = api_settings(config)?;
    let listen = settings.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("the API can't listen on {listen}; see [api] listen"))?;
    Ok((listener, settings))
}

fn start_api(
    (listener, settings): (TcpListener, understudy_api::ApiConfig),
    config: &Config,
    publisher: Arc<Publisher>,
    store: Store,
    inputs: mpsc::Sender<Input>,
    answerers: (Prover, Rehearser),
) -> RunningApi {
    let services = config.services.iter().map(|service| service.name.clone()).collect();
    let surface = Surface::new(config.host.name.clone(), publisher, store, inputs, services, answerers);
    let router = understudy_api::router(Arc::new(surface), settings);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let ended = async move {
        let _ = stopped.await;
    };
    let task = tokio::spawn(understudy_api::serve(listener, router, ended));
    RunningApi { stop, task }
}

fn api_settings(config: &Config) -> anyhow::Result<understudy_api::ApiConfig> {
    let token = match &config.api.token_file {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path);
            Some(
                text.with_context(|| format!("{} can't be read; see [api] token_file", path.display()))?
                    .trim()
                    .to_owned(),
            )
        }
    };
    let settings = understudy_api::ApiConfig {
        listen: config.api.listen,
        token,
        allowed_hosts: config.api.allowed_hosts.clone(),
    };
    settings.check()?;
    Ok(settings)
}
