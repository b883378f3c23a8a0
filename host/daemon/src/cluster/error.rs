//! What can be wrong with an identity, each with its mend.

use std::io;
use std::path::PathBuf;

use understudy_protocol::HostName;

/// Why something about the cluster's identities can't be done.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no identity.
    #[error(
        "{path} is missing: make it with `understudy cluster init --host NAME` (the first host), or with `understudy \
         cluster join --from BUNDLE` (every other)", path = path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something is there already.
    #[error(
        "{path} exists: this host has an identity (see `understudy cluster show`); --force replaces it, and hosts that \
         know the old one must be invited anew", path = path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A host that founded a cluster would join another.
    #[error(
        "{directory} holds the key of a cluster's authority, which would be lost: move ca-key.pem away, or say --force",
        directory = directory.display()
    )]
    HasAuthority {
        /// The directory.
        directory: PathBuf,
    },
    /// Only the founder can invite.
    #[error(
        "{path} is missing: only the host where `understudy cluster init` ran can invite others",
        path = path.display()
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// Inviting oneself.
    #[error("{host} is this host: name the one that is to join")]
    InvitesItself {
        /// The name.
        host: HostName,
    },
    /// Others may read the key.
    #[error("{path} can be read by others (mode {mode:o}): `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A certificate or key can't be read.
    #[error("{path} holds no usable {what}: {problem}; replace it with `understudy cluster join --force`", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate names no host.
    #[error("the certificate names no host of understudy")]
    NamesNobody,
    /// The certificate is over.
    #[error("{path} has expired: invite this host anew (`understudy cluster invite --host {host}` at the first host)", path = path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// The host.
        host: HostName,
    },
    /// The name can't be in a certificate.
    #[error("{host} can't stand in a certificate: use letters, digits and '-', with single dots between")]
    NotADnsName {
        /// The name.
        host: HostName,
    },
    /// The text is no bundle.
    #[error("this is no bundle of `understudy cluster invite`: {problem}")]
    NotABundle {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bundle was not used in time.
    #[error("this bundle is too old: make a new one with `understudy cluster invite --host {host}` at the first host")]
    BundleTooOld {
        /// Whose it was.
        host: HostName,
    },
    /// A certificate can't be made.
    #[error("can't make a certificate: {0}")]
    Making(#[from] rcgen::Error),
}
