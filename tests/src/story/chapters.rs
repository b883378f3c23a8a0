//! The story, one function a chapter. Each says what it will do, does it, tells the hosts' steps meanwhile, and writes
//! down what must hold.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, timeout};

use super::account::account_for;
use super::agreement::disagreements;
use super::checks::Checks;
use super::teller::Teller;
use crate::cluster::{Cluster, HOSTS, JournalLine, Journals, SERVICES, Said};
use crate::load::{Load, Plan, Recorder, RedisPlan, Report, Service, WebPlan, read_back};
use crate::servers::{is_root, limit_file_size};

/// How long clients ask while nothing is wrong.
const CALM: Duration = Duration::from_secs(4);

/// How long the services stay away from home before the disk is cured.
const AWAY: Duration = Duration::from_secs(3);

/// No step of the story takes longer on the slowest machine that was tried.
const PATIENCE: Duration = Duration::from_secs(90);

/// Without root: a snapshot of the load is longer than this after a second, the log of a short life is not.
const FILE_LIMIT: u64 = 64 * 1024;

struct Stage<'a> {
    cluster: &'a Cluster,
    teller: &'a Teller,
    checks: &'a mut Checks,
    journals: Journals,
    load: Load,
}

pub(crate) async fn play(cluster: &mut Cluster, teller: &mut Teller, checks: &mut Checks) -> Result<()> {
    hosts_start(cluster, teller).await?;
    let journals = Journals::follow(cluster);
    cluster.bootstrap(&SERVICES).await?;
    let ports = cluster.ports();
    let plan = Plan {
        redis: Some(RedisPlan::at(ports.service("redis"))),
        web: Some(WebPlan::at(ports.service("web"))),
    };
    let load = Load::start(&plan, "before");
    let mut stage = Stage {
        cluster,
        teller,
        checks,
        journals,
        load,
    };
    stage.clients_ask().await?;
    stage.disk_fills().await?;
    stage.acknowledged_writes_are_on_beta().await?;
    stage.started_by_hand().await?;
    stage.cure_and_giveback().await?;
    stage.end().await
}

async fn hosts_start(cluster: &mut Cluster, teller: &Teller) -> Result<()> {
    teller.chapter(
        "Two hosts, alpha and beta, start on this machine",
        &["Each has its own Redis and nginx, keys of its own, and a disk of its own. Look at them here:"],
    );
    cluster.start_daemons().await?;
    teller.addresses(cluster);
    Ok(())
}

impl Stage<'_> {
    async fn clients_ask(&mut self) -> Result<()> {
        let ports = self.cluster.ports();
        self.teller.chapter(
            "Clients ask both services without pause",
            &[
                &format!("Redis on {}: 600 writes a second, each of a key of its own, on 8 connections.", ports.service("redis")),
                &format!(
                    "Web on {}: 540 requests a second on new and kept connections, and about 8 slow answers always under way.",
                    ports.service("web")
                ),
                "alpha serves both; beta stands by: its Redis is a replica, its nginx is stopped.",
            ],
        );
        self.tell_for(CALM).await
    }

    async fn disk_fills(&mut self) -> Result<()> {
        let alpha = &self.cluster.alpha.site;
        self.load.mark("takeover");
        let mut cause = vec!["redis"];
        if alpha.disk.can_fill() {
            let what = format!("Something fills {} to the last byte.", alpha.disk.path().display());
            self.teller.chapter(
                "alpha's disk is full",
                &[&what, "Redis can't write its snapshots there any more, nginx can't write its logs. The probes will find it."],
            );
            alpha.disk.fill()?;
            cause.push("web");
        } else {
            let redis = alpha.redis.process().context("alpha's Redis does not run")?;
            let why = if is_root() {
                "this machine allows no mounts"
            } else {
                "not root"
            };
            self.teller.chapter(
                "alpha's Redis can't write its snapshots any more",
                &[
                    &format!(
                        "Its files are limited to {FILE_LIMIT} bytes, as on a full disk ({why}: no disk can be filled)."
                    ),
                    "The web service is moved by an operator's request.",
                ],
            );
            limit_file_size(redis.pid, FILE_LIMIT)?;
            self.cluster
                .alpha
                .rest
                .takeover("web", None, "shown in the demo")
                .await?;
        }
        let fault_at = self.load.recorder().now();
        self.tell_until("beta serves both services", &served_by(HOSTS[1]))
            .await?;
        self.load.mark("on beta");
        self.note_faults(&cause);
        self.note_served(HOSTS[1], fault_at).await
    }

    /// The faults must have been found by the hosts' own probes.
    fn note_faults(&mut self, services: &[&str]) {
        for service in services {
            let is = |line: &&JournalLine| {
                line.service == *service && line.step == "fault-indicated" && line.host == HOSTS[0]
            };
            let found = self.journals.lines().iter().find(is).map(|line| line.detail.clone());
            let detail = found
                .clone()
                .unwrap_or_else(|| "no such step in alpha's journal".to_owned());
            self.checks.note(
                format!("{service}: the fault was found by alpha's own probe"),
                found.is_some(),
                detail,
            );
        }
    }

    async fn note_served(&mut self, host: &str, since: u64) -> Result<()> {
        for service in SERVICES {
            let view = self.cluster.host(host).rest.service(service).await?;
            let seconds = (self.load.recorder().now() - since) as f64 / 1e6;
            let what = format!("{service}: {host} serves");
            self.checks.note(
                what,
                view.serves,
                format!("within {seconds:.1} s, term {}", view.known_term.text),
            );
        }
        Ok(())
    }

    async fn acknowledged_writes_are_on_beta(&mut self) -> Result<()> {
        let writes = self.load.recorder().acknowledged_writes();
        note_read_back(self.cluster, self.teller, self.checks, HOSTS[1], &writes).await
    }

    async fn started_by_hand(&mut self) -> Result<()> {
        self.teller.chapter(
            "Somebody starts alpha's old Redis by hand",
            &["It has old data. beta ordered alpha to stay down: alpha's daemon must stop it again."],
        );
        self.tell_for(Duration::from_secs(1)).await?;
        let process = self.cluster.alpha.site.start_by_hand("redis")?;
        self.teller.say(&format!("Started: process {}.", process.pid));
        let began = Instant::now();
        let stopped = |lines: &[JournalLine]| {
            let of_alpha = |step: &str| {
                lines
                    .iter()
                    .any(|l| l.host == HOSTS[0] && l.service == "redis" && l.step == step)
            };
            of_alpha("started-by-hand") && of_alpha("stopped-again")
        };
        self.tell_until("alpha stops it again", &stopped).await?;
        let gone = !process.runs();
        let detail = format!(
            "process {} ended after {:.1} s",
            process.pid,
            began.elapsed().as_secs_f64()
        );
        self.teller.say(&format!("Stopped again: {detail}."));
        self.checks
            .note("redis: started by hand, alpha's daemon stopped it again", gone, detail);
        self.tell_for(AWAY).await
    }

    async fn cure_and_giveback(&mut self) -> Result<()> {
        let mut lines = vec![
            "Healthy for two seconds, alpha asks beta whether it may come back, runs its reboot command (here the server's",
            "own restart), stands by, catches up, and takes its services home, by the same protocol the other way round.",
        ];
        if self.cluster.alpha.site.disk.can_fill() {
            lines.insert(0, "The file that filled the disk is removed.");
        }
        self.teller.chapter("The cure, the reboot, and the giveback", &lines);
        self.load.mark("giveback");
        if self.cluster.alpha.site.disk.can_fill() {
            self.cluster.alpha.site.disk.free()?;
        }
        let cured_at = self.load.recorder().now();
        if !self.cluster.alpha.site.disk.can_fill() {
            for service in SERVICES {
                self.cluster.wait_ready(HOSTS[0], service, PATIENCE).await?;
                self.cluster.beta.rest.giveback(service).await?;
            }
        }
        self.tell_until("alpha serves both services", &served_by(HOSTS[0]))
            .await?;
        self.load.mark("after");
        self.note_served(HOSTS[0], cured_at).await?;
        self.tell_for(CALM).await
    }

    async fn end(self) -> Result<()> {
        let Stage {
            cluster,
            teller,
            checks,
            mut journals,
            load,
        } = self;
        teller.chapter("What clients saw", &[]);
        let recorder = load.finish().await;
        // Dispositions and the last steps are written while the load ends.
        while let Ok(Some((host, said))) = timeout(Duration::from_millis(500), journals.next()).await {
            tell(teller, host, said);
        }
        let report = Report::of(&recorder);
        teller.report(&report);
        note_clients(&report, checks);
        let writes = recorder.acknowledged_writes();
        note_read_back(cluster, teller, checks, HOSTS[0], &writes).await?;
        Closing {
            cluster,
            teller,
            checks,
            lines: journals.lines(),
        }
        .accounts(&recorder)
        .await
    }

    /// Tells what happens meanwhile.
    async fn tell_for(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        while let Ok(said) = tokio::time::timeout_at(end, self.journals.next()).await {
            let Some((host, said)) = said else {
                bail!("the hosts' events can't be followed any more")
            };
            tell(self.teller, host, said);
        }
        Ok(())
    }

    /// Tells what happens until it is enough.
    async fn tell_until(&mut self, what: &str, enough: &dyn Fn(&[JournalLine]) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !enough(self.journals.lines()) {
            match tokio::time::timeout_at(end, self.journals.next()).await {
                Ok(Some((host, said))) => tell(self.teller, host, said),
                Ok(None) => bail!("the hosts' events can't be followed any more"),
                Err(_) => {
                    bail!(
                        "waited {PATIENCE:?} in vain for this: {what}\n{}",
                        self.cluster.describe().await
                    )
                }
            }
        }
        Ok(())
    }
}

/// What is looked at when the load has ended.
struct Closing<'a> {
    cluster: &'a Cluster,
    teller: &'a Teller,
    checks: &'a mut Checks,
    lines: &'a [JournalLine],
}

impl Closing<'_> {
    async fn accounts(&mut self, recorder: &Recorder) -> Result<()> {
        self.teller
            .chapter("What the hosts wrote down, compared with the clients' own record", &[]);
        for service in SERVICES {
            let rounds = released_rounds(self.lines, service);
            self.checks.note(
                format!("{service}: one takeover and one giveback"),
                rounds.len() == 2,
                format!("{} rounds", rounds.len()),
            );
            for (round, move_) in rounds.iter().zip(["takeover", "giveback"]) {
                self.account(service, round, recorder).await?;
                let wrong = disagreements(self.lines, service, round);
                let detail = if wrong.is_empty() {
                    "every step, in order, same terms".to_owned()
                } else {
                    wrong.join("; ")
                };
                self.checks.note(
                    format!("{service}: both journals agree on the {move_}"),
                    wrong.is_empty(),
                    detail,
                );
            }
        }
        Ok(())
    }

    async fn account(&mut self, service: &str, round: &str, recorder: &Recorder) -> Result<()> {
        let account = account_for(self.cluster, self.lines, service, round, recorder).await?;
        self.teller.account(&account);
        let mut detail = format!(
            "{} listed, {} without a disposition; {} surely under way, {} of them not listed",
            account.listed,
            account.undisposed,
            account.under_way,
            account.unlisted.len()
        );
        if !account.unlisted.is_empty() {
            detail.push_str(&format!(
                "; under way and not listed: {}; listed of nobody's clients: {}",
                account.unlisted.join(", "),
                account.strangers.join(", ")
            ));
        }
        if !account.unanswered_unlisted.is_empty() {
            detail.push_str(&format!(
                "; not answered and not listed: {}",
                account.unanswered_unlisted.join(", ")
            ));
        }
        let what = format!("{service}: {}'s requests are all accounted for", account.first);
        self.checks.note(what, account.is_complete(), detail);
        Ok(())
    }
}

/// Reads from the host's own server, past the service's address: what it does not have can't come from the other.
async fn note_read_back(
    cluster: &Cluster,
    teller: &Teller,
    checks: &mut Checks,
    host: &str,
    writes: &[u64],
) -> Result<()> {
    let found = read_back(cluster.host(host).site.redis.address(), writes).await?;
    let detail = format!("{} acknowledged writes read back, {} lost", found.checked, found.lost());
    teller.say(&format!("Read back from {host}'s Redis: {detail}."));
    let holds = found.lost() == 0 && found.checked == writes.len() && found.checked > 0;
    checks.note(format!("redis: nothing acknowledged is lost on {host}"), holds, detail);
    Ok(())
}

fn tell(teller: &Teller, host: &str, said: Said) {
    match said {
        Said::Line(line) => teller.step(&line),
        Said::Reachable(reachable) => teller.reachable(host, reachable),
    }
}

/// Whether the last word about each service is that `host` took it over, with every request's disposition.
fn served_by(host: &'static str) -> impl Fn(&[JournalLine]) -> bool {
    move |lines| {
        SERVICES.iter().all(|service| {
            let took = lines
                .iter()
                .rev()
                .find(|l| l.service == *service && matches!(l.step.as_str(), "took-over" | "released"));
            took.is_some_and(|l| l.step == "took-over" && l.host == host)
        })
    }
}

fn released_rounds(lines: &[JournalLine], service: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let released = lines.iter().filter(|l| l.service == service && l.step == "released");
    released
        .filter_map(|l| l.round.clone())
        .filter(|round| seen.insert(round.clone()))
        .collect()
}

fn note_clients(report: &Report, checks: &mut Checks) {
    for (service, may_be_in_doubt) in [(Service::Redis, true), (Service::Web, false)] {
        let Some(total) = report.service(service).map(|s| &s.total) else {
            checks.note(
                format!("{}: clients asked", service.as_str()),
                false,
                "no request at all",
            );
            continue;
        };
        let holds = total.failed == 0 && (may_be_in_doubt || total.in_doubt == 0) && total.sent > 0;
        let detail = format!(
            "{} sent, {} answered, {} failed, {} in doubt, {} retried on a new connection, worst stall {:.0} ms",
            total.sent, total.answered, total.failed, total.in_doubt, total.retried, total.worst_stall_ms
        );
        checks.note(format!("{}: no request failed", service.as_str()), holds, detail);
    }
}
