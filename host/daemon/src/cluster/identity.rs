//! A host's identity: the cluster's authority, and the certificate and key that say who this host is.
//!
//! Invariant: an [`Identity`] is whole: the key belongs to the certificate, the authority signed it, it has not
//! expired, and it names exactly one host.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use understudy_protocol::HostName;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::{ClusterError, files};

/// Who this host is, ready for TLS.
#[derive(Debug)]
pub struct Identity {
    /// The host that the certificate names.
    pub host: HostName,
    /// The cluster's authority.
    pub authority: CertificateDer<'static>,
    /// This host's certificate.
    pub certificate: CertificateDer<'static>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads `ca.pem`, `cert.pem` and `key.pem` of a directory.
    ///
    /// # Errors
    /// When one is missing, unreadable, expired, exposed to other users, or does not belong to the others.
    pub fn load(directory: &Path) -> Result<Self, ClusterError> {
        let authority = files::read(directory.join(files::AUTHORITY))?;
        let certificate = files::read(directory.join(files::CERTIFICATE))?;
        let key = files::read_private(directory.join(files::KEY))?;
        check(&authority, &certificate, &key, directory)
    }

    /// The authority's fingerprint: equal on all hosts of one cluster.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.authority)
    }

    /// How long this host's certificate is still good; none when it has ended.
    pub fn remaining(&self) -> Option<Duration> {
        expires(&self.certificate).ok()?.duration_since(SystemTime::now()).ok()
    }
}

/// The name of a host in certificates. `.internal` is reserved for private use: nobody else can own it.
pub fn dns_name(host: &HostName) -> String {
    format!("{host}{SUFFIX}")
}

/// The host that a certificate names. It says nothing of who signed it.
///
/// # Errors
/// When it names none, or several.
pub fn certified_host(certificate: &CertificateDer<'_>) -> Result<HostName, ClusterError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| ClusterError::NamesNobody)?;
    let names = parsed
        .subject_alternative_name()
        .ok()
        .flatten()
        .ok_or(ClusterError::NamesNobody)?;
    let hosts = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => HostName::new(name.strip_suffix(SUFFIX)?).ok(),
        _ => None,
    });
    let mut hosts: Vec<HostName> = hosts.collect();
    match (hosts.pop(), hosts.is_empty()) {
        (Some(host), true) => Ok(host),
        _ => Err(ClusterError::NamesNobody),
    }
}

/// Puts the three texts together, if they belong together. `place` is for errors.
pub(super) fn check(authority: &str, certificate: &str, key: &str, place: &Path) -> Result<Identity, ClusterError> {
    let authority = certificate_in(authority, place, files::AUTHORITY)?;
    let certificate = certificate_in(certificate, place, files::CERTIFICATE)?;
    let key_path = || place.join(files::KEY);
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| ClusterError::Unusable {
        path: key_path(),
        what: "private key",
        problem: error.to_string(),
    })?;
    let host = certified_host(&certificate)?;
    if expires(&certificate)? < SystemTime::now() {
        return Err(ClusterError::Expired {
            path: place.join(files::CERTIFICATE),
            host,
        });
    }
    let problem = |path, problem: &str| ClusterError::Unusable {
        path,
        what: "identity",
        problem: problem.to_owned(),
    };
    if !signed_by(&certificate, &authority) {
        return Err(problem(
            place.join(files::CERTIFICATE),
            "the authority in ca.pem did not sign it",
        ));
    }
    if !belongs(&key, &certificate) {
        return Err(problem(key_path(), "the key does not belong to the certificate"));
    }
    Ok(Identity {
        host,
        authority,
        certificate,
        key,
    })
}

/// SHA-256 of a certificate, in pairs of digits as other tools print it.
pub(crate) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let pairs: Vec<String> = Sha256::digest(certificate)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    pairs.join(":")
}

/// When a certificate ends.
pub(super) fn expires(certificate: &CertificateDer<'_>) -> Result<SystemTime, ClusterError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| ClusterError::NamesNobody)?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

fn certificate_in(pem: &str, place: &Path, file: &str) -> Result<CertificateDer<'static>, ClusterError> {
    let unusable = |problem: String| ClusterError::Unusable {
        path: place.join(file),
        what: "certificate",
        problem,
    };
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| unusable(error.to_string()))?;
    X509Certificate::from_der(&certificate).map_err(|error| unusable(error.to_string()))?;
    Ok(certificate)
}

fn signed_by(certificate: &CertificateDer<'_>, authority: &CertificateDer<'_>) -> bool {
    let (Ok((_, certificate)), Ok((_, authority))) = (
        X509Certificate::from_der(certificate),
        X509Certificate::from_der(authority),
    ) else {
        return false;
    };
    certificate.verify_signature(Some(authority.public_key())).is_ok()
}

fn belongs(key: &PrivateKeyDer<'static>, certificate: &CertificateDer<'static>) -> bool {
    let Ok(key) = rustls::crypto::ring::sign::any_supported_type(key) else {
        return false;
    };
    rustls::sign::CertifiedKey::new(vec![certificate.clone()], key)
        .keys_match()
        .is_ok()
}

const SUFFIX: &str = ".understudy.internal";
