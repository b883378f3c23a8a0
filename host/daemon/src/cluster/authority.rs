//! The cluster's certificate authority: made once, signs hosts' certificates, trusted by nobody else.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls_pki_types::DnsName;
use understudy_protocol::HostName;

use super::{ClusterError, dns_name, files};

/// An authority with its key.
pub(super) struct Authority {
    pem: String,
    key: KeyPair,
}

/// A host's certificate and key.
pub(super) struct Issued {
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
}

impl Authority {
    /// A new one.
    pub(super) fn found() -> Result<Self, ClusterError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "understudy cluster authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_for(&mut params, AUTHORITY_LIFE);
        Ok(Authority {
            pem: params.self_signed(&key)?.pem(),
            key,
        })
    }

    /// The one whose key is in this directory.
    pub(super) fn open(directory: &Path) -> Result<Self, ClusterError> {
        let path = directory.join(files::AUTHORITY_KEY);
        if !files::exists(directory, files::AUTHORITY_KEY) {
            return Err(ClusterError::NoAuthority { path });
        }
        let key = KeyPair::from_pem(&files::read_private(path.clone())?);
        let unusable = |error: rcgen::Error| ClusterError::Unusable {
            path,
            what: "key",
            problem: error.to_string(),
        };
        Ok(Authority {
            pem: files::read(directory.join(files::AUTHORITY))?,
            key: key.map_err(unusable)?,
        })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A certificate that says: the holder of this new key is that host.
    pub(super) fn issue(&self, host: &HostName) -> Result<Issued, ClusterError> {
        let name = dns_name(host);
        if DnsName::try_from(name.as_str()).is_err() {
            return Err(ClusterError::NotADnsName { host: host.clone() });
        }
        let mut params = CertificateParams::new(vec![name])?;
        params.distinguished_name.push(DnType::CommonName, host.as_str());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Each host dials the others and is dialled by them.
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, CERTIFICATE_LIFE);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let issuer = Issuer::from_ca_cert_pem(&self.pem, &self.key)?;
        Ok(Issued {
            certificate_pem: params.signed_by(&key, &issuer)?.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

fn valid_for(params: &mut CertificateParams, life: Duration) {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let now = date_time_ymd(1970, 1, 1) + since_epoch;
    params.not_before = now - CLOCK_TOLERANCE;
    params.not_after = now + life;
}

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Thirty years: nothing but a new cluster replaces it, and no takeover may ever fail for it.
const AUTHORITY_LIFE: Duration = Duration::from_secs(30 * 365 * DAY.as_secs());
/// Ten years: longer than most machines; `cluster show` and the daemon say when it comes near.
const CERTIFICATE_LIFE: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());
/// Hosts' clocks differ; a certificate made a second ago must be good on a host that is a day behind.
const CLOCK_TOLERANCE: Duration = DAY;
