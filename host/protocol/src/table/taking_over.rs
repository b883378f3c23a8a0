//! The second's way from the release to serving.

use super::HOLDERS;
use crate::row::{Row, quiet, row};
use crate::{RoleName, candidate, holder, sync, undo};

use RoleName::{Activating, Active, Asking, Draining, Parked, Preparing, Standby};

#[rustfmt::skip]
pub(super) const TAKE_OVER: &[Row] = &[
    row("grant-accepted", &[Standby, Preparing], "Released", Some(("it names this host with a high enough term", candidate::grant_is_usable)), candidate::accept_grant, &[Activating],
        "the token is this host's: the term is durable before the server starts"),
    row("grant-refused", &[Standby, Preparing], "Released", Some(("its term is not above what is known", candidate::grant_is_stale)), candidate::refuse_grant, &[],
        "a term that was promised or passed can't be used"),
    quiet("grant-confirmed", HOLDERS, "Released", None, candidate::confirm_grant, &[],
        "the releaser has not heard that its grant is used"),
    row("server-serves", &[Activating], "serve done", Some(("it is this term's", candidate::activation_is_current)), candidate::take_address, &[],
        "the server answers: take the address"),
    row("serve-retried", &[Activating], "serve failed", Some(("attempts are left", candidate::may_try_again)), candidate::serve_again, &[],
        "the server did not start: try again"),
    row("serve-retried", &[Activating], "take-address failed", Some(("attempts are left", candidate::may_try_again)), candidate::serve_again, &[],
        "the address could not be taken: try again"),
    row("serve-retried", &[Activating], "resume failed", Some(("attempts are left", candidate::may_try_again)), candidate::serve_again, &[],
        "admission could not be resumed: try again, from the start"),
    row("serve-retried", &[Activating], "appear failed", Some(("attempts are left", candidate::may_try_again)), candidate::serve_again, &[],
        "the address could not be announced: try again, from the start"),
    row("serve-retried", &[Activating], "timer serve", Some(("attempts are left", candidate::may_try_again)), candidate::serve_again, &[],
        "the server takes too long: try again"),
    row("parked", &[Activating], "serve failed", Some(("it is this term's", candidate::activation_is_current)), holder::park_unstartable, &[Parked, Draining],
        "the server can't be made to serve: hold the term and look for somebody who can"),
    row("parked", &[Activating], "take-address failed", Some(("it is this term's", candidate::activation_is_current)), holder::park_unstartable, &[Parked, Draining],
        "the address can't be taken: hold the term and look for somebody who can"),
    row("parked", &[Activating], "resume failed", Some(("it is this term's", candidate::activation_is_current)), holder::park_unstartable, &[Parked, Draining],
        "admission could not be resumed: hold the term and look for somebody who can serve"),
    row("parked", &[Activating], "appear failed", Some(("it is this term's", candidate::activation_is_current)), holder::park_unstartable, &[Parked, Draining],
        "the address could not be announced: hold the term and look for somebody who can serve"),
    row("parked", &[Activating], "timer serve", None, holder::park_unstartable, &[Parked, Draining],
        "the server can't be made to serve: hold the term and look for somebody who can"),
    row("resuming", &[Activating], "take-address done", Some(("admission was stopped before", undo::owes_resume)), undo::resume, &[],
        "the drain came to nothing: what was begun is undone, in reverse order"),
    row("resumed", &[Activating], "resume done", Some(("it is this term's", candidate::activation_is_current)), candidate::become_active, &[Active],
        "everything that was begun is undone: clients are admitted again"),
    row("serving", &[Activating], "appear done", Some(("it is this term's", candidate::activation_is_current)), candidate::become_active, &[Active],
        "new clients are admitted here; the first completes what it has"),
    row("serving", &[Activating], "take-address done", Some(("it is this term's", candidate::activation_is_current)), candidate::become_active, &[Active],
        "the address is here: clients are admitted"),
    row("took-over", HOLDERS, "resolve-requests done", Some(("it is this term's", candidate::resolved_current)), candidate::resolved, &[],
        "every request of the compilation has its disposition"),
    row("resolving-later", HOLDERS, "resolve-requests failed", Some(("it is this term's", candidate::resolved_current)), candidate::resolve_later, &[],
        "some requests have no disposition yet: try again"),
    quiet("resolving-again", &[Active, Asking, Draining], "timer serve", Some(("requests are without a disposition", candidate::has_unresolved)), candidate::resolve, &[],
        "some requests have no disposition yet: try again"),
];

#[rustfmt::skip]
pub(super) const PARKED: &[Row] = &[
    row("unparked", &[Parked], "timer retry", Some(("the fault is gone", holder::fault_is_gone)), sync::begin_serving, &[Activating],
        "the fault went while the server was being stopped, and the term is still held: serve"),
    row("asked-again", &[Parked], "timer retry", Some(("somebody is ready, and it is not this host's turn to try", holder::may_ask_the_ready)), holder::ask_from_parked, &[Asking, Parked],
        "somebody may take over by now"),
    row("serve-retried", &[Parked], "timer retry", Some(("it was the start that failed", holder::start_failed)), sync::begin_serving, &[Activating],
        "nobody else is ready, or will: try to serve once more"),
    quiet("still-parked", &[Parked], "timer retry", None, holder::wait_parked, &[],
        "the fault is there and nobody is ready"),
    row("unparked", &[Parked], "verdict healthy", None, sync::begin_serving, &[Activating],
        "the fault is gone and the term is still held: serve"),
];
