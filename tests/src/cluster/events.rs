//! Follows both hosts' journals by their event streams, as the page does: a stream that breaks is taken up again where
//! it ended.

use std::time::Duration;

use anyhow::Result;
use http_body_util::BodyExt;
use hyper::Method;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::rest::Rest;
use super::said::JournalLine;

/// What came over a stream.
#[derive(Debug, Clone)]
pub enum Said {
    /// A line of the journal.
    Line(Box<JournalLine>),
    /// The host can't be reached, or can be again.
    Reachable(bool),
}

/// A daemon that was restarted is there again within a second or so.
const RETRY: Duration = Duration::from_millis(200);

/// Sends every line of the host's journal, from the first on, until `stop`.
pub(super) async fn follow(
    host: &'static str,
    rest: Rest,
    to: mpsc::UnboundedSender<(&'static str, Said)>,
    stop: CancellationToken,
) {
    let mut last = 0;
    let mut reachable = true;
    while !stop.is_cancelled() {
        let lines = async {
            let ended = stream(&rest, &mut last, |line| {
                if !std::mem::replace(&mut reachable, true) {
                    to.send((host, Said::Reachable(true))).ok();
                }
                to.send((host, Said::Line(Box::new(line)))).ok();
            });
            ended.await.is_err()
        };
        let broken = tokio::select! {
            () = stop.cancelled() => return,
            broken = lines => broken,
        };
        if broken && std::mem::replace(&mut reachable, false) {
            to.send((host, Said::Reachable(false))).ok();
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn stream(rest: &Rest, last: &mut u64, mut tell: impl FnMut(JournalLine)) -> Result<()> {
    let answer = rest
        .send(Method::GET, &format!("/api/v1/events?last_event_id={last}"), None)
        .await?;
    anyhow::ensure!(answer.status().is_success(), "no stream: {}", answer.status());
    let mut body = answer.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        text.extend_from_slice(&data);
        while let Some(end) = text.windows(2).position(|w| w == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            if let Some(line) = journal_line(&String::from_utf8_lossy(&event)) {
                *last = line.seq;
                tell(line);
            }
        }
    }
    Ok(())
}

fn journal_line(event: &str) -> Option<JournalLine> {
    let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).map(str::trim_start);
    if field("event:")? != "journal" {
        return None;
    }
    serde_json::from_str(field("data:")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_journal_events_are_lines() {
        let line = r#"{"seq":3,"at_ms":1,"host":"alpha","service":"redis","step":"released","reason":"r","detail":"d","from":"stopped","to":"released","term":{"value":1,"text":"1"},"round":null}"#;
        let event = format!("event: journal\nid: 3\ndata: {line}\n\n");
        assert_eq!(journal_line(&event).unwrap().step, "released");
        assert!(journal_line("event: view\ndata: []\n\n").is_none());
        assert!(journal_line(": keep-alive\n\n").is_none());
    }
}
