//! What a plugin must not get away with.

use serde_json::Value;

use crate::bindings::exports::understudy::plugin::{drainer, probe};
use crate::bindings::understudy::plugin::ledger::{DispositionSink, RequestSink, RequestSource};
use crate::bindings::understudy::plugin::types::{
    CallContext, Disposition, HostError, Outcome, PluginError, RequestState, RequestStatus, SavedState,
};
use crate::bindings::understudy::plugin::{clock, log, system};
use crate::{Seen, fault, reach, saved};

/// Does what the configuration says, and says what it saw.
pub(crate) fn run(config: &Value, context: &CallContext) -> Result<Seen, PluginError> {
    let number = |name: &str| config[name].as_u64().unwrap_or_default();
    match config["do"].as_str().unwrap_or_default() {
        "" => Ok(Seen::new()),
        "context" => Ok(seen_context(context)),
        "spin" => spin(),
        "recurse" => Ok(vec![pair("sum", recurse(u64::MAX))]),
        "recurse-in-memory" => Ok(vec![pair("sum", recurse_in_memory(u64::MAX))]),
        "memory" => take_memory(),
        "memory-politely" => Ok(take_memory_politely()),
        "trap" => trap(),
        "panic" => panic!("the hostile plugin panics on purpose"),
        "log" => Ok(log_lines(number("lines"), number("bytes"))),
        "huge-argument" => Ok(huge_argument(number("bytes"))),
        "sleep" => Ok(sleep(number("ms"))),
        "sleep-by-wasi" => {
            std::thread::sleep(std::time::Duration::from_millis(number("ms")));
            Ok(vec![pair("slept", number("ms"))])
        }
        "until-cancelled" => Ok(until_cancelled()),
        "error" => Err(error("no-server", "it does not answer", true)),
        other => reach::run(other, config, Some(context)).ok_or_else(|| error("unknown-behaviour", other, false)),
    }
}

/// Whole reports that break a rule.
pub(crate) fn report(config: &Value) -> Option<probe::Report> {
    let mut report = probe::Report {
        verdict: probe::Verdict::Healthy,
        faults: Vec::new(),
        readings: Vec::new(),
        state: None,
    };
    let bytes = usize::try_from(config["bytes"].as_u64().unwrap_or_default()).unwrap_or(usize::MAX);
    match config["do"].as_str().unwrap_or_default() {
        "healthy" => {}
        "failing-without-fault" => report.verdict = probe::Verdict::Failing,
        "bad-code" => report.faults.push(crate::Fault {
            code: "Not Kebab".to_owned(),
            ..fault(Seen::new())
        }),
        "not-a-number" => report.readings.push(system::Reading {
            key: "lag".to_owned(),
            value: f64::NAN,
            unit: "s".to_owned(),
            attributes: Vec::new(),
        }),
        "huge-answer" => {
            report.faults.push(crate::Fault {
                message: "x".repeat(bytes),
                ..fault(Seen::new())
            });
        }
        "huge-state" => {
            report.state = Some(SavedState {
                format: 1,
                data: vec![0; bytes],
            })
        }
        "many-faults" => report.faults = vec![fault(Seen::new()); bytes],
        _ => return None,
    }
    Some(report)
}

/// Counts its own calls in the state that the host keeps.
pub(crate) fn next_state(config: &Value, context: &CallContext) -> Option<SavedState> {
    if config["count"] != true {
        return None;
    }
    let before = context
        .state
        .as_ref()
        .and_then(|state| state.data.clone().try_into().ok());
    Some(saved(before.map_or(0, u64::from_le_bytes) + 1))
}

/// Pushes `count` requests in pages of `page`.
pub(crate) fn list(config: &Value, into: &RequestSink) -> Result<(), PluginError> {
    let number = |name: &str, otherwise: u64| config[name].as_u64().unwrap_or(otherwise);
    if config["do"] == "spin" {
        spin();
    }
    let (count, page) = (number("requests", 0), number("page", 4096).max(1));
    let resume = usize::try_from(number("resume", 0)).unwrap_or(usize::MAX);
    let mut id = 0;
    while id < count {
        let next = count.min(id + page);
        let requests: Vec<RequestStatus> = (id..next).map(|id| request(id, resume)).collect();
        into.push(&requests).map_err(from_host)?;
        id = next;
    }
    Ok(())
}

/// Gives every request of the compilation a disposition, but stops early where told so.
pub(crate) fn resolve(
    config: &Value,
    requests: &RequestSource,
    into: &DispositionSink,
) -> Result<drainer::Step, PluginError> {
    let most = config["most"].as_u64().unwrap_or(u64::MAX);
    let (mut done, total) = (0, requests.total());
    loop {
        let page = requests.next(1000);
        if page.is_empty() || done >= most {
            break;
        }
        done += page.len() as u64;
        let dispositions: Vec<Disposition> = page.into_iter().map(disposition).collect();
        into.push(&dispositions).map_err(from_host)?;
    }
    let left = total - done;
    let status = match left {
        0 => drainer::Status::Done,
        _ => drainer::Status::Working(drainer::Working {
            remaining: Some(left),
            blocker: None,
            retry_in_ms: 10,
        }),
    };
    Ok(drainer::Step { status, state: None })
}

pub(crate) fn spin() -> ! {
    let mut number = 0u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

pub(crate) fn pair(key: &str, value: impl ToString) -> (String, String) {
    (key.to_owned(), value.to_string())
}

/// Its frames hold numbers only: they are on the sandbox's own stack.
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == 0 {
        0
    } else {
        recurse(depth - 1).wrapping_mul(3) ^ depth
    }
}

/// Its frames have an address: they are on the stack in the guest's memory, which ends first.
fn recurse_in_memory(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    if depth == 0 {
        0
    } else {
        recurse_in_memory(depth - 1) + here[(depth % 64) as usize]
    }
}

/// Leaks; the allocator aborts when there is no more.
fn take_memory() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1u8; 1 << 20]));
    }
}

fn take_memory_politely() -> Seen {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(1 << 20).is_err() {
            return vec![pair("megabytes", hoard.len())];
        }
        hoard.push(block);
    }
}

fn trap() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

fn log_lines(lines: u64, bytes: u64) -> Seen {
    let line = "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX));
    for _ in 0..lines {
        log::write(log::Level::Info, &line, &[pair("from", "hostile")]);
    }
    vec![pair("logged", lines)]
}

fn huge_argument(bytes: u64) -> Seen {
    let line = "x".repeat(usize::try_from(bytes).unwrap_or(usize::MAX));
    log::write(log::Level::Trace, &line, &[]);
    vec![pair("logged", bytes)]
}

fn sleep(ms: u64) -> Seen {
    clock::sleep_ms(ms);
    vec![pair("slept", ms), pair("remaining-ms", clock::remaining_ms())]
}

fn until_cancelled() -> Seen {
    while !clock::cancelled() {
        clock::sleep_ms(60_000);
    }
    vec![pair("cancelled", true)]
}

fn seen_context(context: &CallContext) -> Seen {
    let mut seen = vec![
        pair("service", &context.target.service),
        pair("server-type", &context.target.server_type),
        pair("host", &context.target.host),
        pair("term", context.term),
        pair("expected", format!("{:?}", context.expected)),
        pair("attempt", context.attempt),
        pair("remaining-ms", context.remaining_ms),
    ];
    let attributes = context.target.attributes.iter().chain(&context.attributes);
    seen.extend(attributes.map(|(key, value)| (format!("attribute-{key}"), value.clone())));
    seen
}

fn request(id: u64, resume: usize) -> RequestStatus {
    RequestStatus {
        id: format!("request-{id}"),
        client: "192.0.2.1:4711".to_owned(),
        operation: "GET /report".to_owned(),
        state: RequestState::Running,
        started_at_ms: 1_700_000_000_000 + id,
        progress: None,
        idempotency_key: None,
        resume: (resume > 0).then(|| vec![7; resume]),
        attributes: vec![pair("worker", id % 8)],
    }
}

fn disposition(request: RequestStatus) -> Disposition {
    let (outcome, message) = match request.state {
        RequestState::Completed => (Outcome::Completed, "answered"),
        RequestState::Failed | RequestState::Refused => (Outcome::Refused, "not again"),
        RequestState::Queued => (Outcome::Replayed, "from the start"),
        RequestState::Running if request.resume.is_some() => (Outcome::Resumed, "where it stopped"),
        RequestState::Running => (Outcome::ClientRetries, "the client asks again"),
        RequestState::Cut => (Outcome::Lost, "nobody knows"),
    };
    Disposition {
        id: request.id,
        outcome,
        message: message.to_owned(),
    }
}

fn from_host(refused: HostError) -> PluginError {
    error(&refused.code, &refused.message, false)
}

fn error(code: &str, message: &str, retryable: bool) -> PluginError {
    PluginError {
        code: code.to_owned(),
        message: message.to_owned(),
        retryable,
        attributes: Vec::new(),
    }
}
