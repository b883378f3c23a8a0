//! Two real hosts on this machine: configuration, identities, daemons, and what they say over REST.
//!
//! Both list the same listening address for a service; only the active one listens there. All that a host has lies in
//! one folder named after it.

mod bed;
mod config;
mod daemon;
mod events;
mod journals;
mod knobs;
mod rest;
mod said;
mod site;
mod wait;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::servers::{free_ports, run_to_end};

pub use bed::{Bed, PATIENCE};
pub use config::{Giveback, HostPorts, Ports, Wishes};
pub use daemon::Daemon;
pub use events::Said;
pub use journals::Journals;
pub use knobs::{Knob, Policies};
pub use rest::{Problem, Rest};
pub use said::{
    Compilation, Disposition, Fault, HostView, JournalLine, Refusal, RequestLine, ServiceView, StayDown, Takeover, Term,
};
pub use site::Site;
pub use wait::wait_for;

/// The hosts' names; the first is every service's home.
pub const HOSTS: [&str; 2] = ["alpha", "beta"];

/// The services' names.
pub const SERVICES: [&str; 2] = ["redis", "web"];

/// How long two daemons may take to start and to hear each other.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Two hosts.
#[derive(Debug)]
pub struct Cluster {
    /// Home of all services.
    pub alpha: Host,
    /// Its understudy.
    pub beta: Host,
    ports: Ports,
}

/// One host: its servers and files, its daemon, and its REST interface.
#[derive(Debug)]
pub struct Host {
    /// The servers and files.
    pub site: Site,
    /// The daemon.
    pub daemon: Daemon,
    /// Its REST interface.
    pub rest: Rest,
}

/// Where the built things are.
#[derive(Debug, Clone)]
pub struct Built {
    /// The folder of the programs `understudy` and `demo`.
    pub programs: PathBuf,
    /// The folder of the plugins' components.
    pub plugins: PathBuf,
}

impl Built {
    /// As `make build` leaves them, for a test of this workspace.
    ///
    /// Fails with what to do when something is not built.
    pub fn for_tests() -> Result<Built> {
        let test = std::env::current_exe().context("asking for the test's own path")?;
        // target/debug/deps/test-… lies two folders below the programs.
        let programs = test
            .ancestors()
            .nth(2)
            .context("a test lies in a folder of the target folder")?
            .to_owned();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("tests/ lies in the project")?;
        let built = Built {
            programs,
            plugins: root.join("plugins/dist"),
        };
        for (needed, how) in [
            (built.daemon(), "cargo build --workspace --bins"),
            (built.guard(), "cargo build --workspace --bins"),
            (built.plugins.join("redis.wasm"), "plugins/build"),
            (built.plugins.join("nginx.wasm"), "plugins/build"),
            (built.plugins.join("http.wasm"), "plugins/build"),
        ] {
            anyhow::ensure!(needed.exists(), "{} is not there: run `{how}` first", needed.display());
        }
        Ok(built)
    }

    /// Lets a host use what other tests have compiled of the plugins: compiling one takes seconds.
    pub(crate) fn share_compiled(&self, site: &Site) -> Result<()> {
        let shared = self.programs.join("test-plugins-compiled");
        // Machine code: the daemon wants it to be its own user's alone.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&shared)?;
        fs::create_dir_all(site.state())?;
        symlink(&shared, site.state().join("compiled")).context("sharing the compiled plugins")
    }

    /// The daemon's program.
    pub fn daemon(&self) -> PathBuf {
        self.programs.join("understudy")
    }

    /// The program that sweeps (see [`crate::servers::Guard`]).
    pub fn guard(&self) -> PathBuf {
        self.programs.join("demo")
    }
}

impl Host {
    /// Waits until its daemon is ready; a daemon that ends instead is not waited for.
    pub async fn answers(&mut self) -> Result<()> {
        let end = Instant::now() + START_PATIENCE;
        while !self.rest.is_ready().await.unwrap_or(false) {
            self.daemon
                .still_runs()
                .with_context(|| format!("starting {}", self.site.name))?;
            if Instant::now() >= end {
                bail!(
                    "{} was not ready within {START_PATIENCE:?}\n{}",
                    self.site.name,
                    wait::describe(self).await
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Cluster {
    /// Writes everything two hosts need below `folder` and makes their identities; starts nothing.
    pub fn prepare(folder: &Path, built: &Built, ports: Ports, wishes: &Wishes) -> Result<Cluster> {
        let [alpha, beta] = [0, 1].map(|place| Site::make(folder, place, &ports, wishes));
        let (alpha, beta) = (alpha?, beta?);
        for (site, other) in [(&alpha, &beta), (&beta, &alpha)] {
            config::write(site, other, &ports, built, wishes)?;
        }
        identities(built, &alpha, &beta)?;
        let host = |site: Site| {
            let daemon = Daemon::new(&built.daemon(), &site);
            let token = site
                .token_file()
                .map(|file| (file, format!("token-of-{}", folder.display())));
            if let Some((file, token)) = &token {
                fs::write(file, token).context("writing the API's token")?;
                fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
            }
            let rest = Rest::at(site.api()).with_token(token.map(|(_, token)| token));
            Ok::<_, anyhow::Error>(Host { site, daemon, rest })
        };
        Ok(Cluster {
            alpha: host(alpha)?,
            beta: host(beta)?,
            ports,
        })
    }

    /// The addresses and ports in use.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The host of this name.
    pub fn host(&self, name: &str) -> &Host {
        if name == HOSTS[0] { &self.alpha } else { &self.beta }
    }

    /// The host of this name, to be hurt.
    pub fn host_mut(&mut self, name: &str) -> &mut Host {
        if name == HOSTS[0] {
            &mut self.alpha
        } else {
            &mut self.beta
        }
    }

    /// Both hosts, home first.
    pub fn hosts(&self) -> [&Host; 2] {
        [&self.alpha, &self.beta]
    }

    /// Starts both daemons and waits until each has heard the other.
    pub async fn start_daemons(&mut self) -> Result<()> {
        self.alpha.daemon.start()?;
        self.beta.daemon.start()?;
        for host in [&mut self.alpha, &mut self.beta] {
            host.answers().await?;
        }
        self.wait_heard().await
    }

    /// Waits until each host has heard the other.
    pub async fn wait_heard(&self) -> Result<()> {
        for host in self.hosts() {
            let heard = async || Ok(host.rest.own_view().await?.services.iter().all(ServiceView::heard_all));
            wait_for(
                self,
                &format!("{} has heard the other", host.site.name),
                START_PATIENCE,
                heard,
            )
            .await?;
        }
        Ok(())
    }

    /// Makes alpha active for the first time, and waits until beta is ready to take over.
    pub async fn bootstrap(&self, services: &[&str]) -> Result<()> {
        for service in services {
            self.alpha.rest.bootstrap(service).await?;
        }
        for service in services {
            self.wait_serves("alpha", service, START_PATIENCE).await?;
            self.wait_ready("beta", service, START_PATIENCE).await?;
        }
        Ok(())
    }

    /// Waits until `host` serves `service`.
    pub async fn wait_serves(&self, host: &str, service: &str, patience: Duration) -> Result<()> {
        let rest = &self.host(host).rest;
        let serves = async || Ok(rest.service(service).await?.serves);
        wait_for(self, &format!("{host} serves {service}"), patience, serves).await
    }

    /// Waits until `host` is a standby that could take `service` over.
    pub async fn wait_ready(&self, host: &str, service: &str, patience: Duration) -> Result<()> {
        let rest = &self.host(host).rest;
        let ready = async || {
            let view = rest.service(service).await?;
            Ok(view.role == "standby" && view.ready && view.stay_down.is_none())
        };
        wait_for(
            self,
            &format!("{host} is ready to take {service} over"),
            patience,
            ready,
        )
        .await
    }

    /// What both hosts say, and the end of their logs: for the message of a condition that did not come about.
    pub async fn describe(&self) -> String {
        let mut text = String::new();
        for host in self.hosts() {
            text.push_str(&wait::describe(host).await);
        }
        text
    }
}

/// Founds the cluster as an operator would: `init` on the first host, `invite` there, `join` on the second.
fn identities(built: &Built, alpha: &Site, beta: &Site) -> Result<()> {
    let program = built.daemon().display().to_string();
    let run = |words: &[&str]| {
        let argv: Vec<String> = [&program as &str, "cluster"]
            .iter()
            .chain(words)
            .map(|w| (*w).to_owned())
            .collect();
        run_to_end(&argv)
    };
    let (first, second) = (
        alpha.identity().display().to_string(),
        beta.identity().display().to_string(),
    );
    let bundle = beta.folder.join("invitation").display().to_string();
    run(&["init", "--host", alpha.name, "--identity", &first])?;
    run(&["invite", "--host", beta.name, "--identity", &first, "--out", &bundle])?;
    run(&["join", "--from", &bundle, "--identity", &second])?;
    Ok(())
}

/// Ports that nobody uses at the moment, for tests.
pub fn ports_for_tests() -> Result<Ports> {
    let [redis, web, a, b, c, d, e, f, g, h] = free_ports()?;
    let [alpha, beta] = [[a, b, c, d], [e, f, g, h]].map(|[redis, web, api, peer]| HostPorts {
        ip: Ipv4Addr::LOCALHOST,
        redis,
        web,
        api,
        peer,
    });
    Ok(Ports {
        clients: [Ipv4Addr::LOCALHOST; 2],
        redis,
        web,
        hosts: [alpha, beta],
    })
}
