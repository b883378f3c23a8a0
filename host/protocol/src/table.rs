//! The whole protocol as one list: in these roles, on this event, if this holds, do that; it ends in one of those roles,
//! and this is why. Rows are tried in order, the first that applies is taken; where none applies, nothing happens.
//!
//! Invariants: every change of role is a row here (a debug build checks each turn against it); every waiting role has
//! a row for its timer; `understudy fsm` and the README's diagram are printed from this file.

use crate::row::{Row, quiet, row};
use crate::turn::Turn;
use crate::{RoleName, candidate, force, holder, standby, sync};

use RoleName::{
    Activating, Active, Asking, Draining, Forcing, Fresh, Parked, Preparing, Released, Standby, Stopped, Unsynced,
};

/// All rows, in the order in which they are tried.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter())
}

const ANY: &[RoleName] = &RoleName::ALL;
/// Whoever holds a term.
const HOLDERS: &[RoleName] = &[Activating, Active, Asking, Draining, Stopped, Parked];
/// Where a host is after it has heard everybody.
const SYNCED: &[RoleName] = &[Unsynced, Standby, Activating];
/// Where an ended force attempt leads.
const RECORDS: &[RoleName] = &[Fresh, Unsynced, Standby, Released];

/// The rows by the part of the protocol they belong to.
#[rustfmt::skip]
pub(crate) const SECTIONS: &[(&str, &[Row])] = &[
    ("start", &[
        row("started-fresh", &[Unsynced], "started", Some(("the store is empty", sync::is_fresh)), sync::start_fresh, &[Fresh],
            "an empty store knows nothing: mute until a holder answers or an operator says where the service starts"),
        row("started-released", &[Unsynced], "started", Some(("a grant is outstanding", sync::has_grant)), sync::start_released, &[Released],
            "the release was durable before the restart: resend it, never serve"),
        row("started-serving", &[Unsynced], "started", Some(("the server still serves under the held term", sync::still_serving)), sync::start_serving, &[Activating],
            "only the daemon was restarted, its server never stopped: go on"),
        row("started", &[Unsynced], "started", None, sync::start_unsynced, SYNCED,
            "whoever just started first hears every other candidate"),
    ]),
    ("hearing each other", &[
        quiet("greeted", ANY, "peer connected", None, sync::greet, &[],
            "a new connection begins with a hello"),
        row("hello-again", &[Unsynced], "timer hello", Some(("everybody was heard", sync::all_heard)), sync::settle_after_sync, SYNCED,
            "everybody was heard: act on what is remembered"),
        quiet("hello-again", ANY, "timer hello", None, sync::hello_again, &[],
            "somebody was not heard in this boot yet"),
        row("force-disturbed", &[Forcing], "Hello", Some(("it is listed as stopped, or has forgotten its promise", force::hello_disturbs)), force::disturbed, RECORDS,
            "a host that was said to be stopped is alive"),
        row("grant-settled", &[Released], "Hello", Some(("it holds the granted term", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
            "the grant reached its host"),
        row("grant-settled", &[Released], "HelloReply", Some(("it holds the granted term", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
            "the grant reached its host"),
        row("superseded", HOLDERS, "Hello", Some(("it holds a higher term", sync::sender_supersedes)), sync::stand_down, &[Standby],
            "a higher held term ends every lower right to serve"),
        row("superseded", HOLDERS, "HelloReply", Some(("it holds a higher term", sync::sender_supersedes)), sync::stand_down, &[Standby],
            "a higher held term ends every lower right to serve"),
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
    ]),
    ("monitor and indicate", &[
        row("fault-indicated", &[Active], "verdict failing", Some(("the fault requires a shutdown, and nobody was asked just now", holder::must_ask)), holder::ask_for_fault, &[Asking, Active],
            "a fault will force the server down: tell a candidate at once, before the cause is known"),
        row("fault-indicated", &[Active], "verdict unknown", Some(("the policy takes unknown for a fault", holder::unknown_means_takeover)), holder::ask_for_fault, &[Asking, Active],
            "the operator's policy is to move a service whose state is unknown"),
        row("impaired", &[Active], "verdict failing", None, holder::tell_impaired, &[],
            "the fault does not require a shutdown: tell the operator"),
        row("impaired", &[Active], "verdict impaired", None, holder::tell_impaired, &[],
            "the fault does not require a shutdown: tell the operator"),
        row("unknown", &[Active], "verdict unknown", None, holder::tell_unknown, &[],
            "unknown is not failed: tell the operator"),
        quiet("well", &[Active], "verdict healthy", None, holder::well_again, &[],
            "nothing is wrong any more"),
        row("fault-reported", &[Asking], "diagnose done", Some(("it is this round's", holder::diagnosis_is_current)), holder::report_diagnosis, &[],
            "the second indication: kind, code and evidence of the fault"),
        row("fault-reported", &[Asking], "diagnose failed", Some(("it is this round's", holder::diagnosis_is_current)), holder::report_diagnosis, &[],
            "the diagnosis failed: report what the probe had found"),
        row("fault-reported", &[Asking], "timer diagnosis", Some(("nothing was reported yet", holder::diagnosis_is_current)), holder::report_diagnosis, &[],
            "the diagnosis takes too long: report what the probe had found"),
        row("ask-ended", &[Asking], "verdict healthy", Some(("the round was opened for a fault", holder::asked_for_fault)), holder::fault_gone, &[Active],
            "the fault is gone before anybody took over"),
        row("asked-again", &[Active], "timer retry", Some(("the fault still requires a shutdown", holder::shutdown_required)), holder::ask_for_fault, &[Asking, Active],
            "nobody could take over last time: ask all candidates again"),
        row("shut-down-alone", &[Active, Asking], "timer shutdown-within", Some(("the fault still requires a shutdown", holder::shutdown_required)), holder::shut_down_alone, &[Draining],
            "the fault allows no more waiting: shut down in order and keep the compilation"),
    ]),
    ("orders to move the service", &[
        row("order-refused", &[Active], "order takeover", Some(("the holder objects", holder::objects)), holder::refuse_wanted, &[],
            "a refusal says why and what would change it"),
        row("order-refused", &[Active], "order giveback", Some(("the holder objects", holder::objects)), holder::refuse_wanted, &[],
            "a refusal says why and what would change it"),
        row("ask-refused", &[Active], "TakeoverAsked", Some(("the holder objects", holder::objects)), holder::refuse_wanted, &[],
            "a refusal says why and what would change it"),
        row("takeover-ordered", &[Active], "order takeover", None, holder::ask_as_wanted, &[Asking],
            "an operator moves the service: only the holder opens rounds"),
        row("giveback-ordered", &[Active], "order giveback", None, holder::ask_as_wanted, &[Asking],
            "the service goes home by the same protocol"),
        row("takeover-asked", &[Active], "TakeoverAsked", None, holder::ask_as_wanted, &[Asking],
            "a standby asks, the holder opens the round"),
        row("giveback-planned", &[Active], "StayingDown", Some(("home is ready and giveback is automatic", holder::home_is_ready)), holder::plan_giveback, &[],
            "home is ready again: wait for the configured delay").quietly(),
        row("giveback-begun", &[Active], "timer giveback", Some(("home is still ready", holder::home_is_ready)), holder::give_back, &[Asking, Active],
            "the delay is over and home is still ready"),
        row("order-refused", &[Activating, Asking, Draining, Stopped, Parked], "order takeover", None, holder::refuse_under_way, &[],
            "one operation at a time for a service"),
        row("order-refused", &[Activating, Asking, Draining, Stopped, Parked], "order giveback", None, holder::refuse_under_way, &[],
            "one operation at a time for a service"),
        row("ask-refused", &[Activating, Asking, Draining, Stopped, Parked], "TakeoverAsked", None, holder::refuse_under_way, &[],
            "one operation at a time for a service"),
        row("order-passed-on", &[Standby, Preparing], "order takeover", None, standby::pass_order_on, &[],
            "only the holder opens rounds: ask it"),
        row("order-passed-on", &[Standby, Preparing], "order giveback", None, standby::pass_order_on, &[],
            "only the holder opens rounds: ask it"),
        row("ask-was-refused", &[Standby, Preparing], "AskRefused", None, standby::note_ask_refused, &[],
            "the holder says why not"),
        row("order-refused", &[Fresh, Unsynced, Forcing], "order takeover", None, standby::refuse_unknown_holder, &[],
            "this host does not know who is active"),
        row("order-refused", &[Fresh, Unsynced, Forcing], "order giveback", None, standby::refuse_unknown_holder, &[],
            "this host does not know who is active"),
        row("order-refused", &[Released], "order takeover", None, standby::refuse_released, &[],
            "the release can't be taken back"),
        row("order-refused", &[Released], "order giveback", None, standby::refuse_released, &[],
            "the release can't be taken back"),
        row("ask-ended", &[Asking], "order cancel", None, holder::cancel_asking, &[Active, Parked],
            "an operator ends the round"),
        row("drain-aborted", &[Draining, Stopped], "order cancel", None, holder::abort_by_operator, &[Active, Activating, Parked],
            "until the release an operator may end it: resume serving"),
        row("order-refused", &[Released], "order cancel", None, standby::refuse_released, &[],
            "the release can't be taken back"),
        row("force-ended", &[Forcing], "order cancel", None, force::cancel, RECORDS,
            "an operator ends the attempt"),
        row("order-refused", &[Fresh, Unsynced, Standby, Preparing, Activating, Active, Parked], "order cancel", None, standby::refuse_nothing_under_way, &[],
            "nothing is under way on this host"),
    ]),
    ("assess", &[
        row("fault-heard", &[Standby], "FaultIndicated", Some(("the sender knows the present term", candidate::sender_is_current)), candidate::prepare, &[Preparing],
            "the first indication: get ready, nothing is known yet"),
        row("fault-heard", &[Preparing], "FaultIndicated", Some(("the sender knows the present term", candidate::sender_is_current)), candidate::prepare, &[],
            "a newer round replaces the older"),
        row("declined", &[Fresh, Unsynced, Standby, Preparing, Released], "FaultReported", Some(("this host objects", candidate::objects)), candidate::decline_at_once, &[Fresh, Unsynced, Standby, Released],
            "this host can't take over, and says why and what would change it"),
        row("assessing", &[Standby, Preparing], "FaultReported", Some(("the sender knows the present term", candidate::sender_is_current)), candidate::assess, &[Preparing],
            "the second indication: find out whether this host can back the service up"),
        row("declined", &[Released, Forcing], "FaultReported", None, candidate::decline_busy, &[],
            "this host is busy with the same service"),
        quiet("own-term-told", HOLDERS, "FaultReported", None, holder::answer_with_own_term, &[],
            "somebody acts under an older term"),
        row("shutdown-commanded", &[Preparing], "assess done", Some(("the server can, and it is this round's", candidate::assessed_able)), candidate::command_shutdown, &[],
            "this host can back the service up: the first may shut down"),
        row("declined", &[Preparing], "assess done", Some(("it is this round's", candidate::assessment_is_current)), candidate::decline_assessed, &[Standby],
            "the plugin's assessment says no, and what would change it"),
        row("declined", &[Preparing], "assess failed", Some(("it is this round's", candidate::assessment_is_current)), candidate::decline_assessed, &[Standby],
            "without an assessment there is no offer"),
        row("declined", &[Preparing], "timer assessment", Some(("it is still assessing", candidate::assessment_is_current)), candidate::decline_assessed, &[Standby],
            "the assessment takes too long: the first asks the next one"),
        quiet("drain-heard", &[Preparing], "DrainProgressed", Some(("it is this round's", candidate::round_is_current)), candidate::note_progress, &[],
            "the first still drains: the offer stands"),
        row("offer-cancelled", &[Preparing], "Cancelled", Some(("it is this round's", candidate::round_is_current)), candidate::forget_cancelled, &[Standby],
            "the holder ended the round"),
        row("offer-forgotten", &[Preparing], "timer offer", None, candidate::forget_offer, &[Standby],
            "the holder says nothing more; a release would still count"),
    ]),
    ("the candidate's answer", &[
        row("drain-started", &[Asking], "ShutdownCommanded", Some(("it answers this round with a higher term", holder::command_is_valid)), holder::start_drain, &[Draining],
            "the second commands the shutdown: refuse new requests, complete the existing ones"),
        row("offer-stale", &[Asking], "ShutdownCommanded", Some(("it answers this round", holder::answer_is_current)), holder::next_after_stale_term, &[Asking, Active, Parked],
            "the offered term is not above what this host knows"),
        row("candidate-declined", &[Asking], "Declined", Some(("it answers this round", holder::answer_is_current)), holder::next_after_decline, &[Asking, Active, Parked],
            "the candidate can't: ask the next one, or go on serving as long as the fault lets it"),
        row("candidate-silent", &[Asking], "timer answer", None, holder::next_after_silence, &[Asking, Active, Parked],
            "the candidate did not answer: ask the next one, or go on serving as long as the fault lets it"),
    ]),
    ("drain", &[
        row("admission-stopped", &[Draining], "stop-admitting done", Some(("it is this round's", holder::work_is_current)), holder::settle, &[],
            "new requests wait for the second: complete the existing ones"),
        quiet("drain-progressed", &[Draining], "drain progress", None, holder::note_progress, &[],
            "the second and the operator see what remains and who blocks"),
        row("drained", &[Draining], "settle done", Some(("it is this round's", holder::work_is_current)), holder::seal, &[],
            "every request is completed and what must finish has finished"),
        row("drain-forced", &[Draining], "timer drain", Some(("the policy is to force", holder::policy_forces)), holder::force_drain, &[],
            "the deadline has passed: the requests that are left are written down as cut"),
        row("drain-extended", &[Draining], "timer drain", Some(("the policy is to extend", holder::policy_extends)), holder::extend_drain, &[],
            "the deadline has passed: wait once more"),
        row("drain-aborted", &[Draining], "timer drain", None, holder::abort_at_deadline, &[Active, Activating, Parked],
            "the deadline has passed: resume serving"),
        row("drain-forced", &[Draining], "stop-admitting failed", Some(("the policy is to force", holder::failed_step_is_forced)), holder::force_drain, &[],
            "the server can't drain in order, and it must go down"),
        row("drain-forced", &[Draining], "settle failed", Some(("the policy is to force", holder::failed_step_is_forced)), holder::force_drain, &[],
            "the server can't drain in order, and it must go down"),
        row("drain-aborted", &[Draining], "stop-admitting failed", Some(("it is this round's", holder::work_is_current)), holder::abort_failed, &[Active, Activating, Parked],
            "before the release every error means: resume serving"),
        row("drain-aborted", &[Draining], "settle failed", Some(("it is this round's", holder::work_is_current)), holder::abort_failed, &[Active, Activating, Parked],
            "before the release every error means: resume serving"),
    ]),
    ("compile", &[
        row("compilation-kept", &[Draining], "seal-compilation done", Some(("nobody takes over", holder::nobody_takes_over)), holder::stop_server, &[],
            "the compilation is kept for whoever comes"),
        row("compilation-sealed", &[Draining], "seal-compilation done", Some(("it is this round's", holder::work_is_current)), holder::sealed, &[],
            "the status of every request is complete: the second must store it"),
        row("drain-aborted", &[Draining], "seal-compilation failed", Some(("it is this round's", holder::work_is_current)), holder::abort_failed, &[Active, Activating, Parked],
            "without a compilation nothing is released"),
        quiet("compilation-resent", &[Draining], "timer compilation-resend", Some(("it is not stored yet", holder::awaits_stored)), holder::resend_compilation, &[],
            "the second has not confirmed the compilation"),
        quiet("compilation-resent", &[Draining], "resend-compilation done", Some(("it is this round's", holder::work_is_current)), holder::announce_seal, &[],
            "the second has not confirmed the compilation"),
        quiet("compilation-resent", &[Draining], "resend-compilation failed", Some(("it is this round's", holder::work_is_current)), holder::announce_seal, &[],
            "the second has not confirmed the compilation"),
        row("drain-aborted", &[Draining], "timer compilation", None, holder::abort_unstored, &[Active, Activating, Parked],
            "without the second's word that it has the compilation nothing is released"),
        quiet("compilation-received", &[Standby, Preparing, Unsynced], "Compilation", None, candidate::store_compilation, &[],
            "the compilation must be durable before it is confirmed"),
        row("compilation-stored", &[Standby, Preparing, Unsynced], "store-compilation done", None, candidate::confirm_compilation, &[],
            "the compilation is durable here: the first may release"),
        row("compilation-incomplete", &[Standby, Preparing, Unsynced], "store-compilation failed", None, candidate::note_unstored, &[],
            "the pages do not make the sealed compilation: the first sends them again"),
        row("server-stopping", &[Draining], "CompilationStored", Some(("it matches this round's seal", holder::stored_matches)), holder::stop_server, &[],
            "the second holds the compilation: stop the server"),
    ]),
    ("release", &[
        row("server-stopped", &[Draining], "stop-server done", Some(("it is this round's", holder::work_is_current)), holder::drop_address, &[Stopped],
            "the server's processes are gone: give up the address"),
        row("stop-forced", &[Draining], "stop-server failed", Some(("it is this round's", holder::work_is_current)), holder::stop_by_force, &[],
            "the server does not stop by itself"),
        row("stop-forced", &[Draining], "timer stop", Some(("the server is being stopped", holder::stopping)), holder::stop_by_force, &[],
            "the server takes too long to stop"),
        row("parked", &[Stopped], "drop-address done", Some(("nobody takes over", holder::nobody_takes_over)), holder::park, &[Parked],
            "down in order, with the term still held and the compilation kept"),
        row("released", &[Stopped], "drop-address done", Some(("it is this round's", holder::work_is_current)), holder::release, &[Released],
            "the point of no return: the grant is durable before it is sent"),
        row("address-not-dropped", &[Stopped], "drop-address failed", Some(("it is this round's", holder::work_is_current)), holder::abort_failed, &[Active, Activating, Parked],
            "before the release every error means: resume serving"),
        row("address-not-dropped", &[Stopped], "timer stop", None, holder::abort_failed, &[Active, Activating, Parked],
            "before the release every error means: resume serving"),
        quiet("release-resent", &[Released], "timer release", None, holder::send_release, &[],
            "the release is repeated until it is settled"),
        row("release-reissued", &[Released], "Refused", Some(("it is about this grant", holder::refusal_is_about_grant)), holder::reissue, &[],
            "the granted term was too low for its host: the same host gets a higher one"),
        row("grant-settled", &[Released], "TookOver", Some(("it is the granted term or a later", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
            "the second serves: stay down until the fault is cured"),
        row("grant-settled", &[Released], "StayDown", Some(("it is the granted term or a later", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
            "the second has the token: stay down until the fault is cured"),
    ]),
    ("take over", &[
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
        row("serve-retried", &[Activating], "timer serve", Some(("attempts are left", candidate::may_try_again)), candidate::serve_again, &[],
            "the server takes too long: try again"),
        row("parked", &[Activating], "serve failed", Some(("it is this term's", candidate::activation_is_current)), holder::park_unstartable, &[Parked],
            "the server can't be made to serve: hold the term and look for somebody who can"),
        row("parked", &[Activating], "take-address failed", Some(("it is this term's", candidate::activation_is_current)), holder::park_unstartable, &[Parked],
            "the address can't be taken: hold the term and look for somebody who can"),
        row("parked", &[Activating], "timer serve", None, holder::park_unstartable, &[Parked],
            "the server can't be made to serve: hold the term and look for somebody who can"),
        row("serving", &[Activating], "take-address done", Some(("it is this term's", candidate::activation_is_current)), candidate::become_active, &[Active],
            "the address is here: clients are admitted"),
        row("took-over", HOLDERS, "resolve-requests done", Some(("it is this term's", candidate::resolved_current)), candidate::resolved, &[],
            "every request of the compilation has its disposition"),
        row("resolving-later", HOLDERS, "resolve-requests failed", Some(("it is this term's", candidate::resolved_current)), candidate::resolve_later, &[],
            "some requests have no disposition yet: try again"),
        quiet("resolving-again", &[Active, Asking, Draining], "timer serve", Some(("requests are without a disposition", candidate::has_unresolved)), candidate::resolve, &[],
            "some requests have no disposition yet: try again"),
        row("resume-failed", &[Active], "resume failed", None, sync::begin_serving, &[Activating],
            "the drain could not be undone in place: start anew"),
    ]),
    ("parked", &[
        row("asked-again", &[Parked], "timer retry", Some(("somebody is ready", holder::somebody_is_ready)), holder::ask_from_parked, &[Asking, Parked],
            "somebody may take over by now"),
        row("serve-retried", &[Parked], "timer retry", Some(("it was the start that failed", holder::start_failed)), sync::begin_serving, &[Activating],
            "nobody else is ready: try to serve once more"),
        quiet("still-parked", &[Parked], "timer retry", None, holder::wait_parked, &[],
            "the fault is there and nobody is ready"),
        row("unparked", &[Parked], "verdict healthy", None, sync::begin_serving, &[Activating],
            "the fault is gone and the term is still held: serve"),
    ]),
    ("stay down", &[
        quiet("stay-down-repeated", HOLDERS, "timer stay-down", None, holder::repeat_stay_down, &[],
            "the order is repeated as long as the term is held"),
        row("superseded", HOLDERS, "StayDown", Some(("it is a higher term", sync::sender_supersedes)), sync::stand_down, &[Standby],
            "a higher held term ends every lower right to serve"),
        row("superseded", HOLDERS, "TookOver", Some(("it is a higher term", sync::sender_supersedes)), sync::stand_down, &[Standby],
            "a higher held term ends every lower right to serve"),
        quiet("own-term-told", HOLDERS, "StayDown", None, holder::answer_with_own_term, &[],
            "an order of an older term is answered with the present one"),
        quiet("stay-down-obeyed", &[Standby, Preparing], "StayDown", None, standby::obey, &[],
            "the holder's order is acknowledged"),
        quiet("stay-down-obeyed", &[Standby, Preparing], "TookOver", None, standby::obey, &[],
            "the holder's order is acknowledged"),
        quiet("looked", &[Unsynced, Standby, Preparing, Released], "timer observe", None, standby::look, &[],
            "a host without the token looks whether its server stays as it must be"),
        row("started-by-hand", &[Unsynced, Standby, Preparing, Released], "observe done", Some(("the server runs and must not", standby::runs_unordered_anew)), standby::stop_again, &[],
            "somebody started the server although another host holds the service: stop it again"),
        row("stopped-again", &[Unsynced, Standby, Preparing, Released], "stop-server done", Some(("it had to stay down", standby::stopped_for_stay_down)), standby::stopped_again, &[],
            "the server is down as ordered"),
        row("stop-failed", &[Unsynced, Standby, Preparing, Released], "stop-server failed", Some(("it had to stay down", standby::stopped_for_stay_down)), standby::tell_stop_fails, &[],
            "the server does not stop: tell the operator, look again"),
        row("stop-failed", &[Unsynced, Standby, Preparing, Released], "timer stop", None, standby::tell_stop_fails, &[],
            "the server does not stop: tell the operator, look again"),
        quiet("holder-silent", &[Standby, Preparing], "timer silence", None, standby::holder_silent, &[],
            "a silent peer proves nothing: the operator is told"),
    ]),
    ("cure and come back", &[
        quiet("hold-begun", &[Standby, Released], "verdict healthy", Some(("the order's fault is not cured", standby::down_and_faulty)), standby::hold, &[],
            "the probes are healthy: wait for the hold time"),
        quiet("hold-ended", &[Standby, Released], "verdict failing", Some(("the order's fault is not cured", standby::down_and_faulty)), standby::not_yet_cured, &[],
            "the fault is back"),
        quiet("hold-ended", &[Standby, Released], "verdict unknown", Some(("the order's fault is not cured", standby::down_and_faulty)), standby::not_yet_cured, &[],
            "nobody knows whether the fault is gone"),
        row("cured", &[Standby, Released], "timer hold", Some(("the order's fault is not cured", standby::down_and_faulty)), standby::cured, &[],
            "the probes were healthy for the hold time"),
        row("cured", &[Standby, Released], "order cure", Some(("the order's fault is not cured", candidate::cure_is_wanted)), standby::cured, &[],
            "an operator says that the fault is cured"),
        row("order-refused", ANY, "order cure", None, standby::refuse_nothing_to_cure, &[],
            "there is no fault to cure"),
        quiet("come-back-asked", &[Standby], "timer retry", Some(("cured, not permitted yet", standby::down_and_cured)), standby::ask_to_come_back, &[],
            "only the active host permits the way back"),
        row("come-back-permitted", HOLDERS, "Cured", None, holder::permit_come_back, &[],
            "the other host is cured: it may reboot and come back as a standby"),
        row("rebooting", &[Standby], "ComeBackPermitted", Some(("cured, and a reboot is configured", standby::reboots)), standby::reboot, &[],
            "the active host permits it: reboot"),
        row("come-back", &[Standby], "ComeBackPermitted", Some(("cured", standby::down_and_cured)), standby::rebooted, &[],
            "the active host permits it: come back as a standby"),
        row("rebooted", &[Standby], "reboot done", Some(("a reboot is under way", standby::reboot_is_current)), standby::rebooted, &[],
            "rebooted: come back as a standby"),
        row("reboot-failed", &[Standby], "reboot failed", Some(("a reboot is under way", standby::reboot_is_current)), standby::reboot_failed, &[],
            "the reboot command failed: tell the operator, ask again"),
        row("reboot-failed", &[Standby], "timer reboot", Some(("a reboot is under way", standby::reboot_is_current)), standby::reboot_failed, &[],
            "the reboot command takes too long: tell the operator, ask again"),
        row("standing-by", &[Standby, Preparing], "stand-by done", Some(("no stay-down order is held", standby::wants_ready)), standby::became_ready, &[],
            "the server is ready to take over"),
        row("stand-by-failed", &[Standby], "stand-by failed", Some(("no stay-down order is held", standby::free_to_stand_by)), standby::stand_by_failed, &[],
            "the server is not ready to take over: tell the operator, try again"),
        quiet("stand-by-again", &[Standby], "timer retry", Some(("it is not ready", standby::wants_ready)), standby::stand_by_again, &[],
            "the server is not ready to take over yet"),
        row("stand-by-lost", &[Standby], "verdict failing", Some(("no stay-down order is held", standby::free_to_stand_by)), standby::stand_by_again, &[],
            "the standby's server is not well: make it ready again"),
    ]),
    ("force", &[
        row("order-refused", &[Fresh, Unsynced, Standby, Preparing, Released], "order force", Some(("a host is neither heard nor listed", force::objects)), force::refuse_order, &[],
            "everybody must be heard, or vouched for as stopped"),
        row("order-refused", &[Fresh, Unsynced, Standby, Preparing, Released], "order bootstrap", Some(("it was started before, or a host was not heard", force::objects)), force::refuse_order, &[],
            "the first start is never a guess: empty data could win"),
        row("force-begun", &[Unsynced, Standby, Preparing, Released], "order force", None, force::begin, &[Forcing, Activating],
            "an operator vouches for the stopped; everybody else must promise"),
        row("bootstrap-begun", &[Fresh, Unsynced, Standby], "order bootstrap", None, force::begin, &[Forcing, Activating],
            "an operator says where the service starts for the first time"),
        row("order-refused", HOLDERS, "order force", None, holder::refuse_holding, &[],
            "this host holds the service"),
        row("order-refused", HOLDERS, "order bootstrap", None, holder::refuse_holding, &[],
            "this host holds the service"),
        row("promised", &[Fresh, Unsynced, Standby, Preparing, Released, Forcing], "Fence", Some(("nothing speaks against it", force::fence_is_acceptable)), force::promise, RECORDS,
            "this host will not use a lower term"),
        row("fence-refused", ANY, "Fence", None, force::refuse_fence, &[],
            "this host can't promise that term"),
        row("fence-acknowledged", &[Forcing], "FenceAck", Some(("it is this attempt's", force::answer_is_current)), force::note_ack, &[Forcing, Activating],
            "one more host has promised"),
        row("force-lost", &[Forcing], "FenceRefused", Some(("it is this attempt's", force::answer_is_current)), force::lose, RECORDS,
            "a host could not promise"),
        row("force-ended", &[Forcing], "timer fence", None, force::give_up_waiting, RECORDS,
            "not everybody answered in time"),
    ]),
];

/// A standby learns a held term from a hello, and answers it.
fn standby_learns(t: &mut Turn) {
    sync::reply(t);
    sync::learn_term(t);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::TimerName;

    #[test]
    fn every_row_can_apply_and_says_why() {
        for row in rows() {
            assert!(!row.from.is_empty() && row.reason.len() > 10, "{}", row.step);
        }
    }

    #[test]
    fn every_timer_has_a_row() {
        let events: BTreeSet<_> = rows().map(|row| row.on).collect();
        for timer in TimerName::ALL {
            assert!(events.contains(timer.event()), "{} ends nothing", timer.as_str());
        }
    }

    #[test]
    fn every_role_is_entered_and_left() {
        for role in RoleName::ALL {
            assert!(
                role == Unsynced || rows().any(|row| row.to.contains(&role)),
                "{role} is never entered"
            );
            assert!(
                rows().any(|row| row.from.contains(&role) && !row.to.is_empty()),
                "{role} is never left"
            );
        }
    }
}
