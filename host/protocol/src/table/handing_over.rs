//! The first's way from the drain to the release.

use crate::row::{Row, quiet, row};
use crate::{RoleName, candidate, holder, sync};

use RoleName::{
    Activating, Active, Asking, Draining, Parked, Preparing, Released, Standby, Stopped, Unsynced, Yielded,
};

/// Who may be sent a compilation: a candidate, and whoever was one when the first yielded admission.
const RECEIVERS: &[RoleName] = &[
    Standby, Preparing, Unsynced, Activating, Active, Asking, Draining, Stopped, Parked, Released, Yielded,
];

#[rustfmt::skip]
pub(super) const DRAIN: &[Row] = &[
    row("admission-stopped", &[Draining], "stop-admitting done", Some(("it is this round's", holder::work_is_current)), holder::settle, &[],
        "new requests wait for the second: complete the existing ones"),
    quiet("drain-progressed", &[Draining], "drain progress", None, holder::note_progress, &[],
        "the second and the operator see what remains and who blocks"),
    row("drained", &[Draining], "settle done", Some(("it is this round's", holder::work_is_current)), holder::seal, &[],
        "every request is completed and what must finish has finished"),
    row("drain-forced", &[Draining], "timer drain", Some(("the policy is to force", holder::policy_forces)), holder::force_drain, &[],
        "the deadline has passed: the requests that are left are written down as cut"),
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
];

#[rustfmt::skip]
pub(super) const COMPILE: &[Row] = &[
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
    quiet("compilation-received", RECEIVERS, "Compilation", None, candidate::store_compilation, &[],
        "the compilation must be durable before it is confirmed"),
    row("compilation-stored", RECEIVERS, "store-compilation done", None, candidate::confirm_compilation, &[],
        "the compilation is durable here: the first may release"),
    row("compilation-incomplete", RECEIVERS, "store-compilation failed", None, candidate::note_unstored, &[],
        "the pages do not make the sealed compilation: the first sends them again"),
    row("server-stopping", &[Draining], "CompilationStored", Some(("it matches this round's seal", holder::stored_matches)), holder::stop_server, &[],
        "the second holds the compilation: stop the server"),
];

#[rustfmt::skip]
pub(super) const RELEASE: &[Row] = &[
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
    row("grant-settled", &[Released], "Refused", Some(("it knows that the granted term or a later one was held", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
        "the grant was used, and the service has moved on"),
    row("release-reissued", &[Released], "Refused", Some(("it is about this grant", holder::refusal_is_about_grant)), holder::reissue, &[],
        "the granted term was too low for its host: the same host gets a higher one"),
    row("grant-settled", &[Released], "TookOver", Some(("it is the granted term or a later", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
        "the second serves: stay down until the fault is cured"),
    row("grant-settled", &[Released], "StayDown", Some(("it is the granted term or a later", sync::sender_settles_grant)), holder::settle_grant, &[Standby],
        "the second has the token: stay down until the fault is cured"),
];
