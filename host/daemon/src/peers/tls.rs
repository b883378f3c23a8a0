//! TLS between hosts: version 1.3 only, both sides show a certificate of the cluster's own authority.
//!
//! Invariants: the system's trust store is never asked; who the other side is comes from its certificate alone.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use understudy_protocol::HostName;

use super::error::PeersError;
use crate::cluster::{self, Identity};

/// Both ends of a connection.
pub(super) struct Ends {
    pub(super) acceptor: TlsAcceptor,
    pub(super) connector: TlsConnector,
}

impl Ends {
    pub(super) fn new(identity: &Identity) -> Result<Self, PeersError> {
        let bad = |error: &dyn std::fmt::Display| PeersError::Identity(error.to_string());
        let mut roots = RootCertStore::empty();
        roots.add(identity.authority.clone()).map_err(|error| bad(&error))?;
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let only = &[&rustls::version::TLS13];
        let chain = || vec![identity.certificate.clone()];

        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(only)
            .map_err(|error| bad(&error))?
            .with_client_cert_verifier(clients.map_err(|error| bad(&error))?)
            .with_single_cert(chain(), identity.key.clone_key())
            .map_err(|error| bad(&error))?;
        // Every connection proves itself anew: a resumed one would outlive a replaced identity.
        server.send_tls13_tickets = 0;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(only)
            .map_err(|error| bad(&error))?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain(), identity.key.clone_key())
            .map_err(|error| bad(&error))?;
        Ok(Ends {
            acceptor: Arc::new(server).into(),
            connector: Arc::new(client).into(),
        })
    }
}

/// The name that a peer's certificate must be good for.
pub(super) fn expected(peer: &HostName) -> Result<ServerName<'static>, String> {
    ServerName::try_from(cluster::dns_name(peer))
        .map_err(|error| format!("{peer} can't stand in a certificate: {error}"))
}

/// Who showed these certificates. They have been verified by the time anybody can ask.
pub(super) fn certified(chain: Option<&[CertificateDer<'_>]>) -> Result<HostName, String> {
    let certificate = chain.and_then(<[_]>::first).ok_or("no certificate was shown")?;
    cluster::certified_host(certificate).map_err(|error| error.to_string())
}
