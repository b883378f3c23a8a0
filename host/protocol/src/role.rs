//! The roles a host can have for a service (PROTOCOL, "Roles"): by name for the outside, with their data for the
//! machine.
//!
//! Invariant: what a role's data holds is volatile; whatever must survive a crash is in [`crate::Durable`].

use std::collections::BTreeSet;
use std::time::Duration;

use crate::{Cause, CompilationSeal, HostName, Order, RoundId, Term, Time};

/// A role, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    /// The store is empty and was never adopted.
    Fresh,
    /// Just started; has not heard every other candidate in this boot.
    Unsynced,
    /// No token; ready, coming back, or ordered to stay down.
    Standby,
    /// A standby that assesses, or has offered, to take over.
    Preparing,
    /// Holds the term; makes the server serve.
    Activating,
    /// Holds the term and serves.
    Active,
    /// Active, with a round open: waits for a candidate's answer.
    Asking,
    /// Active, with an accepted round: refuses new requests and completes the existing ones.
    Draining,
    /// Holds the term; the server is stopped, the release is not durable yet.
    Stopped,
    /// Holds the term; the server is stopped, and nobody takes over yet.
    Parked,
    /// The grant is outstanding.
    Released,
    /// Admission is yielded to another host; the requests under way are completed here.
    Yielded,
    /// An operator's forced takeover is in progress.
    Forcing,
    /// Somebody holds a higher term: stops its server and drops its address, and tells nobody before that is done.
    StandingDown,
}

impl RoleName {
    /// Every role.
    pub const ALL: [RoleName; 14] = [
        RoleName::Fresh,
        RoleName::Unsynced,
        RoleName::Standby,
        RoleName::Preparing,
        RoleName::Activating,
        RoleName::Active,
        RoleName::Asking,
        RoleName::Draining,
        RoleName::Stopped,
        RoleName::Parked,
        RoleName::Released,
        RoleName::Yielded,
        RoleName::Forcing,
        RoleName::StandingDown,
    ];

    /// The role's name in the journal, REST and the UI.
    pub fn as_str(self) -> &'static str {
        match self {
            RoleName::Fresh => "fresh",
            RoleName::Unsynced => "unsynced",
            RoleName::Standby => "standby",
            RoleName::Preparing => "preparing",
            RoleName::Activating => "activating",
            RoleName::Active => "active",
            RoleName::Asking => "asking",
            RoleName::Draining => "draining",
            RoleName::Stopped => "stopped",
            RoleName::Parked => "parked",
            RoleName::Released => "released",
            RoleName::Yielded => "yielded",
            RoleName::Forcing => "forcing",
            RoleName::StandingDown => "standing-down",
        }
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role with its data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Fresh,
    Unsynced,
    Standby,
    Preparing(Offer),
    Activating(Activation),
    Active,
    Asking(Ask),
    Draining(Drain),
    Stopped(Drain),
    Parked(Parked),
    Released { sent: u32 },
    Yielded(Drain),
    Forcing(Force),
    StandingDown { stopped: bool },
}

/// What a second knows of a round it may back up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Offer {
    pub(crate) round: RoundId,
    pub(crate) first: HostName,
    pub(crate) cause: Option<Cause>,
    pub(crate) step: OfferStep,
    pub(crate) remaining: Option<u64>,
    pub(crate) blocker: Option<String>,
    /// By how much the drain was lengthened so far.
    pub(crate) extended: Duration,
    /// When the drain that was commanded must be over.
    pub(crate) accepted_until: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum OfferStep {
    /// Told that something is wrong, not yet what.
    Warned,
    Assessing,
    /// Overlap: gets the address ready.
    Arming,
    /// Overlap: runs its server.
    WarmingUp,
    Offered,
}

/// Making the server serve under a held term.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Activation {
    pub(crate) step: ActivationStep,
    /// Failed attempts so far.
    pub(crate) failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ActivationStep {
    Serve,
    TakeAddress,
    /// Overlap: takes admission; flows that are the first's go back to it.
    Appear,
    /// Undoes what an unfinished drain did to admission.
    Resume,
}

/// A round that waits for a candidate's answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Ask {
    pub(crate) round: RoundId,
    pub(crate) to: HostName,
    pub(crate) cause: Cause,
    /// The only candidate an operator allows.
    pub(crate) only: Option<HostName>,
    /// Who declined or did not answer.
    pub(crate) tried: BTreeSet<HostName>,
    /// Whether the cause was reported; until then it is being diagnosed.
    pub(crate) reported: bool,
    /// Set where the server is stopped already.
    pub(crate) parked: Option<Parked>,
}

/// A round that a candidate accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Drain {
    pub(crate) round: RoundId,
    /// Who takes over, and under which term; none: nobody was found and the server must stop all the same.
    pub(crate) to: Option<(HostName, Term)>,
    pub(crate) cause: Cause,
    pub(crate) step: DrainStep,
    /// Whether the deadline has passed and requests are cut.
    pub(crate) forced: bool,
    pub(crate) seal: Option<CompilationSeal>,
    /// What only a yielded round has.
    pub(crate) yielded: Yielded,
    pub(crate) parked: Option<Parked>,
    pub(crate) remaining: Option<u64>,
    pub(crate) blocker: Option<String>,
    /// By how much it was lengthened so far.
    pub(crate) extended: Duration,
}

/// How far a round got whose admission is yielded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Yielded {
    /// New requests go to the second, and it may be told.
    pub(crate) redirected: bool,
    /// The server is not running, so that its requests can only be had from what was listed before.
    pub(crate) server_gone: bool,
    /// The server must go down although the second has not stored the compilation.
    pub(crate) alone: bool,
    /// The second has stored the compilation.
    pub(crate) stored: bool,
    /// The server is stopped and the address dropped.
    pub(crate) down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DrainStep {
    PrepareYield,
    Redirect,
    EndFlows,
    StopAdmitting,
    Settle,
    Seal,
    AwaitStored,
    StopServer,
    DropAddress,
}

/// Holding the term with a stopped server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Parked {
    pub(crate) cause: Cause,
    /// The compilation kept for whoever comes.
    pub(crate) kept: Option<RoundId>,
    /// Whether starting failed, so that trying again may help.
    pub(crate) start_failed: bool,
    /// Whether the last round came to nothing: then it is this host's turn to try again, where that may help.
    pub(crate) declined: bool,
}

/// An operator's forced takeover, or the first start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Force {
    pub(crate) term: Term,
    pub(crate) stopped: BTreeSet<HostName>,
    pub(crate) acked: BTreeSet<HostName>,
    pub(crate) bootstrap: bool,
    pub(crate) order: Order,
}

impl Role {
    pub(crate) fn name(&self) -> RoleName {
        match self {
            Role::Fresh => RoleName::Fresh,
            Role::Unsynced => RoleName::Unsynced,
            Role::Standby => RoleName::Standby,
            Role::Preparing(_) => RoleName::Preparing,
            Role::Activating(_) => RoleName::Activating,
            Role::Active => RoleName::Active,
            Role::Asking(_) => RoleName::Asking,
            Role::Draining(_) => RoleName::Draining,
            Role::Stopped(_) => RoleName::Stopped,
            Role::Parked(_) => RoleName::Parked,
            Role::Released { .. } => RoleName::Released,
            Role::Yielded(_) => RoleName::Yielded,
            Role::Forcing(_) => RoleName::Forcing,
            Role::StandingDown { .. } => RoleName::StandingDown,
        }
    }

    /// The round this role is about.
    pub(crate) fn round(&self) -> Option<RoundId> {
        match self {
            Role::Preparing(offer) => Some(offer.round),
            Role::Asking(ask) => Some(ask.round),
            Role::Draining(drain) | Role::Stopped(drain) | Role::Yielded(drain) => Some(drain.round),
            Role::Fresh
            | Role::Unsynced
            | Role::Standby
            | Role::Activating(_)
            | Role::Active
            | Role::Parked(_)
            | Role::Released { .. }
            | Role::Forcing(_)
            | Role::StandingDown { .. } => None,
        }
    }
}

impl DrainStep {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            DrainStep::PrepareYield => "prepare-yield",
            DrainStep::Redirect => "redirect",
            DrainStep::EndFlows => "end-flows",
            DrainStep::StopAdmitting => "stop-admitting",
            DrainStep::Settle => "settle",
            DrainStep::Seal => "seal-compilation",
            DrainStep::AwaitStored => "await-stored",
            DrainStep::StopServer => "stop-server",
            DrainStep::DropAddress => "drop-address",
        }
    }
}
