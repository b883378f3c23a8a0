//! Redis under load: not one acknowledged write may be lost when the service moves, there and back.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use understudy_protocol::ServerState;
use understudy_runtime::Manner;

use crate::redis::{Pair, Redis, fault};
use crate::side::Side;

/// Clients that each write a number that rises, to a key of their own, one after the other.
struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<std::thread::JoinHandle<()>>,
    acknowledged: Vec<Arc<AtomicU64>>,
}

const WRITERS: usize = 8;

impl Load {
    fn start(port: u16, from: &[u64]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged: Vec<_> = from.iter().map(|number| Arc::new(AtomicU64::new(*number))).collect();
        let writers = acknowledged.iter().enumerate().map(|(index, acknowledged)| {
            let (stop, acknowledged) = (stop.clone(), acknowledged.clone());
            std::thread::spawn(move || write(port, index, &stop, &acknowledged))
        });
        Self {
            writers: writers.collect(),
            stop,
            acknowledged,
        }
    }

    fn numbers(&self) -> Vec<u64> {
        self.acknowledged
            .iter()
            .map(|number| number.load(Ordering::SeqCst))
            .collect()
    }

    /// Ends it; what was acknowledged last to each.
    fn end(self) -> Vec<u64> {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.join().unwrap();
        }
        self.acknowledged
            .iter()
            .map(|number| number.load(Ordering::SeqCst))
            .collect()
    }
}

/// Until the connection breaks, as it does when the server stops, or the test ends.
fn write(port: u16, index: usize, stop: &AtomicBool, acknowledged: &AtomicU64) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut answer = String::new();
    while !stop.load(Ordering::SeqCst) {
        let next = acknowledged.load(Ordering::SeqCst) + 1;
        answer.clear();
        if write!(stream, "SET writer-{index} {next}\r\n").is_err() || answers.read_line(&mut answer).unwrap_or(0) == 0
        {
            return;
        }
        assert_eq!(answer, "+OK\r\n");
        acknowledged.store(next, Ordering::SeqCst);
    }
}

fn stored(redis: &Redis) -> Vec<u64> {
    (0..WRITERS)
        .map(|index| redis.cli(&["GET", &format!("writer-{index}")]).trim().parse().unwrap())
        .collect()
}

/// The whole story of a takeover, as the host tells it; how long nobody could write.
async fn hand_over(first: &mut Side, second: &mut Side, names: (&str, &str)) -> Duration {
    let found = fault("redis-persistence-failing");
    assert_eq!(second.refusal(&found).await, None);
    let began = Instant::now();
    first.knows("successor-host", names.1);
    first.stop_admitting().await;
    first.list_requests().await;
    first.settle().await;
    let requests = first.list_requests().await;
    assert!(
        requests.iter().any(|request| request.operation == "set"),
        "the load is in the compilation"
    );
    first.shut_down(Manner::Graceful).await;
    second.take_over().await;
    let stall = began.elapsed();
    assert_eq!(
        (first.observe().await, second.observe().await),
        (ServerState::Stopped, ServerState::Serving)
    );
    let resolved = second.resolve(requests.clone()).await;
    assert_eq!(resolved.len(), requests.len());
    first.attributes.clear();
    second.attributes.clear();
    first.knows("active-host", names.1);
    first.stand_by().await;
    assert_eq!(first.observe().await, ServerState::StandingBy);
    stall
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_there_and_back() {
    let mut pair = Pair::new("", "").await;
    let load = Load::start(pair.a.port, &[0; WRITERS]);
    wait_for_load(&load).await;
    let there = hand_over(&mut pair.first, &mut pair.second, ("a", "b")).await;
    let acknowledged = load.end();
    assert_eq!(
        stored(&pair.b),
        acknowledged,
        "what was held was never acknowledged, and never applied"
    );

    let load = Load::start(pair.b.port, &acknowledged);
    wait_for_load(&load).await;
    let back = hand_over(&mut pair.second, &mut pair.first, ("b", "a")).await;
    let acknowledged = load.end();
    assert_eq!(stored(&pair.a), acknowledged);
    println!(
        "stalls: there {there:?}, back {back:?}; {} writes",
        acknowledged.iter().sum::<u64>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_to_the_other_host_the_acknowledgement_is_waited_for() {
    let mut pair = Pair::new("", "").await;
    for side in [&mut pair.first, &mut pair.second] {
        let mut target = (*side.target).clone();
        target.endpoints.remove("peer");
        side.target = Arc::new(target);
    }
    let load = Load::start(pair.a.port, &[0; WRITERS]);
    wait_for_load(&load).await;
    let stall = hand_over(&mut pair.first, &mut pair.second, ("a", "b")).await;
    let acknowledged = load.end();
    assert_eq!(stored(&pair.b), acknowledged);
    println!("stall: {stall:?}");
}

async fn wait_for_load(load: &Load) {
    let end = Instant::now() + Duration::from_secs(20);
    while load.numbers().iter().any(|number| *number < 200) {
        assert!(Instant::now() < end, "the load never came up: {:?}", load.numbers());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
