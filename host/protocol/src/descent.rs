//! Standing down: somebody holds a higher term, so this host has no right to serve, whatever it was doing.
//!
//! Invariant: an answer to a hello lets a holder serve. So nobody gets one, and the held term stays on disk, until the
//! server is stopped and the address dropped; a crash in between begins the same again.

use crate::role::Role;
use crate::turn::Turn;
use crate::{Alert, HostName, Message, StopPurpose, TimerName, Work, standby, sync};

pub(crate) fn stand_down(t: &mut Turn) {
    sync::learn_term(t);
    t.clear(&[
        "impaired",
        "unknown",
        "nobody-takes-over",
        "moves-withheld",
        "serve-fails",
        "overlap-lasts",
    ]);
    if let Some((host, term)) = t.m.active().map(|(host, term)| (host.clone(), term)) {
        t.note(format_args!("{host} serves under term {term}"));
        t.raise(Alert::Superseded { host, term });
    }
    sync::stop_holder_timers(t);
    t.stop_timers(&[TimerName::Observe, TimerName::Silence, TimerName::Hold]);
    t.become_role(Role::StandingDown { stopped: false });
    t.abandon();
    go_on(t);
}

/// The step that is to be done. The server by force: what it would still do in order could only be done twice.
fn go_on(t: &mut Turn) {
    match (&t.m.role, t.m.durable.held) {
        (Role::StandingDown { stopped: true }, Some(term)) => t.work(Work::DropAddress { term }),
        _ => t.work(Work::StopServer {
            purpose: StopPurpose::StayDown,
            forced: true,
        }),
    }
    let bound = t.m.plan.timing.stop;
    t.start_timer(TimerName::Stop, bound);
}

pub(crate) fn go_on_again(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::StopFails { error });
    t.abandon();
    go_on(t);
}

/// A step that fails at once would fail without end: the next attempt waits for its timer.
pub(crate) fn step_failed(t: &mut Turn) {
    let error = t.error();
    t.note(&error);
    t.raise(Alert::StopFails { error });
}

pub(crate) fn stopping(t: &Turn) -> bool {
    matches!(t.m.role, Role::StandingDown { stopped: false }) && standby::stopped_for_stay_down(t)
}

pub(crate) fn dropping(t: &Turn) -> bool {
    matches!(t.m.role, Role::StandingDown { stopped: true })
}

pub(crate) fn server_stopped(t: &mut Turn) {
    t.become_role(Role::StandingDown { stopped: true });
    go_on(t);
}

/// The server is stopped and the address dropped: now it may be said.
pub(crate) fn stood_down(t: &mut Turn) {
    t.clear(&["stop-fails"]);
    t.stop_timers(&[TimerName::Stop]);
    t.m.durable.held = None;
    t.m.durable.tenure = None;
    t.m.durable.begun = None;
    if t.m.synced() {
        standby::enter(t);
    } else {
        t.become_role(Role::Unsynced);
        sync::watch_server(t);
    }
    answer_all(t);
}

/// Answers the hellos that were left unanswered, so that nobody waits for its own timer.
fn answer_all(t: &mut Turn) {
    let standing = t.m.standing();
    let asked: Vec<(HostName, Message)> = (t.m.peers.iter())
        .filter_map(|(host, peer)| {
            let (_, echo) = peer.session.filter(|_| peer.connected)?;
            let standing = standing.clone();
            Some((host.clone(), Message::HelloReply { echo, standing }))
        })
        .collect();
    asked.into_iter().for_each(|(host, answer)| t.send(&host, answer));
}
