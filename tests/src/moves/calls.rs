//! A host's address, driven by its own calls in the order of the protocol, without a daemon.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use understudy_address::{Address, AddressConfig, AddressError, VipConfig};
use understudy_protocol::{HostName, ServiceName};

use crate::cluster::HOSTS;
use crate::lan::{INTERFACE, Lan, OWN, own6};

type Job = Box<dyn FnOnce(Address) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// One host's address, within its namespace. Dropping it is killing its daemon.
pub(super) struct Calls {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Calls {
    pub(super) fn start(lan: &Lan, node: &str, addresses: &[String]) -> Result<Self> {
        let name = HostName::new(node).map_err(|error| anyhow!("{error}"))?;
        let service = ServiceName::new("web").map_err(|error| anyhow!("{error}"))?;
        let addresses = addresses.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let of = |place: usize| -> Result<_> {
            let name = HostName::new(HOSTS[place]).map_err(|error| anyhow!("{error}"))?;
            Ok((name, vec![OWN[place].into(), own6(OWN[place]).into()]))
        };
        let config = VipConfig {
            addresses,
            interface: INTERFACE.to_owned(),
            ports: vec![80],
            hosts: [of(0)?, of(1)?].into(),
        };
        let (jobs, mut asked) = unbounded_channel::<Job>();
        let thread = lan.within(node, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async move {
                let address = Address::new(AddressConfig::Vip(config), service, name).await?;
                while let Some(job) = asked.recv().await {
                    job(address.clone()).await;
                }
                anyhow::Ok(())
            })
        })?;
        let thread = std::thread::spawn(move || thread.join().map_err(|_| anyhow!("panicked"))?);
        Ok(Calls {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Does something with the address, to its end.
    pub(super) fn call<T, F>(&self, work: impl FnOnce(Address) -> F + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AddressError>> + 'static,
    {
        let (answer, answered) = mpsc::channel();
        let job: Job = Box::new(move |address| {
            Box::pin(async move {
                let _unheard = answer.send(work(address).await);
            })
        });
        let jobs = self.jobs.as_ref().context("the host has ended")?;
        jobs.send(job).map_err(|_| anyhow!("the address could not be made"))?;
        Ok(answered.recv().context("the host has ended")??)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
