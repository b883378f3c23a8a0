//! `[[service]]`: one service, its settings for the protocol, its address and its plugins.

use std::time::Duration;

use understudy_address::AddressConfig;
use understudy_protocol::{DrainPolicy, FlapGuard, Giveback, HostName, Mode, OnUnknown, Plan, ServiceName, Timing};

use super::plugin::{self, Plugin};
use super::reader::Table;
use super::value::{self, word};
use super::{address, timing};

/// One service as the operator configured it on this host.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// What kind of server provides it, for example `redis`.
    pub server_type: String,
    /// What the protocol needs to know.
    pub plan: Plan,
    /// How clients find it.
    pub address: AddressConfig,
    /// The server's own ports.
    pub ports: Vec<u16>,
    /// The plugins that look after it, in order.
    pub plugins: Vec<Plugin>,
    /// How often and how strictly the server is probed.
    pub probe: Probe,
    /// What is run at the cure.
    pub reboot: Option<Reboot>,
}

/// `[service.probe]`, without `on_unknown`, which is in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// For one probe; longer is `unknown`.
    pub timeout: Duration,
    /// So many good ones in a row make it healthy.
    pub rise: u32,
    /// So many bad ones in a row make it failing.
    pub fall: u32,
}

/// `[service.reboot]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reboot {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Whether it reboots the machine, and this daemon with it.
    pub machine: bool,
}

/// Reads one `[[service]]`; none when something that it can't be without is missing or wrong.
pub(super) fn service(table: &Table<'_>, me: Option<&HostName>) -> Option<Service> {
    let name = table.required("name", "\"redis\" (a name of your choice)", value::service);
    let server_type = table.required(
        "server_type",
        "\"redis\" (one that the plugin looks after)",
        value::text,
    );
    table.require(
        "candidates",
        "add candidates = [\"alpha\", \"beta\"]: the hosts that can serve it, home first",
    );
    let candidates = table.list("candidates", value::host);
    let modes = [("exclusive", Mode::Exclusive), ("overlap", Mode::Overlap)];
    let mode = table.optional("mode", value::word(&modes)).unwrap_or_default();
    let ports = table.list("ports", value::port);
    table.require(
        "address",
        "add [service.address] with mode = \"proxy\" or mode = \"vip\"",
    );
    let address = table
        .table("address")
        .and_then(|table| address::address(&table, &ports));
    let plugins = plugin::plugins(table);
    let (probe, on_unknown) = probe(table.table("probe"));
    let drain = drain(table.table("drain"));
    let flap = flap(table.table("flap"));
    let giveback = giveback(table.table("giveback"));
    let reboot = table.table("reboot").map(|table| self::reboot(&table));
    let timing = timing::timing(table.table("timing"), drain.deadline);
    table.finish();

    let (name, address) = (name?, address?);
    let plan = Plan {
        service: name.clone(),
        me: me?.clone(),
        candidates,
        mode,
        on_deadline_fault: drain.on_fault,
        on_deadline_request: drain.on_request,
        giveback,
        reboot: reboot.is_some(),
        on_unknown,
        flap,
        extend_at_most: drain.extend_at_most,
        timing,
    };
    let ports = if ports.is_empty() {
        address::server_ports(&address)
    } else {
        ports
    };
    let reboot = match reboot {
        Some(reboot) => Some(reboot?),
        None => None,
    };
    Some(Service {
        name,
        server_type: server_type?,
        plan,
        address,
        ports,
        plugins: plugins?,
        probe,
        reboot,
    })
}

struct Drain {
    deadline: Duration,
    on_fault: DrainPolicy,
    on_request: DrainPolicy,
    extend_at_most: Duration,
}

fn probe(table: Option<Table<'_>>) -> (Probe, OnUnknown) {
    let mut probe = Probe {
        interval: INTERVAL,
        timeout: TIMEOUT,
        rise: RISE,
        fall: FALL,
    };
    let mut on_unknown = OnUnknown::Alert;
    if let Some(table) = table {
        probe.interval = table.optional("interval", value::duration).unwrap_or(INTERVAL);
        probe.timeout = table.optional("timeout", value::duration).unwrap_or(TIMEOUT);
        probe.rise = table.optional("rise", value::number(1, COUNTED)).unwrap_or(RISE);
        probe.fall = table.optional("fall", value::number(1, COUNTED)).unwrap_or(FALL);
        let words = [("alert", OnUnknown::Alert), ("take-over", OnUnknown::TakeOver)];
        on_unknown = table.optional("on_unknown", word(&words)).unwrap_or(on_unknown);
        table.finish();
    }
    (probe, on_unknown)
}

fn drain(table: Option<Table<'_>>) -> Drain {
    let mut drain = Drain {
        deadline: Timing::default().drain,
        // A fault does not wait; an operator can ask again (DESIGN, "Drain deadline").
        on_fault: DrainPolicy::Force,
        on_request: DrainPolicy::Abort,
        extend_at_most: EXTEND_AT_MOST,
    };
    if let Some(table) = table {
        let words = [
            ("force", DrainPolicy::Force),
            ("abort", DrainPolicy::Abort),
            ("extend", DrainPolicy::Extend),
        ];
        drain.deadline = table.optional("deadline", value::duration).unwrap_or(drain.deadline);
        drain.on_fault = table.optional("on_fault", word(&words)).unwrap_or(drain.on_fault);
        drain.on_request = table.optional("on_request", word(&words)).unwrap_or(drain.on_request);
        drain.extend_at_most = table
            .optional("extend_at_most", value::duration)
            .unwrap_or(EXTEND_AT_MOST);
        table.finish();
    }
    drain
}

fn flap(table: Option<Table<'_>>) -> FlapGuard {
    let mut flap = FlapGuard::default();
    if let Some(table) = table {
        flap.takeovers = table
            .optional("takeovers", value::number(0, MOVES_COUNTED))
            .unwrap_or(flap.takeovers);
        flap.window = table.optional("window", value::duration).unwrap_or(flap.window);
        table.finish();
    }
    flap
}

fn giveback(table: Option<Table<'_>>) -> Giveback {
    let Some(table) = table else { return Giveback::Manual };
    let auto = table
        .optional("policy", word(&[("manual", false), ("auto", true)]))
        .unwrap_or(false);
    let delay = table.optional("delay", value::pause).unwrap_or(GIVEBACK_DELAY);
    let attempts = table
        .optional("attempts", value::number(1, COUNTED))
        .unwrap_or(GIVEBACK_ATTEMPTS);
    table.finish();
    if auto {
        Giveback::Auto { delay, attempts }
    } else {
        Giveback::Manual
    }
}

fn reboot(table: &Table<'_>) -> Option<Reboot> {
    let argv = table.required("argv", "[\"/usr/bin/systemctl\", \"restart\", \"redis\"]", value::argv);
    let machine = table.optional("machine", value::flag).unwrap_or(false);
    table.finish();
    Some(Reboot { argv: argv?, machine })
}

const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(2);
const RISE: u32 = 2;
const FALL: u32 = 3;
const GIVEBACK_DELAY: Duration = Duration::from_secs(60);
/// A drain that may take longer than this is no drain.
const EXTEND_AT_MOST: Duration = Duration::from_secs(300);
/// As many as are remembered.
const MOVES_COUNTED: u32 = 64;
const GIVEBACK_ATTEMPTS: u32 = 2;
/// More of anything that is counted in a row is a slip of the keyboard.
const COUNTED: u32 = 1000;
