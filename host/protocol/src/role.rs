//! The roles a host can have for a service (PROTOCOL, "Roles"), by name.

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
    /// An operator's forced takeover is in progress.
    Forcing,
}

impl RoleName {
    /// Every role.
    pub const ALL: [RoleName; 12] = [
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
        RoleName::Forcing,
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
            RoleName::Forcing => "forcing",
        }
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
