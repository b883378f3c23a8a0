//! Starting, and hearing each other.

use super::{ANY, HOLDERS, RECORDS, SYNCED};
use crate::row::{Row, quiet, row};
use crate::turn::Turn;
use crate::{RoleName, force, holder, sync};

use RoleName::{Activating, Forcing, Fresh, Preparing, Released, Standby, StandingDown, Unsynced};

#[rustfmt::skip]
pub(super) const START: &[Row] = &[
    row("started-fresh", &[Unsynced], "started", Some(("the store is empty", sync::is_fresh)), sync::start_fresh, &[Fresh],
        "an empty store knows nothing: mute until a holder answers or an operator says where the service starts"),
    row("started-released", &[Unsynced], "started", Some(("a grant is outstanding", sync::has_grant)), sync::start_released, &[Released],
        "the release was durable before the restart: resend it, never serve"),
    row("started-superseded", &[Unsynced], "started", Some(("it was told before that somebody holds a higher term", sync::is_superseded)), sync::start_superseded, &[StandingDown],
        "it was standing down when it was restarted: stop the server first"),
    row("started-serving", &[Unsynced], "started", Some(("the server still serves under the held term", sync::still_serving)), sync::start_serving, &[Activating],
        "only the daemon was restarted, its server never stopped: go on"),
    row("started", &[Unsynced], "started", None, sync::start_unsynced, SYNCED,
        "whoever just started first hears every other candidate"),
];

#[rustfmt::skip]
pub(super) const HEARING: &[Row] = &[
    quiet("greeted", ANY, "peer connected", None, sync::greet, &[],
        "a new connection begins with a hello"),
    quiet("hello-again", ANY, "timer hello", None, sync::hello_again, &[],
        "somebody was not heard in this boot yet"),
    row("force-disturbed", &[Forcing], "Hello", Some(("it is listed as stopped, or has forgotten its promise", force::hello_disturbs)), force::disturbed, RECORDS,
        "a host that was said to be stopped is alive"),
    row("grant-settled", &[Released], "Hello", Some(("it holds the granted term, or knows who held it", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
        "the grant reached its host"),
    row("grant-settled", &[Released], "HelloReply", Some(("it holds the granted term, or knows who held it", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
        "the grant reached its host"),
    row("superseded", HOLDERS, "Hello", Some(("it holds a higher term", sync::sender_supersedes)), sync::stand_down, &[StandingDown],
        "a higher held term ends every lower right to serve"),
    row("superseded", HOLDERS, "HelloReply", Some(("it holds a higher term", sync::sender_supersedes)), sync::stand_down, &[StandingDown],
        "a higher held term ends every lower right to serve"),
    quiet("silent", &[StandingDown], "Hello", None, sync::learn_term, &[],
        "an answer would let the other serve: not before the server is stopped and the address dropped"),
    quiet("silent", &[StandingDown], "HelloReply", None, sync::learn_term, &[],
        "a held term is remembered"),
    row("adopted", &[Fresh], "Hello", Some(("it holds the service", sync::sender_holds_anything)), sync::adopt, &[Unsynced, Standby],
        "the holder's word makes an empty store part of the service"),
    row("adopted", &[Fresh], "HelloReply", Some(("it holds the service", sync::sender_holds_anything)), sync::adopt, &[Unsynced, Standby],
        "the holder's word makes an empty store part of the service"),
    row("synced", &[Unsynced], "HelloReply", Some(("everybody was heard", sync::all_heard)), sync::settle_after_sync, SYNCED,
        "everybody was heard: act on what is remembered"),
    quiet("holder-found", &[Standby, Preparing], "Hello", Some(("it holds more than was known", sync::sender_holds_more)), standby_learns, &[],
        "a held term is remembered"),
    quiet("holder-found", &[Standby, Preparing], "HelloReply", Some(("it holds more than was known", sync::sender_holds_more)), standby_learns, &[],
        "a held term is remembered"),
    quiet("hello", ANY, "Hello", None, sync::reply, &[],
        "every hello is answered with its own boot"),
];

/// A standby learns a held term from a hello, and answers it.
fn standby_learns(t: &mut Turn) {
    sync::reply(t);
    sync::learn_term(t);
}
