//! Who belongs to the cluster: a certificate authority of its own, and one certificate a host.
//!
//! ```text
//! first host   cluster init --host alpha       ca.pem  ca-key.pem  cert.pem  key.pem
//!              cluster invite --host beta   →  a bundle: one file with beta's certificate and key
//! other host   cluster join --from FILE        ca.pem              cert.pem  key.pem
//! ```
//! Invariants: the authority's key never leaves the host that made it; private files are 0600 in a directory that is
//! 0700; nothing is overwritten unless the operator says so; a host's name is in its certificate and nowhere else.

mod authority;
mod bundle;
mod error;
mod files;
mod identity;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use understudy_protocol::HostName;

use authority::Authority;
use bundle::Bundle;

pub use error::ClusterError;
pub(crate) use identity::fingerprint;
pub use identity::{Identity, certified_host, dns_name};

/// What an identity directory holds, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The host it belongs to.
    pub host: HostName,
    /// The directory.
    pub directory: PathBuf,
    /// The authority's fingerprint: SHA-256, equal on all hosts of the cluster.
    pub authority: String,
    /// When the authority's certificate ends.
    pub authority_expires: SystemTime,
    /// This host's certificate's fingerprint.
    pub certificate: String,
    /// When it ends.
    pub certificate_expires: SystemTime,
    /// Whether this host can invite others.
    pub can_invite: bool,
}

/// Founds a cluster: an authority and this host's identity.
///
/// # Errors
/// When the directory holds an identity already and `force` is not set, or can't be written.
pub fn init(directory: &Path, host: &HostName, force: bool) -> Result<Shown, ClusterError> {
    files::refuse_to_overwrite(
        directory,
        &[files::AUTHORITY_KEY, files::AUTHORITY, files::CERTIFICATE, files::KEY],
        force,
    )?;
    let authority = Authority::found()?;
    let issued = authority.issue(host)?;
    files::private_directory(directory)?;
    files::write(directory, files::AUTHORITY_KEY, &authority.key_pem())?;
    files::write(directory, files::AUTHORITY, authority.pem())?;
    files::write(directory, files::CERTIFICATE, &issued.certificate_pem)?;
    files::write(directory, files::KEY, &issued.key_pem)?;
    show(directory)
}

/// Makes another host's identity and packs it into a bundle's text. The bundle is a secret: whoever has it is that host.
///
/// # Errors
/// When this directory has no authority's key, or the name can't stand in a certificate.
pub fn invite(directory: &Path, host: &HostName) -> Result<String, ClusterError> {
    let mine = Identity::load(directory)?;
    if mine.host == *host {
        return Err(ClusterError::InvitesItself { host: host.clone() });
    }
    let authority = Authority::open(directory)?;
    let issued = authority.issue(host)?;
    let use_before = SystemTime::now() + BUNDLE_LIFE;
    Ok(Bundle {
        host: host.clone(),
        use_before,
        authority_pem: authority.pem().to_owned(),
        issued,
    }
    .to_text())
}

/// Installs a bundle as this host's identity.
///
/// # Errors
/// When the bundle is damaged or too old, or the directory holds an identity already and `force` is not set.
pub fn join(directory: &Path, bundle: &str, force: bool) -> Result<Shown, ClusterError> {
    let bundle = Bundle::parse(bundle)?;
    if bundle.use_before < SystemTime::now() {
        return Err(ClusterError::BundleTooOld { host: bundle.host });
    }
    files::refuse_to_overwrite(directory, &[files::AUTHORITY, files::CERTIFICATE, files::KEY], force)?;
    if files::exists(directory, files::AUTHORITY_KEY) && !force {
        return Err(ClusterError::HasAuthority {
            directory: directory.into(),
        });
    }
    identity::check(
        &bundle.authority_pem,
        &bundle.issued.certificate_pem,
        &bundle.issued.key_pem,
        Path::new("the bundle"),
    )?;
    files::private_directory(directory)?;
    files::remove(directory, files::AUTHORITY_KEY)?;
    files::write(directory, files::AUTHORITY, &bundle.authority_pem)?;
    files::write(directory, files::CERTIFICATE, &bundle.issued.certificate_pem)?;
    files::write(directory, files::KEY, &bundle.issued.key_pem)?;
    show(directory)
}

/// What the directory holds.
///
/// # Errors
/// When it holds no usable identity.
pub fn show(directory: &Path) -> Result<Shown, ClusterError> {
    let identity = Identity::load(directory)?;
    Ok(Shown {
        host: identity.host.clone(),
        directory: directory.into(),
        authority: identity.fingerprint(),
        authority_expires: identity::expires(&identity.authority)?,
        certificate: identity::fingerprint(&identity.certificate),
        certificate_expires: identity::expires(&identity.certificate)?,
        can_invite: files::exists(directory, files::AUTHORITY_KEY),
    })
}

/// A bundle that lies about is a key that lies about: after this it is refused, and a new one costs a minute.
pub const BUNDLE_LIFE: Duration = Duration::from_secs(24 * 3600);
